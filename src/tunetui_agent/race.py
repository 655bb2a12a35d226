"""Finalists of one problem measured in turns, in the worker: all prepared at once, so that drift falls on all of them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tunetui_agent.devices import CHANGED_INPUT, OpenDevice
from tunetui_agent.evaluate import Evaluator, Prepared
from tunetui_agent.faults import TrialFault
from tunetui_agent.finalists import TURN_SAMPLES, settled_by
from tunetui_agent.measure import PROGRESS_SECONDS, Sampling, warm_up
from tunetui_agent.messages import Method, RaceProgressed, Trial, TrialFailed, TrialMeasured, Value
from tunetui_agent.places import place_figures
from tunetui_agent.stopping import next_check
from tunetui_agent.throttling import LONGEST_PAUSE_SECONDS, first_unthrottled

TURN_SECONDS = 0.1
"""No sample of a turn begins later than this after its first, so that slow kernels have short turns."""
_NO_MEMORY = "out of "  # how faults begin that say so: "out of memory", "out of device memory"


@dataclass
class Lane:
    """One finalist."""

    prepared: Prepared
    warmups: int
    warmup_seconds: float
    samples_ns: list[int] = field(default_factory=list)
    sampling_seconds: float = 0.0


@dataclass
class Result:
    """What a race gave; ``dropped`` is trial id to why its figure from the sweep stands."""

    settled_by: str = "nothing"
    rounds: int = 0
    outcomes: list[TrialMeasured | TrialFailed] = field(default_factory=list)
    dropped: dict[str, str] = field(default_factory=dict)


class Race:
    """One race; `run` it once."""

    def __init__(
        self,
        evaluator: Evaluator,
        device: OpenDevice,
        method: Method,
        progress: Callable[[RaceProgressed], None],
        asked_to_end: Callable[[], bool],
    ) -> None:
        """``progress`` is told after every step while kernels are prepared, then at most four times a second."""
        self._evaluator, self._device, self._method = evaluator, device, method
        self._progress, self._asked_to_end = progress, asked_to_end
        self._lanes: list[Lane] = []
        self._result = Result()
        self._spoke = self._seconds = 0.0

    def run(self, finalists: Sequence[tuple[Trial, str | None]]) -> Result:
        """Measures the finalists, best first, each with its artifact's folder.

        A finalist that fails is left out, and its figure from the sweep stands; but one whose output is wrong has none
        any more.  Where memory does not suffice for all, the worst are left out.
        """
        for trial, artifact in finalists:
            if self._asked_to_end():
                return self._result
            self._admit(trial, artifact)
        if len(self._lanes) < 2:
            return self._result
        order = random.Random(json.dumps([self._method.seed, finalists[0][0].problem], sort_keys=True))
        for lane, sampling in zip(self._lanes, self._sample(order), strict=False):  # none where nothing was settled
            self._conclude(lane, sampling)
        return self._result

    def _sample(self, order: random.Random) -> list[Sampling]:
        """One sampling of each lane; none where the race could not be held."""
        timeout_seconds = self._method.trial_timeout_seconds  # without a word for that long we are taken for dead
        retries = self._method.throttle_retries if timeout_seconds >= 2 * LONGEST_PAUSE_SECONDS else 0
        limit_seconds = self._method.finalists_seconds * (1 + retries) + timeout_seconds
        samplings = first_unthrottled(lambda: self._attempt(order), retries, limit_seconds)
        shared = {id(lane.prepared.inputs): lane.prepared for lane in self._lanes}
        for prepared in shared.values() if samplings else ():
            try:
                prepared.execution.bind(prepared.inputs)
                damage = prepared.execution.damage() or ""
            except TrialFault as fault:
                self._drop_all(f"{fault.status}: {fault.cause}")
                return []
            if damage.startswith(CHANGED_INPUT):  # all read the same ones: nobody can say whose doing it was
                self._drop_all(f"a finalist {damage} during the race")
                return []
        return samplings

    def _admit(self, trial: Trial, artifact: str | None) -> None:
        begun = time.perf_counter()
        try:
            prepared = self._evaluator.prepare(trial, artifact)
            started = time.perf_counter()
            warmups = warm_up(prepared.execution, self._method, self._method.warmup_seconds)
            self._lanes.append(Lane(prepared, warmups, time.perf_counter() - started))
        except TrialFault as fault:
            self._refuse(trial, fault, time.perf_counter() - begun, artifact)
        self._progress(RaceProgressed(samples=0, seconds=0.0))

    def _attempt(self, order: random.Random) -> list[Sampling]:
        """All rounds, until the race is settled or cannot go on."""
        for lane in self._lanes:
            lane.samples_ns, lane.sampling_seconds = [], 0.0
        self._result.settled_by, self._result.rounds = "nothing", 0
        watch, begun = self._device.watch(), time.perf_counter()
        reason, check = None, next_check(0, self._method)
        while reason is None and len(self._lanes) > 1:
            for lane in order.sample(self._lanes, len(self._lanes)):
                self._take_turn(lane, begun)
            self._result.rounds += 1
            if not self._lanes:  # one lost context fails them all
                break
            fewest = min(len(lane.samples_ns) for lane in self._lanes)
            seconds = time.perf_counter() - begun
            if fewest >= check or seconds >= self._method.finalists_seconds:
                check = next_check(fewest, self._method)
                reason = settled_by([lane.samples_ns for lane in self._lanes], seconds, self._method)
            if self._asked_to_end():
                reason = reason or "nothing"
        self._result.settled_by = reason if reason and self._enough() else "nothing"
        if self._result.settled_by == "nothing":
            watch.finish([])
            return []
        try:
            watched = [watch.finish(lane.samples_ns) for lane in self._lanes]
            return [self._sampling(lane, *found) for lane, found in zip(self._lanes, watched, strict=True)]
        except TrialFault as fault:
            self._drop_all(f"{fault.status}: {fault.cause}")
            return []

    def _sampling(self, lane: Lane, telemetry: dict[str, Value], tags: list[str]) -> Sampling:
        execution = lane.prepared.execution
        telemetry = {**telemetry, "call_overhead_ns": round(execution.overhead_ns(), 1)}
        telemetry |= place_figures(lane.samples_ns, execution.placements(), self._method)
        return Sampling(
            samples_ns=lane.samples_ns,
            stopped_by=self._result.settled_by,
            warmups=lane.warmups,
            warmup_seconds=lane.warmup_seconds,
            sampling_seconds=lane.sampling_seconds,
            telemetry=telemetry,
            tags=tags,
        )

    def _take_turn(self, lane: Lane, begun: float) -> None:
        """One execution that is not timed, so that the kernel before leaves no trace, and then a few samples."""
        if lane not in self._lanes:  # left out earlier in this round
            return
        started = time.perf_counter()
        try:
            lane.prepared.execution.run()
            count = max(1, min(TURN_SAMPLES, self._method.max_samples - len(lane.samples_ns)))
            lane.samples_ns += lane.prepared.execution.samples(count, time.perf_counter() + TURN_SECONDS)
        except TrialFault as fault:
            worst = self._lanes[-1] if fault.cause.startswith(_NO_MEMORY) else lane
            self._lanes.remove(worst)
            self._refuse(worst.prepared.trial, fault, time.perf_counter() - started, None)
        now = time.perf_counter()
        lane.sampling_seconds += now - started
        if now - self._spoke >= PROGRESS_SECONDS:
            self._spoke, self._seconds = now, now - begun
            fewest = min((len(each.samples_ns) for each in self._lanes), default=0)
            self._progress(RaceProgressed(samples=fewest, seconds=self._seconds))

    def _enough(self) -> bool:
        """Whether every finalist has what the method calls enough."""
        return len(self._lanes) > 1 and all(len(each.samples_ns) >= self._method.min_samples for each in self._lanes)

    def _conclude(self, lane: Lane, sampling: Sampling) -> None:
        seconds = lane.prepared.seconds + lane.warmup_seconds + lane.sampling_seconds
        try:
            self._result.outcomes.append(self._evaluator.conclude(lane.prepared, sampling, "finalists", seconds))
        except TrialFault as fault:
            self._refuse(lane.prepared.trial, fault, seconds, None)
        self._progress(RaceProgressed(samples=len(sampling.samples_ns), seconds=self._seconds))

    def _drop_all(self, why: str) -> None:
        self._result.settled_by = "nothing"
        self._result.dropped.update(dict.fromkeys([lane.prepared.trial.id for lane in self._lanes], why))

    def _refuse(self, trial: Trial, fault: TrialFault, seconds: float, artifact: str | None) -> None:
        failure = self._evaluator.failed(trial, fault, "finalists", seconds, artifact)
        if failure.status == "wrong":
            self._result.outcomes.append(replace(failure, cause=f"in the race of the finalists: {failure.cause}"))
        else:
            self._result.dropped[trial.id] = f"{fault.status}: {fault.cause}"
