"""What can be done with a grid while it is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.setup import SetupScreen


class StartMeasuring(Command["SetupScreen"]):
    """Save the grid and measure what is missing of it."""

    key, name, footer = "s", "Start measuring", "start"

    def run(self, place: SetupScreen) -> None:
        place.start()


class SwitchValue(Command["SetupScreen"]):
    """Choose the value under the cursor, or do not choose it any more."""

    key, name, footer = "space", "Choose value", "choose"

    def enabled(self, place: SetupScreen) -> bool:
        return place.field is not None and bool(place.field.values)

    def run(self, place: SetupScreen) -> None:
        place.switch_value()


class ChangeLine(Command["SetupScreen"]):
    """Change the line under the cursor: its text, its list of values, or the kernel."""

    key, name, footer = "enter", "Change line", "change"

    def enabled(self, place: SetupScreen) -> bool:
        return place.field is not None and place.field.kind != "fact"

    def run(self, place: SetupScreen) -> None:
        place.change_line()


class TypeValues(Command["SetupScreen"]):
    """Type what the line under the cursor says, such as 16, 32 or { start = 16, stop = 128, factor = 2 }."""

    key, name, footer = "e", "Type values", "type"

    def enabled(self, place: SetupScreen) -> bool:
        return place.field is not None and place.field.kind not in {"fact", "flag"}

    def run(self, place: SetupScreen) -> None:
        place.type_values()


class LeaveOut(Command["SetupScreen"]):
    """Leave the line under the cursor out of the grid: what the kernel says applies again."""

    key, name, footer = "x,delete", "Leave out", "leave out"

    def enabled(self, place: SetupScreen) -> bool:
        return place.field is not None and (place.field.given or place.field.kind in {"flag", "host"})

    def run(self, place: SetupScreen) -> None:
        place.leave_out()


class UndoChange(Command["SetupScreen"]):
    """Take the last change back."""

    key, name, footer = "u", "Undo", "undo"

    def enabled(self, place: SetupScreen) -> bool:
        return place.can_undo

    def run(self, place: SetupScreen) -> None:
        place.undo()


class AskHost(Command["SetupScreen"]):
    """Ask the host under the cursor for its devices and compilers; on any other line, the first chosen host."""

    key, name, footer = "a", "Ask host", "ask host"

    def run(self, place: SetupScreen) -> None:
        place.ask_present_host()


class SaveGrid(Command["SetupScreen"]):
    """Save the grid; lines that were not changed stay as they were, byte by byte."""

    key, name, footer = "w,ctrl+s", "Save grid", "save"

    def run(self, place: SetupScreen) -> None:
        place.save()


class SaveGridAs(Command["SetupScreen"]):
    """Save the grid under another name."""

    key, name = "W", "Save grid as"

    def run(self, place: SetupScreen) -> None:
        place.save_as()


class OpenAnother(Command["SetupScreen"]):
    """Open another grid, a leaderboard or a run that is kept on this machine."""

    key, name, footer = "o", "Open", "open"

    def run(self, place: SetupScreen) -> None:
        place.cockpit.show_kept()


SETUP = (
    StartMeasuring, SwitchValue, ChangeLine, TypeValues, LeaveOut, UndoChange, AskHost, SaveGrid, SaveGridAs,
    OpenAnother,
)  # fmt: skip
