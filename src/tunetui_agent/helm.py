"""Carries out what somebody asks of a run under way: what waits, what is on the device, whether anything is begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunetui_agent.messages import (
    MeasuringPaused,
    MeasuringResumed,
    PauseRun,
    PinTrials,
    RaceFinalistsNow,
    RemeasureTrial,
    RequeueTrials,
    ResumeRun,
    SkipTrials,
    TrialsRequeued,
    TrialsSkipped,
    TrialsWithdrawn,
    WithdrawTrials,
)

if TYPE_CHECKING:
    from tunetui_agent.backlog import Backlog
    from tunetui_agent.stages import Stages
    from tunetui_agent.worker_seat import WorkerSeat


@dataclass
class Helm:
    """Everything that steering touches; ``say`` writes a record."""

    backlog: Backlog
    stages: Stages
    worker: WorkerSeat
    say: Callable[[Any], None]
    paused: bool = False

    def carry_out(self, command: Any) -> bool:
        """Do what a steering command says; False where it is none."""
        steps: dict[type[Any], Callable[[Any], None]] = {
            PauseRun: lambda _: self._pause(),
            ResumeRun: lambda _: self._resume(),
            SkipTrials: self._skip,
            RequeueTrials: self._requeue,
            PinTrials: lambda pin: self.backlog.pin(pin.trials),
            RemeasureTrial: self._remeasure,
            RaceFinalistsNow: lambda _: self.stages.race_now(),
            WithdrawTrials: self._withdraw,
        }
        step = steps.get(type(command))
        if step:
            step(command)
        return step is not None

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.say(MeasuringPaused())

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            self.say(MeasuringResumed())

    def _skip(self, command: SkipTrials) -> None:
        skipped = [*self.worker.abandon(command.trials), *self.backlog.skip(command.trials)]
        if skipped:
            self.say(TrialsSkipped(trials=skipped))

    def _requeue(self, command: RequeueTrials) -> None:
        queued = self.backlog.requeue(command.trials)
        if queued:
            self.say(TrialsRequeued(trials=queued))

    def _remeasure(self, command: RemeasureTrial) -> None:
        self.backlog.remeasure(command.trial, command.precision_percent)
        self.say(TrialsRequeued(trials=[command.trial.id]))

    def _withdraw(self, command: WithdrawTrials) -> None:
        # Said even where there are none: whoever asked waits for the answer.
        self.say(TrialsWithdrawn(command=command.command, trials=self.backlog.withdraw(command.trials)))
