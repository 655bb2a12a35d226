"""Which boards of two leaderboards stand beside each other in a comparison, and why others do not."""

from __future__ import annotations

from tunetui.core.errors import InputError
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui_agent.messages import Value


def refuse_strangers(first: Leaderboard, second: Leaderboard) -> None:
    """Two leaderboards of one kernel may be compared.

    Raises:
        InputError: they are of different kernels.
    """
    if first.kernel.name != second.kernel.name:
        names = " and ".join(repr(one_line(each.kernel.name)) for each in (first, second))
        raise InputError(f"these are of different kernels: {names}", hint="a comparison needs one kernel")


def pairs(first: Leaderboard, second: Leaderboard) -> tuple[list[tuple[Board, Board]], list[str]]:
    """Boards of one problem: on the same model of device where both have it, else where either has but one."""
    paired, unpaired = [], []
    left = list(second.boards)
    for board in first.boards:
        alike = [other for other in left if _problem(other) == _problem(board)]
        match = next((other for other in alike if model(second, other) == model(first, board)), None)
        if match is None and len(alike) == 1 and sum(_problem(b) == _problem(board) for b in first.boards) == 1:
            match = alike[0]
        if match is None:
            unpaired.append(f"only in the first: {_called(first, board)}")
        else:
            left.remove(match)
            paired.append((board, match))
    return paired, unpaired + [f"only in the second: {_called(second, board)}" for board in left]


def _problem(board: Board) -> frozenset[tuple[str, Value]]:
    return frozenset(board.problem.items())


def model(leaderboard: Leaderboard, board: Board) -> str:
    """The name of the device that measured the board; its id where it has none."""
    return next((device.name for device in leaderboard.devices if device.id == board.device), board.device)


def _called(leaderboard: Leaderboard, board: Board) -> str:
    words = " ".join(assignments(board.problem)) or "the problem without fields"
    on = one_line(model(leaderboard, board))
    return f"{words} on {on}" if on else words


def how_problems_differ(first: Leaderboard, second: Leaderboard) -> str:
    """The problem fields whose values differ: what each has."""
    for name, one in (("first", first), ("second", second)):
        if not one.boards:
            return f"the {name} holds no problem at all: nothing was measured"
    said = []
    fields = dict.fromkeys(name for one in (first, second) for board in one.boards for name in board.problem)
    for name in fields:
        ours, theirs = (
            list(dict.fromkeys(str(board.problem.get(name, "none")) for board in one.boards)) for one in (first, second)
        )
        if set(ours) != set(theirs):
            said.append(f"{one_line(name)}: {one_line(', '.join(ours))} against {one_line(', '.join(theirs))}")
    return "; ".join(said) or "the same problems were measured on different models of device"
