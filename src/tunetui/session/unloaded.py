"""Winners that ``[reliability]`` asks for and that were not run under load yet, or not to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.loads import FAILED
from tunetui.core.snapshot import MEASURED
from tunetui.session.resuming import contender_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tunetui.core.snapshot import Row, Run
    from tunetui_agent.messages import Contender, Trial


def unloaded(
    trials: Iterable[Trial], kept: Collection[str], run: Run, seconds: float, *, again: bool = False
) -> list[Contender]:
    """The fastest row of each problem, as an agent takes it, not to be raced, where it is to be run for ``seconds``.

    One that failed under load counts as run, unless ``again``; one that was cut short does not.
    """
    if not seconds:
        return []
    best: dict[str, tuple[float, str, Row, Trial]] = {}
    for trial in trials:
        row = run.rows.get(trial.id) if trial.id in kept else None
        if row is not None and row.status == MEASURED and row.median_ns is not None:
            found = (row.median_ns, row.trial, row, trial)
            if row.problem_key not in best or found[:2] < best[row.problem_key][:2]:
                best[row.problem_key] = found
    asked = [each for each in best.values() if not was_loaded(run, each[1], seconds, again=again)]
    return [contender_of(row, trial, raced=True) for _, _, row, trial in asked]


def was_loaded(run: Run, trial: str, seconds: float, *, again: bool = False) -> bool:
    """Whether a trial was run under load for so long, or failed meanwhile."""
    load = run.loads.get(trial)
    if load is None:
        return False
    return (load.is_complete and load.asked_seconds >= seconds) or (load.reason == FAILED and not again)
