"""Rows that ``--profile`` asks for and whose hardware counters nobody has read yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.snapshot import MEASURED
from tunetui.session.resuming import contender_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tunetui.core.snapshot import Row, Run
    from tunetui_agent.messages import Contender, Trial

_FIGURE, _REASON = "ncu_kernels", "ncu_reason"


def unprofiled(trials: Iterable[Trial], kept: Collection[str], run: Run, whose: str, *, again: bool) -> list[Contender]:
    """The rows to be profiled, as an agent takes them, not to be raced.

    ``whose`` is "leaders" (the fastest row of every implementation, for each problem), "all", or "" for nobody's.
    Rows whose counters could not be read count as looked at, unless ``again``.
    """
    if not whose:
        return []
    groups: dict[tuple[str, str], list[tuple[float, str, Row, Trial]]] = {}
    for trial in trials:
        row = run.rows.get(trial.id) if trial.id in kept else None
        if row is not None and row.status == MEASURED and row.median_ns is not None:
            of = (row.problem_key, row.implementation)
            groups.setdefault(of, []).append((row.median_ns, row.trial, row, trial))
    asked = []
    for group in groups.values():
        ordered = sorted(group, key=lambda each: each[:2])
        asked += ordered if whose == "all" else ordered[:1]
    return [contender_of(row, trial, raced=True) for _, _, row, trial in asked if not _is_profiled(row, again=again)]


def _is_profiled(row: Row, *, again: bool) -> bool:
    return _FIGURE in row.resources or (_REASON in row.resources and not again)
