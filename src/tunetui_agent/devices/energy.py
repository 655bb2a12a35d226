"""What one execution costs in energy: a burst of executions, held against the device's own counter.

A counter moves in steps, every few milliseconds up to some hundred, and reading it can take as long.  It is therefore read by a
thread beside the burst; what counts lies between two of its steps, and the executions of that stretch are told from when each
batch of them ended.  Everything that the device draws meanwhile counts, idle power included.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunetui_agent.messages import Value

REASON = "energy_reason"
LEAD_SECONDS = 0.1
"""Of executions before the first step that counts: the device's power has to rise first."""
PATIENCE_SECONDS = 2.0
"""Of executions beyond what was asked for, where the counter is slow to move."""
_BATCH_SECONDS = 0.02
_MOST_AT_ONCE = 2000
_POLL_SECONDS = 0.001
_FAILURES_IN_A_ROW = 5
"""A counter that cannot be read so often is none; a driver under load may fail to answer once."""


class EnergyMeter(Protocol):
    """A counter of energy; ``source`` names it, for people."""

    source: str

    def read_mj(self) -> float:
        """Millijoules since some moment.  Raises OSError where it cannot be read."""


class Metered(Protocol):
    """A device that may have one."""

    def energy_meter(self) -> EnergyMeter:
        """Raises OSError with the reason where there is none that can be read."""


def meter_details(device: Metered) -> dict[str, Value]:
    """What is said of a device: ``energy_counter`` names its counter, or ``energy_reason`` says why it has none."""
    try:
        return {"energy_counter": device.energy_meter().source}
    except OSError as error:
        return {REASON: f"n/a: {error}"}


class Repeatable(Protocol):
    """What a burst needs of an execution."""

    def repeat(self, count: int) -> str:
        """So many executions back to back, waited for; what the caches held meanwhile, in words."""


def measure_energy(meter: EnergyMeter, execution: Repeatable, seconds: float) -> dict[str, Value]:
    """Energy of one execution, over a burst of at least ``seconds``.

    Returns:
        ``energy_mj`` of one execution, ``energy_power_w`` (mean), ``energy_seconds`` and ``energy_executions`` of the
        stretch between two steps of the counter, ``energy_caches`` in words; or ``energy_reason``.
    """
    poller = _Poller(meter)
    ends: list[tuple[float, int]] = [(time.perf_counter(), 0)]
    caches, count = "", 1
    with poller:
        while not poller.failure and not _enough(poller.steps, ends, seconds):
            started = time.perf_counter()
            caches = execution.repeat(count)
            ended = time.perf_counter()
            ends.append((ended, ends[-1][1] + count))
            count = max(1, min(_MOST_AT_ONCE, round(count * _BATCH_SECONDS / max(ended - started, 1e-7))))
    if poller.failure:
        return {REASON: f"n/a: {poller.failure}"}
    return {**between_steps(poller.steps, ends, meter.source), "energy_caches": caches}


def between_steps(
    steps: Sequence[tuple[float, float]], ends: Sequence[tuple[float, int]], source: str
) -> dict[str, Value]:
    """The figures from a counter's steps (seconds, mJ) and the batches' ends (seconds, executions so far)."""
    counted = [step for step in steps if ends[0][0] + LEAD_SECONDS <= step[0] <= ends[-1][0]]
    if len(counted) < 2:
        return {REASON: f"n/a: {source} did not move often enough under load"}
    (began, from_mj), (ended, to_mj) = counted[0], counted[-1]
    executions = _executions_at(ended, ends) - _executions_at(began, ends)
    if executions <= 0 or to_mj <= from_mj:
        return {REASON: f"n/a: {source} did not go forward"}
    return {
        "energy_mj": _digits((to_mj - from_mj) / executions),
        "energy_power_w": round((to_mj - from_mj) / 1e3 / (ended - began), 1),
        "energy_seconds": round(ended - began, 3),
        "energy_executions": round(executions),
    }


class _Poller:
    """Reads a meter as often as it lets itself be read, and keeps when it moved."""

    def __init__(self, meter: EnergyMeter, clock: Callable[[], float] = time.perf_counter) -> None:
        self.steps: list[tuple[float, float]] = []
        self.failure = ""
        self._meter, self._clock = meter, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="energy", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        last, failures = None, 0
        while not self._stop.wait(_POLL_SECONDS):
            try:
                found = self._meter.read_mj()
            except OSError as error:
                failures += 1
                if failures == _FAILURES_IN_A_ROW:
                    self.failure = str(error)
                    return
                continue
            failures = 0
            if found != last:
                if last is not None:
                    self.steps.append((self._clock(), found))
                last = found


def _enough(steps: Sequence[tuple[float, float]], ends: Sequence[tuple[float, int]], seconds: float) -> bool:
    begun, now = ends[0][0], ends[-1][0]
    if now - begun > LEAD_SECONDS + seconds + PATIENCE_SECONDS:
        return True
    counted = [at for at, _ in steps if begun + LEAD_SECONDS <= at <= now]
    return bool(counted) and counted[-1] - counted[0] >= seconds


def _executions_at(t: float, ends: Sequence[tuple[float, int]]) -> float:
    """Executions that were over at ``t``, evenly spread within a batch."""
    place = bisect_left(ends, (t, 0))
    (before, done), (after, more) = ends[place - 1], ends[place]
    return done + (more - done) * (t - before) / (after - before)


def _digits(value: float) -> float:
    """Five digits: a counter's steps carry no more."""
    return float(f"{value:.5g}")
