"""A plan on record before anything is measured: what is asked for, where figures come from, which trials are missing."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import tunetui
from tunetui.core.decoding import grid_to_dict
from tunetui.core.events import PlannedKernel, ProvenanceRecorded, RunPlanned, TrialsQueued, TrialsStaled
from tunetui.session.opening import source_hashes
from tunetui_agent.messages import reference_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.core.planning import Plan
    from tunetui.session.opening import Opened
    from tunetui.session.places import Group
    from tunetui.session.recording import Recording
    from tunetui.session.resuming import Standing
    from tunetui_agent.messages import Trial, TrialRef

_QUEUED_AT_ONCE = 1000
"""Trials in one record: whoever reads it back has all of them in memory at once, ten times as large as in a row."""


def planned(opened: Opened, groups: Sequence[Group], plan: Plan, run: str) -> RunPlanned:
    """What this start asks for; ``plan`` is that of all groups, ``run`` the name of the run's folder."""
    grid, kernel, options = opened.grid, opened.kernel, opened.options
    return RunPlanned(
        run=run,
        name=grid.name,
        tunetui_version=tunetui.__version__,
        command=options.command,
        started=time.time(),
        seed=grid.method.seed,
        grid=grid_to_dict(grid),
        kernel=PlannedKernel(name=kernel.name, source_hashes=source_hashes(kernel), metrics=dict(kernel.metrics)),
        problems=list(plan.problems),
        axes=plan.axes,
        trials=len(plan.trials),
        excluded=plan.excluded,
        method=asdict(grid.method),
        device_kind=groups[0].places[0].device.kind,
        models={group.model: group.suffix for group in groups},
        stem=str(options.stem),
    )


def record_plan(recording: Recording, asked: RunPlanned, plan: Plan, standing: Standing) -> None:
    """Write it all down.  Raises StoreError."""
    if standing.stale:
        recording.say(TrialsStaled(reasons=standing.stale))
    recording.say(asked)
    for identity, fields in plan.provenances.items():
        if recording.snapshot.provenances.get(identity) != fields:
            recording.say(ProvenanceRecorded(id=identity, fields=fields))
    recording.say(TrialsQueued(trials=_references(standing.missing[:_QUEUED_AT_ONCE]), kept=standing.kept))
    for start in range(_QUEUED_AT_ONCE, len(standing.missing), _QUEUED_AT_ONCE):
        recording.say(TrialsQueued(trials=_references(standing.missing[start : start + _QUEUED_AT_ONCE])))


def _references(trials: Sequence[Trial]) -> list[TrialRef]:
    return [reference_to(trial) for trial in trials]
