"""Watches a GPU through NVML while it is measured: clocks, power, temperature, throttle reasons, other processes.

Source: NVML API Reference, "Device Queries" and ``nvmlClocksEventReasons`` (driver 580).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from statistics import median
from typing import Any, TypeVar

from tunetui_agent.messages import Value

_T = TypeVar("_T")
_PERIOD_SECONDS = 0.02
THROTTLE_REASONS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}
"""Bits of the clocks-event mask that mean the chip runs slower than asked, in words."""


class Nvml:
    """NVML opened for one GPU; every figure is None where the driver does not give it."""

    def __init__(self, device_id: str) -> None:
        """Raises ImportError without nvidia-ml-py, OSError where NVML does not answer."""
        import pynvml

        self._nvml: Any = pynvml
        try:
            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByUUID(device_id)
        except pynvml.NVMLError as error:
            raise OSError(f"NVML: {error}") from None

    def sm_clock_mhz(self) -> float | None:
        return self._ask(lambda n, h: float(n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM)))

    def memory_clock_mhz(self) -> float | None:
        return self._ask(lambda n, h: float(n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_MEM)))

    def power_w(self) -> float | None:
        return self._ask(lambda n, h: float(n.nvmlDeviceGetPowerUsage(h)) / 1e3)

    def temperature_c(self) -> float | None:
        return self._ask(lambda n, h: float(n.nvmlDeviceGetTemperature(h, n.NVML_TEMPERATURE_GPU)))

    def utilisation_percent(self) -> float | None:
        return self._ask(lambda n, h: float(n.nvmlDeviceGetUtilizationRates(h).gpu))

    def energy_mj(self) -> float | None:
        """Since the driver was loaded; GPUs before Volta, and MIG instances, do not count it."""
        return self._ask(lambda n, h: float(n.nvmlDeviceGetTotalEnergyConsumption(h)))

    def state(self) -> dict[str, float | None]:
        """Clocks, power, temperature and load now, by the names that rows and live telemetry have for them."""
        return {
            "sm_clock_mhz": self.sm_clock_mhz(),
            "memory_clock_mhz": self.memory_clock_mhz(),
            "power_w": self.power_w(),
            "temperature_c": self.temperature_c(),
            "utilisation_percent": self.utilisation_percent(),
        }

    def throttle_mask(self) -> int | None:
        """Only the bits named in `THROTTLE_REASONS`."""

        def ask(nvml: Any, handle: Any) -> int:
            get = getattr(nvml, "nvmlDeviceGetCurrentClocksEventReasons", None)
            get = get or nvml.nvmlDeviceGetCurrentClocksThrottleReasons
            return int(get(handle)) & sum(THROTTLE_REASONS)

        return self._ask(ask)

    def other_processes(self) -> list[int] | None:
        """Ids of the other processes that compute on this GPU, as far as this container sees them."""

        def ask(nvml: Any, handle: Any) -> list[int]:
            return [p.pid for p in nvml.nvmlDeviceGetComputeRunningProcesses(handle) if p.pid != os.getpid()]

        return self._ask(ask)

    def _ask(self, question: Callable[[Any, Any], _T]) -> _T | None:
        try:
            return question(self._nvml, self._handle)
        except self._nvml.NVMLError:
            return None


def throttle_words(mask: int) -> str:
    """The reasons in a mask, "power cap, hardware slowdown"."""
    return ", ".join(words for bit, words in THROTTLE_REASONS.items() if mask & bit)


class NvmlMeter:
    """The GPU's own energy counter, of the whole board."""

    source = "NVML's total energy counter"

    def __init__(self, device_id: str) -> None:
        """Raises OSError with what is missing."""
        try:
            self._nvml = Nvml(device_id)
        except ImportError:
            raise OSError("nvidia-ml-py is missing: pip install nvidia-ml-py") from None
        self.read_mj()

    def read_mj(self) -> float:
        """Millijoules since the driver was loaded."""
        found = self._nvml.energy_mj()
        if found is None:
            raise OSError("this GPU or its driver counts no energy (nvmlDeviceGetTotalEnergyConsumption)")
        return found


class GpuWatch:
    """A thread that samples NVML from construction until `finish`."""

    def __init__(self, device_id: str) -> None:
        self._rows: list[dict[str, float | None]] = []
        self._masks: list[int] = []
        self._stop = threading.Event()
        self._reason = ""
        try:
            self._nvml: Nvml | None = Nvml(device_id)
        except ImportError:
            self._nvml, self._reason = None, "nvidia-ml-py is missing: pip install nvidia-ml-py"
        except OSError as error:
            self._nvml, self._reason = None, str(error)
        self._thread = threading.Thread(target=self._watch, name="nvml", daemon=True)
        if self._nvml:
            self._thread.start()

    def finish(self, samples_ns: list[int]) -> tuple[dict[str, Value], list[str]]:
        """Medians, extremes and throttle reasons of the stretch; tags ``throttled``, ``shared-gpu``, ``no-telemetry``."""
        if self._nvml is None:
            return {"telemetry_reason": self._reason}, ["no-telemetry"]
        if not self._stop.is_set():  # a race asks once for each finalist: the stretch is the same
            self._stop.set()
            self._thread.join()
            self._look()
        figures: dict[str, Value] = {"telemetry_samples": len(self._rows)}
        for name in self._rows[0]:
            values = [row[name] for row in self._rows if row[name] is not None]
            if values:
                figures[name] = round(float(median([v for v in values if v is not None])), 3)
            else:
                figures[f"{name}_reason"] = "n/a: the driver does not give it"
        clocks = [row["sm_clock_mhz"] for row in self._rows if row["sm_clock_mhz"] is not None]
        tags = []
        if clocks:
            figures["sm_clock_min_mhz"], figures["sm_clock_max_mhz"] = min(clocks), max(clocks)
        mask = 0
        for part in self._masks:
            mask |= part
        if mask:
            tags.append("throttled")
            figures["throttle_reasons"] = throttle_words(mask)
            figures["throttled_percent"] = round(100 * sum(map(bool, self._masks)) / len(self._masks), 1)
        others = self._nvml.other_processes()
        if others:
            tags.append("shared-gpu")
            figures["other_processes"] = len(others)
        return figures, tags

    def _watch(self) -> None:
        while True:
            self._look()
            if self._stop.wait(_PERIOD_SECONDS):
                return

    def _look(self) -> None:
        nvml = self._nvml
        if nvml is None:
            return
        self._rows.append(nvml.state())
        self._masks.append(nvml.throttle_mask() or 0)
