"""Where the median of another run will lie: the repeat interval of a row, of a run that goes on or of a file, and its words."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from tunetui.core import figures
from tunetui.core.leaderboard import Board, Entry
from tunetui.core.snapshot import MEASURED, Row, Run
from tunetui.core.visiting import Known, interval, known, pools, why_unknown

REPEAT_METHOD = (
    "interval of the median of another run on the same device: the median's own interval, which contains the variation "
    "between visits, made sqrt 2 times as wide to each side; only where that variation is known"
)
NEVER_REVISITED = "n/a: no second visit tells how far two visits lie apart"
NO_INTERVAL = "n/a: the row has no interval"

NOTHING_KNOWN = (0.0, NEVER_REVISITED)
"""As `between_visits` has it, of an implementation that was visited once."""

Ends = tuple[float, float]


def repeat_interval(median: float, low: float, high: float) -> Ends:
    """Both ends of the interval that the median of another run keeps to, in the unit of ``median``; never below 0.

    ``low`` and ``high`` are the ends of the median's interval, with the variation between visits in it; the answer has their
    confidence.  Both runs' medians scatter alike and independently, so that the variance of their difference is twice that of
    one, and the interval sqrt 2 times as wide to each side: a prediction interval (G. J. Hahn and W. Q. Meeker, Statistical
    Intervals (1991), on those for the mean of a future sample, here one of the same size).  It promises nothing about other
    devices, or about what differs from day to day.
    """
    wider = sqrt(2.0)
    return max(0.0, median - wider * (median - low)), median + wider * (high - median)


@dataclass(frozen=True)
class Outlook:
    """A median's interval, and where another run's median will lie; in the unit of whatever it was made of."""

    low: float | None
    high: float | None
    repeat: Ends | None = None
    reason: str = ""
    """Why there is no repeat interval: "n/a: ..."."""

    @property
    def interval(self) -> Ends | None:
        """The median's own interval, where it has both ends."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def in_units_of(self, unit: float) -> Outlook:
        """The same in a unit that is so many of its own."""
        low, high = (None if end is None else end / unit for end in (self.low, self.high))
        repeat = None if self.repeat is None else (self.repeat[0] / unit, self.repeat[1] / unit)
        return Outlook(low, high, repeat, self.reason)


def outlook_of(median: float, low: float | None, high: float | None, unknown: str) -> Outlook:
    """That of a median with its interval; ``unknown`` says why the interval lacks the variation between visits, if it does."""
    if low is None or high is None:
        return Outlook(low, high, reason=NO_INTERVAL)
    if unknown:
        return Outlook(low, high, reason=unknown)
    return Outlook(low, high, repeat_interval(median, low, high))


def outlook_of_entry(board: Board, entry: Entry) -> Outlook:
    """That of a row of a saved leaderboard, in milliseconds; also where its file is older than repeat intervals."""
    found = entry.latency_ms
    if found is None:
        return Outlook(None, None, reason=NO_INTERVAL)
    if found.repeat_low is not None and found.repeat_high is not None:
        return Outlook(found.ci_low, found.ci_high, (found.repeat_low, found.repeat_high))
    part = next((part for part in board.visits if part.implementation == entry.implementation), None)
    unknown = NEVER_REVISITED
    if part is not None:
        unknown = "" if part.half_width_percent is not None else part.reason or NEVER_REVISITED
    return outlook_of(found.median, found.ci_low, found.ci_high, unknown)


def between_visits(known: Known, confidence: float) -> tuple[float, str]:
    """The share of a median that intervals contain for other visits, and why it is unknown where it is."""
    return known.share(confidence), why_unknown(known)


def outlook_of_measured(row: Row, share: float, unknown: str, confidence: float) -> Outlook:
    """That of a measured row of a run, in nanoseconds, from what `between_visits` says of its implementation."""
    return outlook_of(row.median_ns or 0.0, *interval(row, share, confidence), unknown)


def outlook_of_row(run: Run, row: Row) -> Outlook:
    """That of a row of a run as it stands, in nanoseconds, as a leaderboard made now would have it.

    What a visit shows is known from visited rows alone, so no others are looked at.
    """
    if row.median_ns is None or row.status != MEASURED:
        return Outlook(row.ci_low_ns, row.ci_high_ns, reason=f"n/a: {row.status}")
    rows = (run.rows[trial] for trial in run.visits if trial in run.rows)
    visited = [(run.board_of(each.device), each) for each in rows if each.plan == run.plan_number]
    pooled = pools(run, ((where, [each]) for where, each in visited))
    place = (run.board_of(row.device), row.problem_key)
    own = [each for where, each in visited if (where, each.problem_key) == place and each.status == MEASURED]
    found = known(run, place[0], [*own, row] if row not in own else own, pooled).get(row.implementation)
    between = NOTHING_KNOWN if found is None else between_visits(found, run.confidence)
    return outlook_of_measured(row, *between, run.confidence)


def in_words(repeat: Ends, half_width: float | None, confidence: str) -> str:
    """``another run 95 %: between 1.66 and 1.90 ms``, to the digits that the half-width of the median's interval leaves."""
    low, high = (figures.with_uncertainty(end, half_width) for end in repeat)
    return f"another run {confidence} %: between {low} and {high} ms"
