"""The part of the messages that changes a run under way: paused, reordered, measured again, handed to another device."""

from __future__ import annotations

from tunetui_agent.message import message
from tunetui_agent.trial_spec import Trial

# ---------------------------------------------------------------------------------- commands, app to agent


@message(frozen=True, kw_only=True)
class PauseRun:
    """Finish the present trial, or race, then begin nothing until `ResumeRun`; builds go on."""

    command: str


@message(frozen=True, kw_only=True)
class ResumeRun:
    """Go on after `PauseRun`."""

    command: str


@message(frozen=True, kw_only=True)
class SkipTrials:
    """Do not measure these; one that is on the device now is ended.  `TrialsSkipped` says which that concerned."""

    command: str
    trials: list[str]


@message(frozen=True, kw_only=True)
class RequeueTrials:
    """Measure these (again), after what is queued, whatever was found for them before."""

    command: str
    trials: list[Trial]


@message(frozen=True, kw_only=True)
class PinTrials:
    """Measure these next, in this order; what does not wait is left alone."""

    command: str
    trials: list[str]


@message(frozen=True, kw_only=True)
class RemeasureTrial:
    """Measure a row that has a figure once more, next, until its median is known to ``precision_percent``."""

    command: str
    trial: Trial
    precision_percent: float


@message(frozen=True, kw_only=True)
class RaceFinalistsNow:
    """Race the best so far after the present trial, then go on with the sweep."""

    command: str


@message(frozen=True, kw_only=True)
class WithdrawTrials:
    """Give back those of these that still wait, for another device; `TrialsWithdrawn` says which they were."""

    command: str
    trials: list[str]


# ---------------------------------------------------------------------------------- events, agent to app


@message(frozen=True, kw_only=True)
class MeasuringPaused:
    """Nothing is begun from here on."""


@message(frozen=True, kw_only=True)
class MeasuringResumed:
    """Trials are begun again."""


@message(frozen=True, kw_only=True)
class TrialsSkipped:
    """These will not be measured, because somebody asked for that."""

    trials: list[str]


@message(frozen=True, kw_only=True)
class TrialsRequeued:
    """These are queued (again) because somebody asked for that; figures that they have stand until there are new ones."""

    trials: list[str]


@message(frozen=True, kw_only=True)
class TrialsWithdrawn:
    """The answer to `WithdrawTrials`: this agent will not measure these, unless they are sent again."""

    command: str
    trials: list[str]
