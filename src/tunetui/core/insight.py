"""What a leaderboard teaches beyond its winner: which axes matter, what speed costs, which row is the cheapest good one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import msgspec

from tunetui.core.errors import InputError
from tunetui.core.importance import METHOD, Importance, importance_of
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.snapshot import MEASURED
from tunetui.core.tradeoffs import WITHIN_PERCENT, Candidate, Cheapest, Front, candidates, cheapest, fronts
from tunetui_agent.messages import Value


class BoardInsight(msgspec.Struct, frozen=True, kw_only=True):
    """One problem on one model of device, or on several where ``devices`` has several."""

    run: str
    problem: dict[str, Value]
    devices: list[str]
    importances: list[Importance] = []
    """One for each implementation that has axes."""
    fronts: list[Front] = []
    cheapest: list[Cheapest] = []


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    kernel: str
    method: str = METHOD
    boards: list[BoardInsight]
    across: list[BoardInsight] = []
    """Problems that several devices or leaderboards have, all rows together: what speed costs there."""


def insight(
    leaderboards: Sequence[Leaderboard],
    prices: Mapping[str, float] | None = None,
    *,
    board: int | None = None,
    within_percent: float = WITHIN_PERCENT,
    devices_per_host: int = 1,
) -> Insight:
    """Look into every board, or into the ``board``-th of each leaderboard (from 1).

    ``prices`` are USD an hour of a host with so many devices, by model, host, or "" for all.

    Raises:
        InputError: leaderboards of different kernels, or no board of that number.
    """
    kernels = list(dict.fromkeys(each.kernel.name for each in leaderboards))
    if len(kernels) > 1:
        names = " and ".join(repr(one_line(name)) for name in kernels[:2])
        raise InputError(f"these are of different kernels: {names}", hint="what rows teach is of one kernel")
    boards: list[BoardInsight] = []
    shared: dict[frozenset[tuple[str, Value]], list[tuple[Board, list[Candidate]]]] = {}
    for leaderboard in leaderboards:
        for each in _asked(leaderboard, board):
            rows = candidates(leaderboard, each, prices or {}, devices_per_host)
            boards.append(board_insight(leaderboard, each, rows, within_percent))
            shared.setdefault(_key(each), []).append((each, rows))
    across = [
        _across(parts, within_percent)
        for parts in shared.values()
        if len(parts) > 1 and len({row.device for _, rows in parts for row in rows}) > 1
    ]
    return Insight(kernel=kernels[0] if kernels else "", boards=boards, across=across)


def board_insight(
    leaderboard: Leaderboard, board: Board, rows: Sequence[Candidate], within_percent: float = WITHIN_PERCENT
) -> BoardInsight:
    """One board; ``rows`` are its candidates."""
    return BoardInsight(
        run=leaderboard.run.name,
        problem=board.problem,
        devices=list(dict.fromkeys(row.device for row in rows)),
        importances=importances(leaderboard, board),
        fronts=fronts(rows),
        cheapest=cheapest(rows, within_percent),
    )


def importances(leaderboard: Leaderboard, board: Board) -> list[Importance]:
    """How much each axis matters, for every implementation that has axes, in the order of the board."""
    rows: dict[str, list[Entry]] = {}
    for entry in board.rows:
        if entry.status == MEASURED and entry.latency_ms is not None:
            rows.setdefault(entry.implementation, []).append(entry)
    z = _normal_quantile(leaderboard)
    return [one for name, own in rows.items() if (one := importance_of(name, own, z)) is not None]


def _across(parts: Sequence[tuple[Board, Sequence[Candidate]]], within_percent: float) -> BoardInsight:
    rows = [row for _, own in parts for row in own]
    return BoardInsight(
        run="",
        problem=parts[0][0].problem,
        devices=list(dict.fromkeys(row.device for row in rows)),
        fronts=fronts(rows),
        cheapest=cheapest(rows, within_percent),
    )


def _asked(leaderboard: Leaderboard, board: int | None) -> list[Board]:
    if board is None:
        return leaderboard.boards
    if 1 <= board <= len(leaderboard.boards):
        return [leaderboard.boards[board - 1]]
    listed = "\n".join(
        f"--board {place}: {' '.join(assignments(each.problem))}"
        for place, each in enumerate(leaderboard.boards, start=1)
    )
    raise InputError(f"there is no board {board}", hint=listed or "the leaderboard has none")


def _key(board: Board) -> frozenset[tuple[str, Value]]:
    return frozenset(board.problem.items())


def _normal_quantile(leaderboard: Leaderboard) -> float:
    """Of the leaderboard's intervals."""
    percent = leaderboard.method.settings.get("confidence_percent")
    known = percent if isinstance(percent, int | float) and 0 < percent < 100 else 95.0
    return NormalDist().inv_cdf(0.5 + known / 200.0)
