"""Commands that every screen has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.app import Cockpit


class ShowHelp(Command["Cockpit"]):
    """Show every key of this screen and what it does."""

    key, name, footer = "question_mark,f1", "Help", "help"

    def run(self, place: Cockpit) -> None:
        place.show_help()


class ShowCommands(Command["Cockpit"]):
    """Find any command, saved run or theme by its name."""

    key, name, footer = "ctrl+p", "Commands", "commands"

    def run(self, place: Cockpit) -> None:
        place.action_command_palette()


class ShowNotices(Command["Cockpit"]):
    """Read again what was said, also what has vanished from the screen."""

    key, name = "ctrl+n", "Notices"

    def run(self, place: Cockpit) -> None:
        place.show_notices()


class ShowHosts(Command["Cockpit"]):
    """Show the hosts: what they are good for, who uses them, and the runs here and there."""

    key, name = "H", "Hosts and runs"

    def run(self, place: Cockpit) -> None:
        place.show_hosts()


class ChangeTheme(Command["Cockpit"]):
    """Take the next colour theme."""

    key, name = "ctrl+t", "Next theme"

    def run(self, place: Cockpit) -> None:
        place.next_theme()


class CopyRow(Command["Cockpit"]):
    """Copy the row under the cursor, every figure by its name."""

    key, name = "y", "Copy row"

    def enabled(self, place: Cockpit) -> bool:
        return place.can_copy

    def run(self, place: Cockpit) -> None:
        place.copy(figure=False)


class CopyCell(Command["Cockpit"]):
    """Copy one figure of the row under the cursor: the one that the table is sorted by."""

    key, name = "Y", "Copy figure"

    def enabled(self, place: Cockpit) -> bool:
        return place.can_copy

    def run(self, place: Cockpit) -> None:
        place.copy(figure=True)


class SavePicture(Command["Cockpit"]):
    """Save what is on screen as an SVG picture in the working directory."""

    key, name = "ctrl+o", "Save a picture of the screen"

    def run(self, place: Cockpit) -> None:
        place.save_picture()


class Suspend(Command["Cockpit"]):
    """Go to the background; `fg` in the shell comes back, and a run goes on meanwhile."""

    key, name = "ctrl+z", "Suspend"

    def run(self, place: Cockpit) -> None:
        place.action_suspend_process()


class GoBack(Command["Cockpit"]):
    """Go back to the screen before."""

    key, name = "escape", "Back"

    def enabled(self, place: Cockpit) -> bool:
        return place.can_go_back

    async def run(self, place: Cockpit) -> None:
        await place.go_back()


class Quit(Command["Cockpit"]):
    """Leave; a run that is at work may be left running or stopped."""

    key, name, footer = "q", "Quit", "quit"

    async def run(self, place: Cockpit) -> None:
        await place.action_quit()


EVERYWHERE = (
    ShowHelp, ShowCommands, ShowNotices, ShowHosts, ChangeTheme, CopyRow, CopyCell, SavePicture, Suspend, GoBack, Quit,
)  # fmt: skip
"""In the order in which help lists them."""
