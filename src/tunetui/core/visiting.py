"""Second visits to rows of a sweep: kept in the fold, and what they add to every interval of a board."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core.draft import Draft
from tunetui.core.snapshot import Row, Run
from tunetui_agent.messages import Spread, Visit, spread_of, widened


def note_visit(draft: Draft, trial: str, visit: Visit) -> None:
    """One more visit to a row; the figures that the row has are its first."""
    visits, row = draft.value("visits"), draft.rows.get(trial)
    known = visits.get(trial, ())
    if not known and row is not None and (first := _visit_of(row)) is not None:
        known = (first,)
    if known:
        visits[trial] = (*known, visit)


def spreads(run: Run, rows: Sequence[Row]) -> dict[str, Spread]:
    """Implementation to what second visits to its rows showed, for the measured rows of one board."""
    visited: dict[str, list[tuple[Visit, ...]]] = {}
    for row in rows:
        if row.trial in run.visits:
            visited.setdefault(row.implementation, []).append(run.visits[row.trial])
    confidence_percent = 100.0 * run.confidence
    found = {name: spread_of(trials, confidence_percent) for name, trials in visited.items()}
    return {name: spread for name, spread in found.items() if spread is not None}


def shares(found: dict[str, Spread], confidence: float) -> dict[str, float]:
    """Implementation to half the width, as a share of a median, that an interval must contain for other visits."""
    return {name: spread.half_width(100.0 * confidence) for name, spread in found.items()}


def interval(row: Row, share: float) -> tuple[float | None, float | None]:
    """Both ends of the row's interval with the variation between visits in it, in nanoseconds; None where it has none."""
    visit = _visit_of(row)
    if visit is None:
        return row.ci_low_ns, row.ci_high_ns
    wide = widened(visit, share)
    return wide.low, wide.high


def visits_in_words(run: Run) -> str:
    """How many second visits the intervals rest on; empty where there were none."""
    visited = [run.visits[row.trial] for row in run.current_rows() if row.trial in run.visits]
    if not visited:
        return ""
    again = sum(len(visits) - 1 for visits in visited)
    return (
        f"{again} second visits to {len(visited)} rows, by another process with buffers of its own; each interval contains "
        "the standard deviation between visits that they showed for its implementation and problem"
    )


def _visit_of(row: Row) -> Visit | None:
    if row.median_ns is None or row.ci_low_ns is None or row.ci_high_ns is None:
        return None
    return Visit(row.median_ns, row.ci_low_ns, row.ci_high_ns)
