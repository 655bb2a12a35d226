"""What can be done with two leaderboards side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.boards import ReverseSort
from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.compare import CompareScreen
    from tunetui.tui.screens.leaderboard import LeaderboardScreen


class CompareBoards(Command["LeaderboardScreen"]):
    """Hold this leaderboard against another one, chosen from what is saved here and kept as runs."""

    key, name, footer = "c", "Compare", "compare"

    def run(self, place: LeaderboardScreen) -> None:
        place.compare()


class NextVerdict(Command["CompareScreen"]):
    """Show the rows of the next verdict alone; after the last one, all."""

    key, name, footer = "v", "Next verdict", "verdict"

    def run(self, place: CompareScreen) -> None:
        place.next_verdict()


class SortCompared(Command["CompareScreen"]):
    """Sort by the next column."""

    key, name, footer = "s", "Sort by the next column", "sort"

    def run(self, place: CompareScreen) -> None:
        place.sort_next()


class ExplainVerdict(Command["CompareScreen"]):
    """Show the row under the cursor: its verdict and why, the change, and both sides."""

    key, name, footer = "enter,d", "Why this verdict", "why"

    def enabled(self, place: CompareScreen) -> bool:
        return place.can_copy

    def run(self, place: CompareScreen) -> None:
        place.show_row()


class SwapBoards(Command["CompareScreen"]):
    """Hold the first against the second."""

    key, name, footer = "x", "Swap first and second", "swap"

    def run(self, place: CompareScreen) -> None:
        place.swap()


class ShowMethod(Command["CompareScreen"]):
    """Show what changed between the two, how noisy they are, and how verdicts are found."""

    key, name, footer = "o", "What changed, and the method", "changed"

    def run(self, place: CompareScreen) -> None:
        place.show_method()


COMPARE = (NextVerdict, SortCompared, ReverseSort, ExplainVerdict, SwapBoards, ShowMethod)
