"""The clocks of hosts, which may be wrong by years: every record's time is told by this machine's own."""

from __future__ import annotations

import msgspec

from tunetui.core.events import APP_SOURCE, AgentPlaced, Record
from tunetui_agent.messages import AgentStarted

TOLERATED_SECONDS = 600.0
"""A clock that is off by less is taken as it is: a start that lost its link, which tells us of it, may take that long."""
_UNITS = (("year", 31_557_600.0), ("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0))


class Clocks:
    """What a journal tells of them.  The app writes where it puts an agent right before it starts it: the agent's first
    record was written at about the same time, whatever its clock says.
    """

    def __init__(self) -> None:
        self.ahead: dict[str, float] = {}  # source to seconds that its clock is ahead of ours, if that is too much
        self._placed: dict[str, float] = {}

    def told(self, record: Record) -> Record:
        """The record with its time by our clock; to be called with every record, in the journal's order."""
        event = record.event
        if record.source == APP_SOURCE:
            if isinstance(event, AgentPlaced):
                self._placed[event.agent] = record.t
            return record
        if not self.ahead and not isinstance(event, AgentStarted):
            return record
        if isinstance(event, AgentStarted) and record.source in self._placed:
            ahead = record.t - self._placed[record.source]
            if abs(ahead) > TOLERATED_SECONDS:
                self.ahead[record.source] = ahead
        ahead = self.ahead.get(record.source, 0.0)
        return msgspec.structs.replace(record, t=record.t - ahead) if ahead else record


def in_words(ahead_seconds: float) -> str:
    """How wrong a clock is: "3.0 years behind"."""
    size = abs(ahead_seconds)
    name, unit = next((each for each in _UNITS if size >= 0.95 * each[1]), ("second", 1.0))
    return f"{size / unit:.1f} {name}s {'ahead of' if ahead_seconds > 0 else 'behind'}"
