"""The part of the fold that somebody steering a run brings about: paused, skipped, queued again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tunetui.core.draft import Draft
from tunetui.core.events import Record
from tunetui.core.snapshot import MEASURED, QUEUED, RUNNING, SKIPPED, STALE
from tunetui_agent.messages import (
    MeasuringPaused,
    MeasuringResumed,
    TrialsRequeued,
    TrialsSkipped,
    TrialsWithdrawn,
)


def _measuring_paused(draft: Draft, record: Record, _event: MeasuringPaused) -> None:
    draft.changes["paused"] = (*(p for p in draft.value("paused") if p != record.source), record.source)
    draft.say(record, "paused")


def _measuring_resumed(draft: Draft, record: Record, _event: MeasuringResumed) -> None:
    draft.changes["paused"] = tuple(p for p in draft.value("paused") if p != record.source)
    draft.say(record, "goes on")


def _trials_skipped(draft: Draft, record: Record, event: TrialsSkipped) -> None:
    progress = draft.running.get(record.source)
    if progress is not None and progress.trial in event.trials:
        del draft.running[record.source]
    for trial in event.trials:
        old = draft.rows.get(trial)
        if old is not None and old.status in {QUEUED, RUNNING, STALE}:
            where = old.device or draft.device_of(record.source)  # a skipped row stands on a board, too
            cause = "skipped, because somebody asked for that"
            draft.put(old.but(status=SKIPPED, cause=cause, device=where))
    draft.say(record, f"{len(event.trials)} skipped", event.trials[0] if len(event.trials) == 1 else "")


def _trials_requeued(draft: Draft, record: Record, event: TrialsRequeued) -> None:
    for trial in event.trials:
        old = draft.rows.get(trial)
        if old is not None and old.status not in {QUEUED, RUNNING, MEASURED, STALE}:  # a figure stays in view
            draft.put(old.but(status=QUEUED, cause="", detail=""))
    draft.say(record, f"{len(event.trials)} queued again", event.trials[0] if len(event.trials) == 1 else "")


def _trials_withdrawn(draft: Draft, record: Record, event: TrialsWithdrawn) -> None:
    if event.trials:
        draft.say(record, f"{len(event.trials)} trials given back, for another device")


STEERED: dict[type[Any], Callable[[Draft, Record, Any], None]] = {
    MeasuringPaused: _measuring_paused,
    MeasuringResumed: _measuring_resumed,
    TrialsSkipped: _trials_skipped,
    TrialsRequeued: _trials_requeued,
    TrialsWithdrawn: _trials_withdrawn,
}
"""What each of these records does to a run."""
