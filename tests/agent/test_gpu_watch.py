"""What a GPU's row says of figures that its driver does not give; NVML itself is asked in tests/gpu."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from tunetui_agent.devices.gpu_watch import GpuWatch
from tunetui_agent.host_report import HostReport
from tunetui_agent.messages import TelemetrySampled


class _Nvml(ModuleType):
    """A driver that knows its clocks and why they are held down, and nothing else."""

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    class NVMLError(Exception):
        pass

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, device: str) -> str:  # noqa: N802
        return device

    def nvmlDeviceGetClockInfo(self, handle: str, clock: int) -> int:  # noqa: N802
        return 1000 * clock

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:  # noqa: N802
        return 0x04 | 0x08 | 0x01  # the last one: idle, which is no throttling

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)

        def refuse(*_: Any) -> None:
            raise self.NVMLError(name)

        return refuse


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> GpuWatch:
    monkeypatch.setitem(sys.modules, "pynvml", _Nvml("pynvml"))
    return GpuWatch("GPU-0")


def test_a_figure_that_the_driver_lacks_is_absent_with_its_reason(watch: GpuWatch) -> None:
    figures, tags = watch.finish([])
    assert (figures["sm_clock_mhz"], figures["memory_clock_mhz"], tags) == (1000.0, 2000.0, ["throttled"])
    assert "power_w" not in figures
    assert figures["power_w_reason"] == "n/a: the driver does not give it"


def test_a_race_that_asks_once_for_each_finalist_hears_of_one_and_the_same_stretch(watch: GpuWatch) -> None:
    assert watch.finish([1]) == watch.finish([2])


def reported(device: str, looks: int = 3) -> list[TelemetrySampled]:
    said: list[TelemetrySampled] = []
    report = HostReport(said.append, device)
    for number in range(looks):
        report.sample_if_due(report.due + number)
    return said


def test_what_slows_a_gpu_down_is_told_live_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", _Nvml("pynvml"))
    first, *later = reported("GPU-0")
    assert first.throttle_reasons is None, "NVML is not opened before the run has begun"
    assert [sample.throttle_reasons for sample in later] == ["power cap, hardware slowdown"] * 2
    assert later[-1].figures["sm_clock_mhz"] == 1000.0
    assert "power_w" not in later[-1].figures, "the driver does not give it"


def test_of_a_cpu_nobody_tells_why_it_is_slow() -> None:
    assert [sample.throttle_reasons for sample in reported("cpu")] == [None] * 3
