"""Times one execution after another until the stop rule is content; the device does the timing, this the bookkeeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tunetui_agent.devices import Execution, OpenDevice
from tunetui_agent.faults import TrialFault
from tunetui_agent.messages import Method, Value
from tunetui_agent.places import place_figures
from tunetui_agent.stopping import median_interval, next_check, stop_reason, time_is_up

PROGRESS_SECONDS = 0.25
"""Longest stretch without a word to whoever watches, and the shortest between two words."""

STAYS_WARM_SECONDS = 0.25
"""After work a device keeps its clocks at least this long."""

Progress = Callable[[int, float, "float | None"], None]
"""Called with the number of samples, their median in ns and the interval's half width in percent."""


@dataclass(frozen=True)
class Sampling:
    """What the timing of one trial gave; ``samples_ns`` holds every sample in the order taken."""

    samples_ns: list[int]
    stopped_by: str
    warmups: int
    warmup_seconds: float
    sampling_seconds: float
    telemetry: dict[str, Value]
    tags: list[str]


class Warmth:
    """Whether the device was at work just now: then its clocks are up, and a kernel needs only its own few executions."""

    def __init__(self) -> None:
        self._worked = float("-inf")

    def seconds_needed(self, method: Method) -> float:
        """What a warm-up has to last now."""
        return 0.0 if time.perf_counter() - self._worked <= STAYS_WARM_SECONDS else method.warmup_seconds

    def worked(self) -> None:
        """A trial was sampled just now."""
        self._worked = time.perf_counter()


def warm_up(execution: Execution, method: Method, least_seconds: float) -> int:
    """Runs without timing until the method's count and ``least_seconds`` are reached; returns the count.

    A kernel slower than the whole sampling budget is warmed up once.
    """
    begun = time.perf_counter()
    count = 0
    while True:
        execution.run()
        count += 1
        spent = time.perf_counter() - begun
        if (count >= method.warmup_samples and spent >= least_seconds) or spent >= method.max_seconds:
            return count


def measure(
    device: OpenDevice, execution: Execution, method: Method, progress: Progress, warmth: Warmth | None = None
) -> Sampling:
    """Warms up, then samples until precision, ``max_samples`` or ``max_seconds``.  Without ``warmth`` the device is cold."""
    begun = time.perf_counter()
    warmth = warmth or Warmth()
    warmups = warm_up(execution, method, warmth.seconds_needed(method))
    watch = device.watch()
    started = time.perf_counter()
    try:
        samples, reason = _sample(execution, method, progress, started)
    except TrialFault:
        watch.finish([])  # it may be a thread, which would go on watching beside every later trial
        raise
    ended = time.perf_counter()
    warmth.worked()
    telemetry, tags = watch.finish(samples)
    telemetry["call_overhead_ns"] = round(execution.overhead_ns(), 1)
    telemetry |= place_figures(samples, execution.placements(), method)
    return Sampling(samples, reason, warmups, started - begun, ended - started, telemetry, tags)


def _sample(execution: Execution, method: Method, progress: Progress, started: float) -> tuple[list[int], str]:
    """The samples, and why they are enough; ``started`` as of ``time.perf_counter``."""
    samples: list[int] = []
    reason, spoke = None, started
    while reason is None:
        goal = next_check(len(samples), method)
        while len(samples) < goal:
            now = time.perf_counter()
            deadline = min(now + PROGRESS_SECONDS, started + method.max_seconds)
            samples += execution.samples(goal - len(samples), deadline)
            now = time.perf_counter()
            if time_is_up(len(samples), method, now - started):
                break
            if now - spoke >= PROGRESS_SECONDS:
                spoke = now
                interval = median_interval(samples, method.confidence_percent)
                progress(len(samples), float(median(samples)), interval.half_width_percent if interval else None)
        reason = stop_reason(samples, method, time.perf_counter() - started)
    return samples, reason
