"""The part of the fold that runs under load bring about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tunetui.core.draft import Draft
from tunetui.core.events import Record
from tunetui.core.loads import ended, with_stretch
from tunetui_agent.messages import reliability as agent


def _sampled(draft: Draft, record: Record, event: agent.ReliabilitySampled) -> None:
    loads = draft.value("loads")
    loads[event.trial] = with_stretch(loads.get(event.trial), record.source, event)


def _ended(draft: Draft, record: Record, event: agent.ReliabilityEnded) -> None:
    draft.running.pop(record.source, None)
    loads = draft.value("loads")
    loads[event.trial] = ended(loads.get(event.trial), record.source, event)
    why = f": {event.cause}" if event.cause else ""
    draft.say(record, f"run under load {event.reason}{why}", event.trial)


LOADED: dict[type[Any], Callable[[Draft, Record, Any], None]] = {
    agent.ReliabilitySampled: _sampled,
    agent.ReliabilityEnded: _ended,
}
"""What each of these records does to a run."""
