"""Second visits to rows of a sweep: kept in the fold, and what they add to every interval of a board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import NormalDist

from msgspec.structs import replace

from tunetui.core.draft import Draft
from tunetui.core.leaderboard import VisitsPart
from tunetui.core.snapshot import MEASURED, Row, Run
from tunetui_agent.messages import LEAST_FREEDOM, PLACE_SD, Spread, Visit, best_known, spread_of, widened

PROBLEM, IMPLEMENTATION = "problem", "implementation"
"""What an estimate is made of: rows of one problem, or of all of them."""


def note_visit(draft: Draft, trial: str, visit: Visit) -> None:
    """One more visit to a row; the figures that the row has are its first."""
    visits, row = draft.value("visits"), draft.rows.get(trial)
    known = visits.get(trial, ())
    if not known and row is not None and (first := _visit_of(row)) is not None:
        known = (first,)
    if known:
        visits[trial] = (*known, visit)


Pools = dict[tuple[str, str, bool], list[tuple[Visit, ...]]]
"""(device of a board, implementation, whether it is a baseline) to the visits of each visited row, over all problems."""


@dataclass(frozen=True)
class Known:
    """What second visits say of one implementation's rows on one board."""

    spread: Spread
    revisits: int
    """Second visits to these very rows, or with the other scope to those of all problems."""
    scope: str

    def share(self, confidence: float) -> float:
        """Half the width, as a share of a median, that an interval must contain for other visits; 0 where unknown."""
        return self.spread.half_width(100.0 * confidence) if self.spread.is_enough else 0.0


def pools(run: Run, boards: Iterable[tuple[str, Sequence[Row]]]) -> Pools:
    """Visits of boards given by their device and rows."""
    found: Pools = {}
    for device, rows in boards:
        for row in rows:
            if row.trial in run.visits and row.status == MEASURED:
                found.setdefault((device, row.implementation, _is_baseline(row)), []).append(run.visits[row.trial])
    return found


def known(run: Run, device: str, rows: Sequence[Row], pooled: Pools) -> dict[str, Known]:
    """Implementation to what is known of its measured rows on one board; those without any second visit are left out."""
    confidence_percent = 100.0 * run.confidence
    found = {}
    for name, is_baseline in {row.implementation: _is_baseline(row) for row in rows}.items():
        visits = [run.visits[row.trial] for row in rows if row.implementation == name and row.trial in run.visits]
        own = spread_of(visits, confidence_percent)
        same = spread_of(pooled.get((device, name, is_baseline), []), confidence_percent)
        if own is not None and own.is_enough:
            others = same if is_baseline else _of_kernels(pooled, device, confidence_percent)
            found[name] = Known(best_known(own, others) or own, round(own.degrees_of_freedom), PROBLEM)
        elif same is not None:
            found[name] = Known(same, round(same.degrees_of_freedom), IMPLEMENTATION)
    return found


def _of_kernels(pooled: Pools, device: str, confidence_percent: float) -> Spread | None:
    """What all but baselines show; a library's calls differ too much from these and tell of themselves alone."""
    visits = [pool for (where, _, is_baseline), pool in pooled.items() if where == device and not is_baseline]
    return spread_of(chain.from_iterable(visits), confidence_percent)


def _is_baseline(row: Row) -> bool:
    return "baseline" in row.tags


def visits_part(implementation: str, known: Known, confidence: float) -> VisitsPart:
    """The same as it stands in the file."""
    spread = known.spread
    part = VisitsPart(implementation=implementation, rows=spread.trials, revisits=known.revisits, scope=known.scope)
    if reason := why_unknown(known):
        return replace(part, reason=reason)
    half_width_percent = round(100.0 * known.share(confidence), 4)
    return replace(part, sd_percent=round(100.0 * spread.relative_sd, 4), half_width_percent=half_width_percent)


def why_unknown(known: Known) -> str:
    """Why intervals lack the variation between visits; empty where they contain it."""
    if known.spread.is_enough:
        return ""
    return f"n/a: only {_counted(known.revisits, 'second visit')}, and an estimate needs {LEAST_FREEDOM}"


def interval(row: Row, share: float, confidence: float) -> tuple[float | None, float | None]:
    """Both ends of the row's interval with the variation between visits in it, in nanoseconds; None where it has none.

    ``share`` is what an implementation's rows show on average.  Where the places of this row's inputs show more, that counts.
    """
    visit = _visit_of(row)
    if visit is None:
        return row.ci_low_ns, row.ci_high_ns
    own = row.telemetry.get(PLACE_SD)
    if isinstance(own, int | float):
        share = max(share, NormalDist().inv_cdf(0.5 + confidence / 2.0) * own / 100.0)
    wide = widened(visit, share)
    return wide.low, wide.high


def visits_in_words(visited: Pools) -> str:
    """How many second visits the intervals rest on; empty where there were none."""
    counts = {key: sum(len(visits) - 1 for visits in rows) for key, rows in visited.items()}
    if not counts:
        return ""
    rows = sum(map(len, visited.values()))
    text = f"{_counted(sum(counts.values()), 'second visit')} to {_counted(rows, 'row')}, by other processes with buffers of their own"
    if max(counts.values()) >= LEAST_FREEDOM:
        text += "; each interval contains what they showed of the variation between visits, moderated by all kernels"
    few = sorted({name for (_, name, _), count in counts.items() if count < LEAST_FREEDOM})
    if few:
        text += (
            f"; of {', '.join(few)} there are fewer than {LEAST_FREEDOM}: how far two visits are apart is unknown there, and "
            "intervals are of one visit's samples alone"
        )
    return text


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _visit_of(row: Row) -> Visit | None:
    if row.median_ns is None or row.ci_low_ns is None or row.ci_high_ns is None:
        return None
    return Visit(row.median_ns, row.ci_low_ns, row.ci_high_ns)
