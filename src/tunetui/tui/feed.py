"""Pulls the newest snapshot when the terminal has room for a frame: the only way from a run to a screen."""

from __future__ import annotations

from collections.abc import Iterator
from time import thread_time
from typing import TYPE_CHECKING

from tunetui.tui.pacing import Beat
from tunetui.tui.run_panes import PICTURES

if TYPE_CHECKING:
    from tunetui.tui.screens.run import RunScreen

_WORDS_EVERY_S = 0.5
"""Of the lines around the table; the table itself is brought up to date at every beat."""
_BETWEEN_PORTIONS_S = 0.004
"""In which keys are heard while there is more to show than one beat may take."""


class Feed:
    """Driven by the app's beat, at most ten times a second; nothing here runs in a thread.

    While another screen is on top nothing is pulled, and what was missed comes with the next beat.
    """

    def __init__(self, screen: RunScreen) -> None:
        self.screen = screen
        self.pulls = 0
        self._words_at = float("-inf")
        self._goes_on = False

    def beat(self, beat: Beat) -> Iterator[None]:
        """Show what is new, in steps: keys are heard between them."""
        words = beat.now - self._words_at >= _WORDS_EVERY_S
        if words:
            self._words_at = beat.now
        self.pulls += 1
        self.screen.board_table.order_interval_s = beat.rates.order_s
        run = self.screen.source.snapshot
        yield
        for _ in self.screen.show_run(run, words=words, pictures=PICTURES if beat.draw_plots else ()):
            yield
            if not self.screen.is_current:
                return
        self._go_on()

    def _go_on(self) -> None:
        """See to what a flood of results left over, in portions between the beats."""
        replay, board = self.screen.replay, self.screen.board
        if not self._goes_on and (board.is_behind or (replay is not None and replay.is_behind)):
            self._goes_on = True
            self.screen.cockpit.after(_BETWEEN_PORTIONS_S, self._catch_up)

    def _catch_up(self) -> None:
        self._goes_on = False
        if not self.screen.is_mounted or not self.screen.is_current:
            return
        before_s = thread_time()
        if self.screen.board.is_behind:
            self.screen.board.catch_up()
        else:
            _ = self.screen.source.snapshot  # folds some more; the next beat shows it
        self.screen.cockpit.charge(thread_time() - before_s)
        self._go_on()

    def draw_all(self) -> None:
        """Show everything as it is now."""
        if self.screen.is_mounted:
            for _ in self.screen.show_run(self.screen.source.snapshot, words=True, pictures=PICTURES):
                pass
