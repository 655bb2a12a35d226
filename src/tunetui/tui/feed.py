"""Pulls the newest snapshot when the terminal has room for a frame: the only way from a run to a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.pacing import Beat

if TYPE_CHECKING:
    from tunetui.tui.screens.run import RunScreen

_WORDS_EVERY_S = 0.5
"""Of the lines around the table; the table itself is brought up to date at every beat."""


class Feed:
    """Driven by the app's beat, at most ten times a second; nothing here runs in a thread.

    While another screen is on top nothing is pulled, and what was missed comes with the next beat.
    """

    def __init__(self, screen: RunScreen) -> None:
        self.screen = screen
        self.pulls = 0
        self._words_at = float("-inf")

    def beat(self, beat: Beat) -> None:
        """Show what is new."""
        words = beat.now - self._words_at >= _WORDS_EVERY_S
        if words:
            self._words_at = beat.now
        self.pulls += 1
        self.screen.board_table.order_interval_s = beat.rates.order_s
        self.screen.show_run(self.screen.source.snapshot, words=words, plots=beat.draw_plots)

    def draw_all(self) -> None:
        """Show everything as it is now."""
        if self.screen.is_mounted:
            self.screen.show_run(self.screen.source.snapshot, words=True, plots=True)
