"""What can be done with a run while it goes on, and with a replay of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.run import RunScreen


class PauseRun(Command["RunScreen"]):
    """Pause after the present trial, or go on; a replay stands still at once."""

    key, name, footer = "p", "Pause or go on", "pause"

    def enabled(self, place: RunScreen) -> bool:
        return place.can_steer or place.replay is not None

    def run(self, place: RunScreen) -> None:
        place.pause_or_go_on()


class SkipRow(Command["RunScreen"]):
    """Do not measure the row under the cursor; it can be queued again."""

    key, name, footer = "x", "Skip row", "skip"

    def enabled(self, place: RunScreen) -> bool:
        return place.can_steer and place.cursor_row is not None

    def run(self, place: RunScreen) -> None:
        place.skip_row()


class RequeueRow(Command["RunScreen"]):
    """Measure the row under the cursor once more, also one that failed or was skipped."""

    key, name = "r", "Queue row again"

    def enabled(self, place: RunScreen) -> bool:
        return place.can_steer and place.cursor_row is not None

    def run(self, place: RunScreen) -> None:
        place.requeue_row()


class PinRow(Command["RunScreen"]):
    """Keep the row under the cursor in the live pane, and measure it before the others; or let go of it."""

    key, name = "i", "Pin row"

    def enabled(self, place: RunScreen) -> bool:
        return place.cursor_row is not None

    def run(self, place: RunScreen) -> None:
        place.pin_row()


class MeasureCloser(Command["RunScreen"]):
    """Measure the row under the cursor again, to an interval half as wide as it has."""

    key, name = "a", "Measure again, more precisely"

    def enabled(self, place: RunScreen) -> bool:
        return place.can_steer and place.cursor_row is not None

    def run(self, place: RunScreen) -> None:
        place.measure_closer()


class RaceFinalists(Command["RunScreen"]):
    """Race the best rows now; the sweep goes on afterwards."""

    key, name, footer = "f", "Race the finalists now", "race"

    def enabled(self, place: RunScreen) -> bool:
        return place.can_steer

    def run(self, place: RunScreen) -> None:
        place.race_now()


class StopRun(Command["RunScreen"]):
    """Stop after the present trial and keep what was measured; asked twice: at once."""

    key, name = "t", "Stop and keep"

    def enabled(self, place: RunScreen) -> bool:
        return place.live is not None and place.live.alive

    def run(self, place: RunScreen) -> None:
        place.stop()


class SaveBoard(Command["RunScreen"]):
    """Save the leaderboard of what is measured so far."""

    key, name = "e", "Save the leaderboard"

    def enabled(self, place: RunScreen) -> bool:
        return place.live is not None

    def run(self, place: RunScreen) -> None:
        place.save_board()


class OpenBoard(Command["RunScreen"]):
    """Open the leaderboard of what is measured so far, with every target judged."""

    key, name = "b", "Open the leaderboard"

    def enabled(self, place: RunScreen) -> bool:
        return place.run_now.plan is not None

    def run(self, place: RunScreen) -> None:
        place.open_board()


class PlayFaster(Command["RunScreen"]):
    """Play a replay faster."""

    key, name = "plus", "Replay faster"

    def enabled(self, place: RunScreen) -> bool:
        return place.replay is not None

    def run(self, place: RunScreen) -> None:
        place.change_speed(faster=True)


class PlaySlower(Command["RunScreen"]):
    """Play a replay slower."""

    key, name = "minus", "Replay slower"

    def enabled(self, place: RunScreen) -> bool:
        return place.replay is not None

    def run(self, place: RunScreen) -> None:
        place.change_speed(faster=False)


STEERING = (
    PauseRun, SkipRow, RequeueRow, PinRow, MeasureCloser, RaceFinalists, StopRun, SaveBoard, OpenBoard, PlayFaster,
    PlaySlower,
)  # fmt: skip
