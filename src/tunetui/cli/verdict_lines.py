"""What stands below a board in a terminal: runs under load, targets as judged, whether it is ready."""

from __future__ import annotations

from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui.core.readiness import readiness
from tunetui.core.text_fitting import wrapped
from tunetui.core.verdict_words import asked, cost, judged, targets_of_whom, under_load


def verdict_lines(leaderboard: Leaderboard, board: Board, width: int | None) -> list[str]:
    """Everything that was found out about whether the winner will do."""
    lines: list[str] = []
    for part in board.reliability:
        lines += wrapped(under_load(board, part).split(" "), width, indent="  ", first="under load: ")
    if board.targets:
        lines += wrapped(f"{targets_of_whom(board.targets)}:".split(" "), width, indent="  ", first="")
    for verdict in board.targets:
        words = f"{asked(verdict)}: {judged(verdict)}".split(" ")
        lines += wrapped(words, width, indent=" " * 15, first=f"  {one_line(verdict.verdict):<9}  ")
    ready = readiness(leaderboard, board)
    return [*lines, *(wrapped(ready.split(" "), width, indent="  ", first="") if ready else [])]


def cost_lines(leaderboard: Leaderboard, width: int | None) -> list[str]:
    """What the run cost, by host, and who said the price."""
    words = cost(leaderboard)
    return ["", *wrapped(words.split(" "), width, indent="  ", first="cost: ")] if words else []
