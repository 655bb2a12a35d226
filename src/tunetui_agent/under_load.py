"""Runs one kernel without a break, in the worker, and tells stretch by stretch how it goes; docs/deciding.md says how.

In turns of a tenth of a second its executions follow each other without a gap, and each is timed as in the sweep.
Between turns a result is verified on fresh inputs, into poisoned outputs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunetui_agent.faults import TrialFault
from tunetui_agent.measure import warm_up
from tunetui_agent.reliability import ReliabilityEnded, ReliabilitySampled, bin_of

if TYPE_CHECKING:
    from tunetui_agent.devices import OpenDevice
    from tunetui_agent.evaluate import Evaluator, Prepared
    from tunetui_agent.messages import RunSpec, Trial

TURN_SECONDS = 0.1
LEAST_STRETCH_SECONDS, MOST_STRETCHES = 1.0, 300
"""A stretch lasts so long, and longer where there would be more of them: each is a record of the journal."""
VERIFYING_SHARE = 0.1
"""Of the time, where nobody says how often results are verified."""
ENOUGH_WRONG, ENOUGH_ERRORS = 10, 100
"""A kernel with so many of them needs no more proof."""
FAILURES_IN_A_ROW = 10
_MOST_AT_ONCE = 2000
_BATCH_SECONDS = 0.02
_CAUSES_SAID = 5


@dataclass
class _Stretch:
    """What happened since the last record."""

    began: float
    executions: int = 0
    executing_seconds: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)
    worst_ns: int = 0
    verified: int = 0
    wrong: int = 0
    errors: int = 0
    causes: list[str] = field(default_factory=list)


class UnderLoad:
    """One run under load; `run` it once."""

    def __init__(
        self,
        spec: RunSpec,
        device: OpenDevice,
        evaluator: Evaluator,
        say: Callable[[ReliabilitySampled | ReliabilityEnded | None], None],
        asked_to_end: Callable[[], bool],
    ) -> None:
        """``say`` is told of every stretch and of the end, and None as a sign of life."""
        self._method, self._asked = spec.method, spec.reliability
        self._device, self._evaluator, self._say, self._asked_to_end = device, evaluator, say, asked_to_end
        self._begun = 0.0
        self._stretch = _Stretch(0.0)
        self._batch, self._most = 1, _MOST_AT_ONCE  # executions back to back; at most so many at once
        self._since = 0  # executions since the last verification
        self._verified_at, self._verifying_seconds = 0.0, 0.0
        self._wrong = self._errors = self._in_a_row = 0
        self._said: list[str] = []

    def run(self, trial: Trial, artifact: str | None) -> None:
        """Until the time is up, somebody asks for the end, or it makes no sense to go on."""
        try:
            prepared = self._evaluator.prepare(trial, artifact)
            warm_up(prepared.execution, self._method, self._method.warmup_seconds)
        except TrialFault as fault:
            self._evaluator.failed(trial, fault, "", 0.0, artifact)  # for what it tidies up
            self._begin(time.perf_counter())
            self._failed(fault)
            self._tell(trial, {})
            self._say(ReliabilityEnded(trial=trial.id, reason="failed", cause=f"{fault.status}: {fault.cause}"))
            return
        self._begin(time.perf_counter())
        reason, cause = "", ""
        while not reason:
            reason, cause, prepared = self._run_stretch(prepared)
        self._say(ReliabilityEnded(trial=trial.id, reason=reason, cause=cause))

    def _begin(self, now: float) -> None:
        self._begun = self._verified_at = now
        self._stretch = _Stretch(now)

    def _run_stretch(self, prepared: Prepared) -> tuple[str, str, Prepared]:
        """One stretch, told at its end; why the whole is over (empty: it is not), and the kernel, bound anew perhaps."""
        seconds = max(LEAST_STRETCH_SECONDS, self._asked.seconds / MOST_STRETCHES)
        end = min(self._stretch.began + seconds, self._begun + self._asked.seconds)
        watch, spoke = self._device.watch(), time.perf_counter()
        reason = cause = ""
        while not reason and time.perf_counter() < end:
            prepared = self._take_turn(prepared)
            reason, cause = self._why_over()
            if time.perf_counter() - spoke >= LEAST_STRETCH_SECONDS:
                spoke = time.perf_counter()
                self._say(None)
        if not reason and time.perf_counter() >= self._begun + self._asked.seconds:
            reason = "done"
        if reason in ("done", "stopped") and self._since:  # also the last results are looked at
            prepared = self._verify(prepared)
            if self._why_over()[0] == "failed":
                reason, cause = self._why_over()
        self._tell(prepared.trial, watch.finish([])[0])
        return reason, cause, prepared

    def _why_over(self) -> tuple[str, str]:
        if not getattr(self._device, "usable", True):
            return "failed", "the device was lost to this process"
        if self._in_a_row >= FAILURES_IN_A_ROW:
            return "failed", f"{self._in_a_row} failures in a row"
        if self._wrong >= ENOUGH_WRONG:
            return "failed", f"{self._wrong} wrong results"
        if self._errors >= ENOUGH_ERRORS:
            return "failed", f"{self._errors} errors"
        return ("stopped", "somebody asked for the end") if self._asked_to_end() else ("", "")

    # ------------------------------------------------------------------ one turn

    def _take_turn(self, prepared: Prepared) -> Prepared:
        try:
            self._time_each(prepared)
            self._repeat(prepared)
        except TrialFault as fault:  # it takes the others of its batch with it: the next ones are smaller
            self._most = max(1, self._most // 4)
            self._stretch.executions += 1
            self._failed(fault)
            return self._bound_again(prepared)
        return self._verify(prepared) if self._is_due() else prepared

    def _time_each(self, prepared: Prepared) -> None:
        begun = time.perf_counter()
        taken = prepared.execution.samples(self._room(), begun + TURN_SECONDS)
        self._executed(len(taken), time.perf_counter() - begun)
        self._stretch.bins.update(map(bin_of, taken))
        self._stretch.worst_ns = max([self._stretch.worst_ns, *taken])

    def _repeat(self, prepared: Prepared) -> None:
        begun = now = time.perf_counter()
        while now - begun < TURN_SECONDS and (room := self._room()) > 0:
            count = min(self._batch, room)
            prepared.execution.repeat(count)
            ended = time.perf_counter()
            self._executed(count, ended - now)
            self._batch = max(1, min(_MOST_AT_ONCE, round(count * _BATCH_SECONDS / max(ended - now, 1e-7))))
            now = ended

    def _executed(self, count: int, seconds: float) -> None:
        self._since += count
        self._stretch.executions += count
        self._stretch.executing_seconds += seconds
        self._in_a_row, self._most = 0, min(_MOST_AT_ONCE, 2 * self._most)

    # ------------------------------------------------------------------ verification

    def _room(self) -> int:
        """Executions before the next result that is verified."""
        every = self._asked.verify_every
        return self._most if not every else min(self._most, max(0, every - 1 - self._since))

    def _is_due(self) -> bool:
        if self._asked.verify_every:
            return self._since >= self._asked.verify_every - 1
        rest_seconds = self._verifying_seconds * (1 - VERIFYING_SHARE) / VERIFYING_SHARE
        return time.perf_counter() - self._verified_at >= rest_seconds

    def _verify(self, prepared: Prepared) -> Prepared:
        begun = time.perf_counter()
        self._stretch.executions += 1
        self._stretch.verified += 1
        self._since = 0
        try:
            self._evaluator.verify_again(prepared)
        except TrialFault as fault:
            self._failed(fault)
            prepared = self._bound_again(prepared)
        else:
            self._in_a_row = 0
        self._verified_at = time.perf_counter()
        self._verifying_seconds = self._verified_at - begun
        return prepared

    def _bound_again(self, prepared: Prepared) -> Prepared:
        try:
            return self._evaluator.bound_again(prepared)
        except TrialFault as fault:
            self._failed(fault)
            self._in_a_row = FAILURES_IN_A_ROW  # without inputs nothing more can be run
            return prepared

    def _failed(self, fault: TrialFault) -> None:
        self._in_a_row += 1
        if fault.status == "wrong":
            self._wrong += 1
            self._stretch.wrong += 1
        else:
            self._errors += 1
            self._stretch.errors += 1
        cause = f"{fault.status}: {fault.cause}"
        if cause not in self._said and len(self._said) < _CAUSES_SAID:
            self._said.append(cause)
            self._stretch.causes.append(cause)

    # ------------------------------------------------------------------ records

    def _tell(self, trial: Trial, telemetry: dict[str, int | float | str | bool]) -> None:
        now, found = time.perf_counter(), self._stretch
        numbers = sorted(found.bins)
        self._say(
            ReliabilitySampled(
                trial=trial.id,
                asked_seconds=self._asked.seconds,
                seconds=round(now - self._begun, 3),
                executions=found.executions,
                executing_seconds=round(found.executing_seconds, 4),
                bins=numbers,
                counts=[found.bins[number] for number in numbers],
                worst_ns=found.worst_ns,
                verified=found.verified,
                wrong=found.wrong,
                errors=found.errors,
                causes=found.causes,
                telemetry=telemetry,
            )
        )
        self._stretch = _Stretch(now)
