"""Two leaderboards of one kernel, row by row: the same, faster, slower, or undecided; and what changed between them.

The second is judged against the first.  `docs/deciding.md` states every rule and formula.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from tunetui.core.changes import Change, changes_between
from tunetui.core.differences import (
    FAMILY_ERROR,
    FASTER,
    METHOD,
    SAME,
    SLOWER,
    UNDECIDED,
    Difference,
    Side,
    decide,
    holm,
    measure,
    smallest_found_percent,
)
from tunetui.core.errors import InputError
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.noise import FEWEST_ROWS, Noise, Pair, beside_others, noise_of
from tunetui.core.pairing import how_problems_differ, model, pairs, refuse_strangers
from tunetui.core.snapshot import MEASURED, SKIPPED, STALE
from tunetui_agent.messages import Value

__all__ = ["FASTER", "SAME", "SLOWER", "UNDECIDED", "Comparison", "compare", "row_key"]

ONE_RUN_EACH = (
    "one run each: what a process holds by chance is the same for a whole run and other in the next; how much that moves rows is "
    "known of an implementation's on average, not of each, so that a row that depends on it more than its fellows may be called "
    "faster or slower: see whether it is in a second run"
)
"""What is said beside every `FASTER` and `SLOWER`."""

_NEVER_RAN = frozenset({STALE, SKIPPED})
_HOPELESS_PERCENT = 300


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """Everything here is plain data, written as JSON just as it is."""


class ComparedRow(_Part, frozen=True, kw_only=True):
    """One configuration that both have, measured in at least one of them."""

    implementation: str
    configuration: dict[str, Value]
    verdict: str
    """`SAME`, `FASTER`, `SLOWER` or `UNDECIDED`: the second against the first."""
    reason: str = ""
    first_status: str
    second_status: str
    difference: Difference | None = None
    """Absent unless both were measured with an interval."""
    first_ms: float | None = None
    second_ms: float | None = None

    @property
    def broke(self) -> bool:
        """Measured in the first, tried and failed in the second."""
        return self.first_status == MEASURED and self.second_status not in {MEASURED, *_NEVER_RAN}


class Best(_Part, frozen=True, kw_only=True):
    """The fastest row of each, held against each other whatever their configurations are."""

    first: str
    """Implementation and configuration in words."""
    second: str
    row: ComparedRow
    same_configuration: bool
    first_still_leads: bool
    """Whether the first's fastest configuration is in the second's winning tie group."""


class NoiseUsed(_Part, frozen=True, kw_only=True):
    """What the variation between visits was taken to be for one implementation."""

    implementation: str
    sd_percent: float
    """Standard deviation of the ratio of two medians, beyond what their own samples explain: the upper bound that verdicts
    use.  0: the runs' rows lie no further apart than samples explain."""
    bound_percent: float | None = None
    """One-sided confidence of that bound; absent where it is no bound but what other rows show."""
    samples_sd_percent: float
    """What the samples of a row of usual precision add: verdicts use this too."""
    degrees_of_freedom: float
    source: str
    smallest_found_percent: float | None = None
    """A slowdown of this size would have been found, for a row of usual precision, in half of all repetitions; absent where none below 300 % would."""
    shift_percent: float | None = None
    """By what the rows moved all together (the median of their changes); absent where there are fewer than 8."""


class ComparedBoard(_Part, frozen=True, kw_only=True):
    """One problem on one device of each."""

    problem: dict[str, Value]
    first_device: str
    second_device: str
    rows: list[ComparedRow]
    best: Best | None = None
    only_first: list[str] = []
    """Rows that the second does not have, in words."""
    only_second: list[str] = []
    noise: list[NoiseUsed] = []


class Named(_Part, frozen=True, kw_only=True):
    """Which leaderboard this is."""

    run: str
    started: str
    ended: str
    devices: list[str]


class Comparison(_Part, frozen=True, kw_only=True):
    """The whole answer."""

    kernel: str
    first: Named
    second: Named
    changes: list[Change]
    method: str = METHOD
    margin_percent: float
    """How far two rows may be apart and still be `SAME`."""
    family_error_percent: float = 100.0 * FAMILY_ERROR
    counts: dict[str, int]
    boards: list[ComparedBoard]
    unpaired: list[str] = []
    """Problems (with their device) that only one of the two has."""
    caution: str = ""
    """What the verdicts cannot know; empty where no row is faster or slower."""


def compare(first: Leaderboard, second: Leaderboard, *, margin_percent: float = 1.0) -> Comparison:
    """Hold ``second`` against ``first``.

    Raises:
        InputError: different kernels, or no problem that both have; the message says what differs.
    """
    refuse_strangers(first, second)
    paired, unpaired = pairs(first, second)
    if not paired:
        raise InputError("the two leaderboards have no problem in common", hint=how_problems_differ(first, second))
    drafts = [_Draft(first, second, *pair) for pair in paired]
    movements = [movement for draft in drafts for movement in draft.movements]
    for draft in drafts:
        draft.measure_rows(movements)
    adjusted = holm([row.difference.p for draft in drafts for row in draft.rows if row.difference])
    best_adjusted = holm([d.best.row.difference.p for d in drafts if d.best and d.best.row.difference])
    rows_p, best_p = iter(adjusted), iter(best_adjusted)
    boards = []
    for draft in drafts:
        rows = [_decided(row, rows_p, margin_percent) for row in draft.rows]
        best = draft.best
        if best is not None:
            best = msgspec.structs.replace(best, row=_decided(best.row, best_p, margin_percent))
        boards.append(draft.finished(rows, best, len(adjusted)))
    verdicts = [row.verdict for board in boards for row in board.rows]
    return Comparison(
        kernel=first.kernel.name,
        first=_named(first),
        second=_named(second),
        changes=changes_between(first, second),
        margin_percent=margin_percent,
        counts={verdict: verdicts.count(verdict) for verdict in (FASTER, SLOWER, SAME, UNDECIDED)},
        boards=boards,
        unpaired=unpaired,
        caution=ONE_RUN_EACH if {FASTER, SLOWER} & set(verdicts) else "",
    )


def row_key(entry: Entry) -> tuple[str, frozenset[tuple[str, Value]]]:
    """What makes two rows of one problem the same configuration, whatever order its axes are written in."""
    return entry.implementation, frozenset(entry.configuration.items())


def in_words(entry: Entry | ComparedRow) -> str:
    """Implementation and configuration as one line."""
    return " ".join([one_line(entry.implementation), *assignments(entry.configuration)])


def _named(leaderboard: Leaderboard) -> Named:
    run = leaderboard.run
    models = list(dict.fromkeys(device.name for device in leaderboard.devices))
    return Named(run=run.name, started=run.started, ended=run.ended, devices=models)


# ---------------------------------------------------------------------------------- one pair of boards


class _Draft:
    """A pair of boards: rows beside each other with what is known of their difference, before any verdict."""

    def __init__(self, first: Leaderboard, second: Leaderboard, left: Board, right: Board) -> None:
        self.models = model(first, left), model(second, right)
        self.left, self.right = left, right
        theirs = {row_key(entry): entry for entry in right.rows}
        ours = {row_key(entry): entry for entry in left.rows}
        shared = [(entry, theirs[key]) for key, entry in ours.items() if key in theirs]
        self.only_first = [in_words(entry) for key, entry in ours.items() if key not in theirs]
        self.only_second = [in_words(entry) for key, entry in theirs.items() if key not in ours]
        self.shared = [(ours, theirs, *_sides(ours, theirs)) for ours, theirs in shared]
        self.confidence = _confidence(first), _confidence(second)
        self.noise = {name: self._noise(name) for name in dict.fromkeys(entry.implementation for entry in left.rows)}
        self.counts = Counter(ours.implementation for ours, _, _, _ in self.shared)
        self.used: dict[str, Noise] = {}
        self.rows: list[ComparedRow] = []
        self.best: Best | None = None

    @property
    def movements(self) -> list[tuple[str, str, float]]:
        """Implementation, trial and log ratio of every row whose provenance is the same in both."""
        return [
            (ours.implementation, ours.trial, _ratio(a, b))
            for ours, theirs, a, b in self.shared
            if a and b and ours.provenance == theirs.provenance
        ]

    def measure_rows(self, movements: Sequence[tuple[str, str, float]]) -> None:
        """Hold every row and the best rows against each other; ``movements`` are those of all boards."""
        self.rows = [
            self._row(ours, theirs, movements)
            for ours, theirs, _, _ in self.shared
            if MEASURED in {ours.status, theirs.status}
        ]
        self.best = self._best(movements)

    def _noise(self, implementation: str) -> Noise:
        own = [each for each in self.shared if each[0].implementation == implementation]
        both = [Pair(_ratio(a, b), (a.own_se**2, b.own_se**2)) for _, _, a, b in own if a and b]
        visits = [
            next((v for v in board.visits if v.implementation == implementation), None)
            for board in (self.left, self.right)
        ]
        repeated = bool(own) and all(ours.provenance == theirs.provenance for ours, theirs, _, _ in own)
        return noise_of(both, visits[0], visits[1], self.confidence, repeated=repeated)

    def _of_row(self, entry: Entry, movements: Sequence[tuple[str, str, float]]) -> Noise:
        """What is known for this row; among few rows of one implementation, the others count too."""
        name = entry.implementation
        noise = self.noise.get(name, Noise())
        if self.counts[name] < FEWEST_ROWS:
            noise = beside_others(
                noise, [ratio for other, trial, ratio in movements if other == name and trial != entry.trial]
            )
        self.used[name] = max(self.used.get(name, noise), noise, key=_spread)
        return noise

    def _row(self, ours: Entry, theirs: Entry, movements: Sequence[tuple[str, str, float]]) -> ComparedRow:
        left, right = _sides(ours, theirs)
        difference = None
        if left is not None and right is not None:
            noise = self._of_row(ours, movements), self._of_row(theirs, movements)
            difference = measure(left, right, *noise, alike=row_key(ours) == row_key(theirs))
        return ComparedRow(
            implementation=theirs.implementation,
            configuration=theirs.configuration,
            verdict=UNDECIDED,
            reason="" if difference else _why_not(ours, theirs),
            first_status=ours.status,
            second_status=theirs.status,
            difference=difference,
            first_ms=ours.latency_ms.median if ours.latency_ms else None,
            second_ms=theirs.latency_ms.median if theirs.latency_ms else None,
        )

    def _best(self, movements: Sequence[tuple[str, str, float]]) -> Best | None:
        fastest = [_fastest(self.left), _fastest(self.right)]
        if fastest[0] is None or fastest[1] is None:
            return None
        ours, theirs = fastest[0], fastest[1]
        leaders = {row_key(entry) for entry in self.right.rows if entry.trial in self.right.winner}
        return Best(
            first=in_words(ours),
            second=in_words(theirs),
            row=self._row(ours, theirs, movements),
            same_configuration=row_key(ours) == row_key(theirs),
            first_still_leads=row_key(ours) in leaders,
        )

    def finished(self, rows: list[ComparedRow], best: Best | None, comparisons: int) -> ComparedBoard:
        """The board with its verdicts."""
        used = []
        for name, noise in self.used.items():
            own = [row.difference for row in rows if row.implementation == name and row.difference]
            found = smallest_found_percent(own, comparisons)
            if noise.known and own:
                used.append(_used(name, noise, found))
        return ComparedBoard(
            problem=self.left.problem,
            first_device=self.models[0],
            second_device=self.models[1],
            rows=rows,
            best=best,
            only_first=self.only_first,
            only_second=self.only_second,
            noise=used,
        )


def _sides(ours: Entry, theirs: Entry) -> tuple[Side | None, Side | None]:
    left, right = (Side.of(entry) if entry.status == MEASURED else None for entry in (ours, theirs))
    return left, right


def _spread(noise: Noise) -> float:
    return noise.ratio_sd


def _ratio(ours: Side, theirs: Side) -> float:
    return math.log(theirs.median / ours.median)


def _confidence(leaderboard: Leaderboard) -> float:
    """Of its intervals, 0 to 1."""
    percent = leaderboard.method.settings.get("confidence_percent")
    return percent / 100.0 if isinstance(percent, int | float) and 0 < percent < 100 else 0.95


def _used(name: str, noise: Noise, found: float | None) -> NoiseUsed:
    return NoiseUsed(
        implementation=name,
        sd_percent=round(100.0 * noise.ratio_sd, 4),
        bound_percent=noise.bound_percent,
        samples_sd_percent=round(100.0 * noise.samples_sd, 4),
        degrees_of_freedom=round(noise.freedom, 1),
        source=noise.source,
        smallest_found_percent=None if found is None or found > _HOPELESS_PERCENT else round(found, 3),
        shift_percent=None if noise.shift is None else round(100.0 * math.expm1(noise.shift), 3),
    )


def _decided(row: ComparedRow, adjusted: Any, margin_percent: float) -> ComparedRow:
    if row.difference is None:
        return row
    difference = msgspec.structs.replace(row.difference, adjusted_p=next(adjusted))
    verdict, reason = decide(difference, margin_percent)
    return msgspec.structs.replace(row, difference=difference, verdict=verdict, reason=reason)


def _fastest(board: Board) -> Entry | None:
    measured = [entry for entry in board.rows if entry.status == MEASURED and entry.latency_ms is not None]
    return min(measured, key=lambda entry: entry.latency_ms.median if entry.latency_ms else 0.0, default=None)


def _why_not(ours: Entry, theirs: Entry) -> str:
    if theirs.status != MEASURED:
        why = one_line(theirs.cause)
        return f"{theirs.status} in the second" + (f": {why}" if why else "")
    if ours.status != MEASURED:
        return f"{ours.status} in the first"
    return "a row without an interval or without samples cannot be compared"
