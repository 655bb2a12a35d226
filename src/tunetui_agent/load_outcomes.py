"""What becomes of a trial that was run under load: a wrong result costs it its rank, a crash is an error of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunetui_agent.messages import TrialFailed, reference_to
from tunetui_agent.reliability import RELIABILITY, ReliabilityEnded, ReliabilitySampled

if TYPE_CHECKING:
    from tunetui_agent.examined import TrialExamined
    from tunetui_agent.messages import Trial


class LoadOutcomes:
    """Passes records on, and keeps what the present run under load has shown."""

    def __init__(self, say: Callable[[Any], None], withdraw: Callable[[Trial], None]) -> None:
        self._say, self._withdraw = say, withdraw
        self._wrong, self._seconds, self._is_ended = 0, 0.0, False
        self._cause = ""

    def saw(self, event: TrialExamined | ReliabilitySampled | ReliabilityEnded) -> None:
        """A record of the worker's."""
        self._say(event)
        if isinstance(event, ReliabilitySampled):
            self._wrong += event.wrong
            self._seconds = event.seconds
            wrong = (cause.removeprefix("wrong: ") for cause in event.causes if cause.startswith("wrong: "))
            self._cause = self._cause or next(wrong, "")
        elif isinstance(event, ReliabilityEnded):
            self._is_ended = True

    def over(self, trial: Trial, broken: str) -> None:
        """The worker is through with it, or broke."""
        if not self._is_ended:
            self._say(ReliabilityEnded(trial=trial.id, reason="failed", cause=broken, errors=1))
        if self._wrong:
            times = "a wrong result" if self._wrong == 1 else f"{self._wrong} wrong results"
            cause = f"under load, within {self._seconds:.0f} s: {times}: {self._cause}"
            ref = reference_to(trial)
            self._say(TrialFailed(trial=ref, status="wrong", cause=cause, seconds=self._seconds, stage=RELIABILITY))
            self._withdraw(trial)
        self._wrong, self._seconds, self._is_ended, self._cause = 0, 0.0, False, ""
