"""Whether what leads a board is ready for production: every target surely met, or what is missing by name."""

from __future__ import annotations

from collections.abc import Iterable

from tunetui.core.labels import one_line, trial_label
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui.core.targets import MET

_NOT_ALL = {"unfinished": "the run is not finished", "interrupted": "the run was interrupted",
            "budget": "the budget ended first", "failed": "the run failed before its end"}  # fmt: skip


def is_ready(boards: Iterable[Board]) -> bool:
    """Whether there are targets, and every board meets all of its own."""
    verdicts = [verdict for board in boards for verdict in board.targets]
    return bool(verdicts) and all(verdict.verdict == MET for verdict in verdicts)


def readiness(leaderboard: Leaderboard, board: Board) -> str:
    """``ready: ...`` or ``not ready: ...``; empty where no target was asked for."""
    if not board.targets:
        return ""
    lacking = [f"{verdict.metric} {verdict.verdict}" for verdict in board.targets if verdict.verdict != MET]
    if lacking:
        return one_line(f"not ready: {', '.join(lacking)}")
    entry = judged_entry(board)
    named = trial_label(entry.implementation, entry.configuration) if entry is not None else "nothing"
    count = len(board.targets)
    targets = "its target" if count == 1 else f"all {count} targets"
    early = _NOT_ALL.get(leaderboard.run.ended)
    of_what = f", of what was measured: {early}" if early else ""
    return f"ready: {named} meets {targets}{of_what}"


def judged_entry(board: Board) -> Entry | None:
    """The row that the board's verdicts are about: the one to take."""
    asked = board.judged or (board.winner[0] if board.winner else "")
    return next((entry for entry in board.rows if entry.trial == asked), None)
