"""What can be done with what is kept on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.start import StartScreen


class OpenChosen(Command["StartScreen"]):
    """Open what is chosen: a leaderboard, a run's leaderboard, or a grid to set it up."""

    key, name, footer = "o", "Open", "open"

    def run(self, place: StartScreen) -> None:
        place.open_chosen()


class PlayChosen(Command["StartScreen"]):
    """Play the journal of the chosen run again."""

    key, name, footer = "r", "Replay", "replay"

    def enabled(self, place: StartScreen) -> bool:
        return place.chosen_journal is not None

    def run(self, place: StartScreen) -> None:
        place.play_chosen()


class LookAgain(Command["StartScreen"]):
    """Look again at what is kept here."""

    key, name = "f5", "Look again"

    def run(self, place: StartScreen) -> None:
        place.look()


START = (OpenChosen, PlayChosen, LookAgain)
