"""Two leaderboards of one kernel, row by row: the same, faster, slower, or undecided; and what changed between them.

The second is judged against the first.  `docs/deciding.md` states every rule and formula.
"""

from __future__ import annotations

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
    Noise,
    Side,
    decide,
    holm,
    measure,
    noise_of,
    smallest_found_percent,
)
from tunetui.core.errors import InputError
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED, SKIPPED, STALE
from tunetui_agent.messages import Value

__all__ = ["FASTER", "SAME", "SLOWER", "UNDECIDED", "Comparison", "compare", "row_key"]

_NEVER_RAN = frozenset({STALE, SKIPPED})


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
    """Standard deviation of the ratio of two medians, beyond what their own samples explain."""
    degrees_of_freedom: float
    source: str
    smallest_found_percent: float | None = None
    """A slowdown of this size would have been found, for a row of usual precision, in half of all repetitions."""


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


def compare(first: Leaderboard, second: Leaderboard, *, margin_percent: float = 1.0) -> Comparison:
    """Hold ``second`` against ``first``.

    Raises:
        InputError: different kernels, or no problem that both have; the message says what differs.
    """
    _refuse_strangers(first, second)
    pairs, unpaired = _pairs(first, second)
    if not pairs:
        raise InputError("the two leaderboards have no problem in common", hint=_how_problems_differ(first, second))
    drafts = [_Draft(first, second, *pair) for pair in pairs]
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
    )


def row_key(entry: Entry) -> tuple[str, frozenset[tuple[str, Value]]]:
    """What makes two rows of one problem the same configuration, whatever order its axes are written in."""
    return entry.implementation, frozenset(entry.configuration.items())


def in_words(entry: Entry | ComparedRow) -> str:
    """Implementation and configuration as one line."""
    return " ".join([one_line(entry.implementation), *assignments(entry.configuration)])


# ---------------------------------------------------------------------------------- what stands beside what


def _refuse_strangers(first: Leaderboard, second: Leaderboard) -> None:
    if first.kernel.name != second.kernel.name:
        names = " and ".join(repr(one_line(each.kernel.name)) for each in (first, second))
        raise InputError(f"these are of different kernels: {names}", hint="a comparison needs one kernel")


def _pairs(first: Leaderboard, second: Leaderboard) -> tuple[list[tuple[Board, Board]], list[str]]:
    """Boards of one problem: on the same model of device where both have it, else where either has but one."""
    pairs, unpaired = [], []
    left = list(second.boards)
    for board in first.boards:
        alike = [other for other in left if _problem(other) == _problem(board)]
        model = _model(first, board)
        match = next((other for other in alike if _model(second, other) == model), None)
        if match is None and len(alike) == 1 and sum(_problem(b) == _problem(board) for b in first.boards) == 1:
            match = alike[0]
        if match is None:
            unpaired.append(f"only in the first: {_called(first, board)}")
        else:
            left.remove(match)
            pairs.append((board, match))
    return pairs, unpaired + [f"only in the second: {_called(second, board)}" for board in left]


def _problem(board: Board) -> frozenset[tuple[str, Value]]:
    return frozenset(board.problem.items())


def _model(leaderboard: Leaderboard, board: Board) -> str:
    return next((device.name for device in leaderboard.devices if device.id == board.device), board.device)


def _called(leaderboard: Leaderboard, board: Board) -> str:
    words = " ".join(assignments(board.problem)) or "the problem without fields"
    model = one_line(_model(leaderboard, board))
    return f"{words} on {model}" if model else words


def _how_problems_differ(first: Leaderboard, second: Leaderboard) -> str:
    """The problem fields whose values differ: what each has."""
    said = []
    fields = dict.fromkeys(name for one in (first, second) for board in one.boards for name in board.problem)
    for name in fields:
        ours, theirs = (
            list(dict.fromkeys(str(board.problem.get(name, "none")) for board in one.boards)) for one in (first, second)
        )
        if set(ours) != set(theirs):
            said.append(f"{one_line(name)}: {one_line(', '.join(ours))} against {one_line(', '.join(theirs))}")
    return "; ".join(said) or "the same problems were measured on different models of device"


def _named(leaderboard: Leaderboard) -> Named:
    run = leaderboard.run
    models = list(dict.fromkeys(device.name for device in leaderboard.devices))
    return Named(run=run.name, started=run.started, ended=run.ended, devices=models)


# ---------------------------------------------------------------------------------- one pair of boards


class _Draft:
    """A pair of boards: rows beside each other with what is known of their difference, before any verdict."""

    def __init__(self, first: Leaderboard, second: Leaderboard, left: Board, right: Board) -> None:
        self.models = _model(first, left), _model(second, right)
        self.left, self.right = left, right
        theirs = {row_key(entry): entry for entry in right.rows}
        ours = {row_key(entry): entry for entry in left.rows}
        shared = [(entry, theirs[key]) for key, entry in ours.items() if key in theirs]
        self.only_first = [in_words(entry) for key, entry in ours.items() if key not in theirs]
        self.only_second = [in_words(entry) for key, entry in theirs.items() if key not in ours]
        self.noise = {
            name: self._noise(name, shared) for name in dict.fromkeys(entry.implementation for entry in left.rows)
        }
        either = [pair for pair in shared if MEASURED in {pair[0].status, pair[1].status}]
        self.rows = [self._row(*pair) for pair in either]
        self.best = self._best()

    def _noise(self, implementation: str, shared: Sequence[tuple[Entry, Entry]]) -> Noise:
        own = [pair for pair in shared if pair[0].implementation == implementation]
        sides = [(_side(a), _side(b)) for a, b in own]
        both = [(a, b) for a, b in sides if a is not None and b is not None]
        visits = [
            next((v for v in board.visits if v.implementation == implementation), None)
            for board in (self.left, self.right)
        ]
        repeated = bool(own) and all(a.provenance == b.provenance for a, b in own)
        return noise_of(both, visits[0], visits[1], repeated=repeated)

    def _row(self, ours: Entry, theirs: Entry) -> ComparedRow:
        left, right = _side(ours), _side(theirs)
        difference = None
        if left is not None and right is not None:
            noise = [self.noise.get(name, Noise()) for name in (ours.implementation, theirs.implementation)]
            difference = measure(left, right, *noise)
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

    def _best(self) -> Best | None:
        fastest = [_fastest(self.left), _fastest(self.right)]
        if fastest[0] is None or fastest[1] is None:
            return None
        ours, theirs = fastest[0], fastest[1]
        leaders = {row_key(entry) for entry in self.right.rows if entry.trial in self.right.winner}
        return Best(
            first=in_words(ours),
            second=in_words(theirs),
            row=self._row(ours, theirs),
            same_configuration=row_key(ours) == row_key(theirs),
            first_still_leads=row_key(ours) in leaders,
        )

    def finished(self, rows: list[ComparedRow], best: Best | None, comparisons: int) -> ComparedBoard:
        """The board with its verdicts."""
        used = []
        for name, noise in self.noise.items():
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


def _side(entry: Entry) -> Side | None:
    return Side.of(entry) if entry.status == MEASURED else None


def _used(name: str, noise: Noise, found: float | None) -> NoiseUsed:
    return NoiseUsed(
        implementation=name,
        sd_percent=round(100.0 * noise.ratio_sd, 4),
        degrees_of_freedom=round(noise.freedom, 1),
        source=noise.source,
        smallest_found_percent=None if found is None else round(found, 3),
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
