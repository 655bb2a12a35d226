"""The app itself: theme, keys, first screen, what it says, how it ends.  Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import BindingType
from textual.theme import Theme

from tunetui.tui import failing
from tunetui.tui.commands.command import AnyCommand, bindings_of, by_id
from tunetui.tui.commands.everywhere import EVERYWHERE
from tunetui.tui.navigation import Navigation
from tunetui.tui.paced_app import PacedApp
from tunetui.tui.pacing import Beat
from tunetui.tui.palette import CockpitCommands, SafePalette
from tunetui.tui.rented_here import RentedHere
from tunetui.tui.screens.command_screen import CommandScreen, PaletteEntry, carry_out
from tunetui.tui.taking_away import TakingAway
from tunetui.tui.telling import Telling
from tunetui.tui.themes import DEFAULT_THEME

if TYPE_CHECKING:
    from tunetui.session import BatchOptions
    from tunetui.tui.sources import LiveRun


@dataclass(frozen=True)
class Looks:
    """Themes and keys as they were found, and what was wrong with the others."""

    themes: dict[str, Theme] = field(default_factory=dict)
    theme: str = ""
    keymap: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Cockpit(Navigation, TakingAway, Telling, PacedApp[None]):
    """The interactive app over sessions, replays and saved leaderboards."""

    TITLE = "tunetui"
    CSS_PATH = "styles.tcss"
    COMMANDS: ClassVar = {CockpitCommands}
    OFFERS: ClassVar[tuple[AnyCommand, ...]] = EVERYWHERE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(EVERYWHERE, "app.command")]
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "f20"  # ctrl+p is a command of ours, so that it can be remapped like any other

    def __init__(
        self, first: CommandScreen, looks: Looks | None = None, batch: Callable[[], BatchOptions] | None = None
    ) -> None:
        """``batch``: makes what `batch` is, asked for when that is first needed."""
        super().__init__()
        self.first, self.looks, self._make_batch = first, looks or Looks(), batch
        self._begin_with_theme(self.looks.theme or DEFAULT_THEME)
        self.live: LiveRun | None = None
        """The run that this app has at work, if any; it outlives every screen."""
        self.failures: list[failing.Failure] = []
        """What went wrong in the app itself."""
        self.rented = RentedHere()
        self.leaving = ""
        """How a live run is to be left: "leave" or "stop"."""
        self.grid_to_start: Path | None = None

    def get_default_screen(self) -> CommandScreen:
        """The first screen, at the bottom of the stack."""
        return self.first

    def _begin_with_theme(self, wanted: str) -> None:
        """Take a theme before style sheets are read, so that they are read once."""
        for theme in self.looks.themes.values():
            self.register_theme(theme)
        if wanted in self.looks.themes:
            self.set_reactive(Cockpit.theme, wanted)
            self.stylesheet.set_variables(self.get_css_variables())
            dark = self.current_theme.dark
            self.update_classes({f"-theme-{wanted}": True, "-dark-mode": dark, "-light-mode": not dark}, update=False)

    def on_mount(self) -> None:
        self.set_keymap(self.looks.keymap)
        self.tell_problems(self.looks.problems)
        if self.grid_to_start is not None:
            self.start_grid(self.grid_to_start)

    def beat(self, beat: Beat) -> Iterable[object] | None:
        """At most ten times a second, when the terminal has taken the frame before."""
        screen = self.screen
        return screen.beat(beat) if isinstance(screen, CommandScreen) else None

    @cached_property
    def batch(self) -> BatchOptions:
        """How a grid is measured; its path comes with the grid."""
        from tunetui.session import BatchOptions

        return self._make_batch() if self._make_batch is not None else BatchOptions(Path())

    # ------------------------------------------------------------------------------------------ commands

    async def action_command(self, name: str) -> None:
        """Carry out a command that every screen has."""
        await carry_out(self, by_id(self.OFFERS)[name], self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Commands that would do nothing now are grey."""
        if action == "command" and parameters:
            command = by_id(self.OFFERS).get(str(parameters[0]))
            return True if command is None or command().enabled(self) else None
        return super().check_action(action, parameters)

    def action_command_palette(self) -> None:
        """Ours, which a second Enter does not kill."""
        if not isinstance(self.screen, SafePalette):
            self.push_screen(SafePalette(id="--command-palette"))

    def palette_entries(self) -> Iterable[PaletteEntry]:
        """A line for every theme, and for everything that is kept on this machine."""
        for name in sorted(self.looks.themes):
            yield PaletteEntry(f"Theme: {name}", "take this colour theme", lambda n=name: self.take_theme(n))  # type: ignore[misc]
        yield from self.kept_entries()

    def take_theme(self, name: str) -> None:
        """One of our themes."""
        self.theme = name

    def next_theme(self) -> None:
        """The one after it, by name."""
        names = sorted(self.looks.themes)
        if names:
            place = names.index(self.theme) + 1 if self.theme in names else 0
            self.theme = names[place % len(names)]
            self.tell(f"theme: {self.theme}")

    # -------------------------------------------------------------------------------------- how it ends

    def _handle_exception(self, error: Exception) -> None:
        """An error in a part of the screen costs that part; one in a screen or in the app ends the app, not the run."""
        failure = failing.note(error)
        self.failures.append(failure)
        if failing.survivable(failure, self.failures):
            self.tell(
                f"a part of the screen failed and is not drawn any more; the run goes on. {failure.where}", "error"
            )
            return
        self.leaving = self.leaving or "leave"
        self.exit(return_code=1)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a screen before this one."""
        return len(self.screen_stack) > 1
