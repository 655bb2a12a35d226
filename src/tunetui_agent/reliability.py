"""What is asked of a run under load, and the records of one: stretches with their times in fine bins, and how it ended."""

from __future__ import annotations

import math
from dataclasses import field

from tunetui_agent.kernel_spec import Value
from tunetui_agent.message import message

RELIABILITY = "reliability"
"""The examination, and the stage of its trial."""
BIN_WIDTH = 0.002
"""Each bin of times is wider than the one before by this share: a figure read from bins is right to half of it."""
_LOG_WIDTH = math.log1p(BIN_WIDTH)
LAST_BIN = math.floor(63 * math.log(2) / _LOG_WIDTH)
"""Of times that fit 63 bits of nanoseconds: some 290 years."""


@message(frozen=True, kw_only=True)
class Reliability:
    """``[reliability]``: how long the winner of every problem runs at the end, and how often its result is verified."""

    seconds: float = 0.0  # 0: not at all
    verify_every: int = 0  # executions, at least 2; 0: as often as takes a tenth of the time


@message(frozen=True, kw_only=True)
class ReliabilitySampled:
    """One stretch of a run under load.  ``bins`` and ``counts`` are its timed executions by `bin_of` their time."""

    trial: str
    asked_seconds: float
    seconds: float  # since the run under load began, at the end of this stretch
    executions: int  # in this stretch, timed or not
    executing_seconds: float  # of this stretch: executions, cache eviction included
    bins: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    worst_ns: int = 0
    verified: int = 0  # results looked at in this stretch, right or wrong
    wrong: int = 0
    errors: int = 0  # executions that failed otherwise
    causes: list[str] = field(default_factory=list)  # of wrong results and errors that were not said before
    telemetry: dict[str, Value] = field(default_factory=dict)  # the device's clock, temperature and so on


@message(frozen=True, kw_only=True)
class ReliabilityEnded:
    """A run under load is over.  One without this record was cut short with its agent."""

    trial: str
    reason: str  # "done" | "stopped": somebody asked | "failed": it could not go on
    cause: str = ""
    errors: int = 0  # that no stretch contains: the execution that crashed or hung


def bin_of(nanoseconds: float) -> int:
    """The bin that a time falls into."""
    return math.floor(math.log(max(1.0, nanoseconds)) / _LOG_WIDTH)


def bin_ends_ns(number: int) -> tuple[float, float]:
    """Where a bin begins and ends."""
    return math.exp(number * _LOG_WIDTH), math.exp((number + 1) * _LOG_WIDTH)
