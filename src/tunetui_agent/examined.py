"""What is found out about a trial beside its time: the event, and what may be examined."""

from __future__ import annotations

from dataclasses import field

from tunetui_agent.kernel_spec import Value
from tunetui_agent.message import message
from tunetui_agent.reliability import RELIABILITY

ENERGY, COUNTERS = "energy", "counters"
EXAMINATIONS = (ENERGY, COUNTERS, RELIABILITY)
"""In the order in which they are made."""


@message(frozen=True, kw_only=True)
class TrialExamined:
    """More figures of a trial that was measured before; its time stays what it is."""

    trial: str  # id
    what: str  # one of EXAMINATIONS
    resources: dict[str, Value] = field(default_factory=dict)
    telemetry: dict[str, Value] = field(default_factory=dict)
    seconds: float = 0.0  # that it took
