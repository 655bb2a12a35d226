"""Energy over a burst, from counters that are files here: as Linux offers those of a CPU."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tunetui_agent.devices import energy
from tunetui_agent.devices.energy import REASON, between_steps, measure_energy, meter_details
from tunetui_agent.devices.gpu_rotation import Rotation, rotation_of
from tunetui_agent.devices.rapl import RaplMeter

WATTS = 7.0


class Package:
    """A package's folder under powercap."""

    def __init__(self, root: Path, number: int = 0, energy_uj: int = 1000, range_uj: int = 1_000_000) -> None:
        self.folder = root / f"intel-rapl:{number}"
        self.folder.mkdir()
        (self.folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        self.write(energy_uj)

    def write(self, energy_uj: int) -> None:
        draft = self.folder / "draft"
        draft.write_text(f"{energy_uj}\n")
        draft.replace(self.folder / "energy_uj")


@contextmanager
def drawing(package: Package) -> Iterator[None]:
    """The package draws `WATTS` while this lasts."""
    end = threading.Event()

    def draw() -> None:
        begun = time.perf_counter()
        while not end.wait(0.005):
            package.write(round(1000 + WATTS * 1e6 * (time.perf_counter() - begun)))

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


class Sums:
    """An execution: adds up an array."""

    def __init__(self) -> None:
        self.count, self._array = 0, np.ones(200_000)

    def repeat(self, count: int) -> str:
        for _ in range(count):
            self._array.sum()
        self.count += count
        return "as the executions leave them"


def test_the_energy_of_one_execution_is_that_of_the_burst_over_its_executions(tmp_path: Path) -> None:
    package, execution = Package(tmp_path, range_uj=10**12), Sums()
    with drawing(package):
        figures = measure_energy(RaplMeter(tmp_path), execution, 0.3)
    power, seconds, executions = (figures[f"energy_{name}"] for name in ("power_w", "seconds", "executions"))
    assert isinstance(power, float)
    assert isinstance(seconds, float)
    assert isinstance(executions, int)
    assert power == pytest.approx(WATTS, rel=0.3)
    assert seconds >= 0.3
    assert 0 < executions < execution.count
    assert figures["energy_mj"] == pytest.approx(1e3 * power * seconds / executions, rel=0.01)
    assert figures["energy_caches"] == "as the executions leave them"


def test_a_counter_that_stands_still_gives_no_figure_but_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "PATIENCE_SECONDS", 0.05)
    Package(tmp_path)
    figures = measure_energy(RaplMeter(tmp_path), Sums(), 0.01)
    assert str(figures[REASON]).startswith("n/a: RAPL, the energy counters of the CPU packages did not move")
    assert "energy_mj" not in figures


def test_a_counter_that_disappears_gives_its_reason(tmp_path: Path) -> None:
    package = Package(tmp_path)
    meter = RaplMeter(tmp_path)
    (package.folder / "energy_uj").unlink()
    assert str(measure_energy(meter, Sums(), 10.0)[REASON]).startswith("n/a: RAPL cannot be read")


def test_executions_between_two_steps_are_told_from_the_ends_of_their_batches() -> None:
    steps = [(10.05, 1.0), (10.5, 100.0), (11.5, 500.0), (13.0, 900.0)]
    ends = [(10.0, 0), (11.0, 100), (12.0, 200)]
    # The first step comes while the power still rises, the last after the burst; 50 to 150 executions lie between the others.
    assert between_steps(steps, ends, "it") == {
        "energy_mj": 4.0, "energy_power_w": 0.4, "energy_seconds": 1.0, "energy_executions": 100,
    }  # fmt: skip
    assert between_steps(steps[:2], ends, "it") == {REASON: "n/a: it did not move often enough under load"}
    assert between_steps([(10.5, 9.0), (11.5, 3.0)], ends, "it") == {REASON: "n/a: it did not go forward"}


def test_packages_are_added_up_and_a_counter_that_wrapped_around_goes_on(tmp_path: Path) -> None:
    first, second = Package(tmp_path, 0, 999_000), Package(tmp_path, 1, 5_000)
    (tmp_path / "intel-rapl:0:0").mkdir()  # a part of the first, which counts it
    meter = RaplMeter(tmp_path)
    first.write(2_000)
    second.write(6_500)
    assert meter.read_mj() == pytest.approx(3.0 + 1.5)


def test_a_host_without_counters_says_so(tmp_path: Path) -> None:
    class Host:
        def energy_meter(self) -> RaplMeter:
            return RaplMeter(tmp_path)

    assert meter_details(Host()) == {REASON: f"n/a: no RAPL counters in {tmp_path}"}
    Package(tmp_path)
    assert meter_details(Host()) == {"energy_counter": RaplMeter.source}


@pytest.mark.parametrize(
    ("elements", "cold", "copies", "words"),
    [
        (1 << 20, True, 5, "5 copies of the inputs in turn, together 20 MiB"),
        (1 << 23, True, 1, "inputs of 32 MiB, more than 2 times the L2"),
        (1 << 20, False, 1, "as the executions leave them"),
        (16, True, 1, "hot: the inputs are too small to rotate"),
    ],
)
def test_copies_of_the_inputs_exceed_the_l2_together(elements: int, cold: bool, copies: int, words: str) -> None:
    inputs = [np.zeros(elements, np.float32)]
    assert rotation_of(10 << 20, inputs, cold=cold) == (copies, words)


def test_calls_take_turns_across_batches() -> None:
    seen: list[int] = []
    rotation = Rotation([lambda place=place: seen.append(place) for place in range(3)], "")  # type: ignore[misc]
    rotation.run(4)
    rotation.run(2)
    assert seen == [0, 1, 2, 0, 1, 2]
