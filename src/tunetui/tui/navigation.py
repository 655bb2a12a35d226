"""From screen to screen: what is opened over what, and how the app is left."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import host_name
from tunetui.tui.quiet_collector import QUIET_FOR_S
from tunetui.tui.screens.command_screen import CommandScreen, PaletteEntry

if TYPE_CHECKING:
    from textual.app import App

    from tunetui.session import BatchOptions
    from tunetui.session.sharing import Shared
    from tunetui.tui.app import Cockpit
    from tunetui.tui.row_detail import RowDetail

    _Mixed = App[None]
else:
    _Mixed = object


_ROW = "row"
"""The name of the one screen that shows rows."""


class Navigation(_Mixed):
    """The half of the app that moves between screens."""

    @property
    def _cockpit(self) -> Cockpit:
        return cast("Cockpit", self)

    # ------------------------------------------------------------------------------------------- screens

    @property
    def present_screen(self) -> CommandScreen | None:
        """The screen that is looked at; a palette or a dialog over it does not count."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, CommandScreen)), None)

    @property
    def label(self) -> str:
        """What everything on screen must be labelled with: the label of the topmost screen that has one."""
        screens = [screen for screen in reversed(self.screen_stack) if isinstance(screen, CommandScreen)]
        return next((screen.label for screen in screens if screen.label), "")

    def show_help(self) -> None:
        """Every key of this screen."""
        from tunetui.tui.screens.help import help_screen, moves_of

        cockpit, screen = self._cockpit, self.present_screen
        groups: dict[str, Any] = {}
        moves: list[Any] = []
        name = "tunetui"
        if screen is not None:
            name = screen.TITLED
            groups["On this screen"] = screen.OFFERS
            moves = moves_of(screen)
        groups["Everywhere"] = cockpit.OFFERS
        self.push_screen(help_screen(name, groups, cockpit.looks.keymap, moves))

    def show_notices(self) -> None:
        """What was said so far."""
        from tunetui.tui.screens.help import notices_screen

        self.clear_notifications()  # they would stand over themselves
        self.push_screen(notices_screen(self._cockpit.said))

    async def go_back(self) -> None:
        """Close the present screen; the first one stays."""
        screen = self.screen
        if not self._cockpit.can_go_back or (isinstance(screen, CommandScreen) and screen.held_back(self.pop_screen)):
            return
        await self.pop_screen()

    def show_kept(self) -> None:
        """Grids, leaderboards and runs to choose from."""
        from tunetui.tui.screens.start import StartScreen

        self.push_screen(StartScreen(Path.cwd()))

    def show_hosts(self) -> None:
        """The hosts, and the runs here and there."""
        from tunetui.tui.screens.hosts import HostsScreen

        if not isinstance(self.screen, HostsScreen):
            self.push_screen(HostsScreen())

    def prepare(self) -> None:
        """Load what the first row that is opened needs, while nobody waits for anything."""
        if self._cockpit.collector.is_quiet(monotonic()):
            import tunetui.tui.screens.row  # noqa: F401 - for whoever asks for it next
        else:
            self._cockpit.after(QUIET_FOR_S, self.prepare)

    def open_row(self, detail: RowDetail) -> None:
        """A row on its screen, which is made once."""
        from tunetui.tui.screens.row import RowScreen

        if self.is_screen_installed(_ROW):
            known = self.get_screen(_ROW, RowScreen)
            if known not in self.screen_stack:
                known.show_row(detail)
        else:
            self.install_screen(RowScreen(detail), _ROW)
        self.push_screen(_ROW)

    def set_up(self, path: Path) -> None:
        """Open a grid to be changed and started.  Raises TunetuiError."""
        from tunetui.tui.grid_draft import GridDraft
        from tunetui.tui.screens.setup import SetupScreen

        self.push_screen(SetupScreen(GridDraft.open(path)))

    def set_up_new(self, kernel: str) -> None:
        """Begin a grid for a kernel.  Raises TunetuiError."""
        from tunetui.tui.grid_draft import GridDraft
        from tunetui.tui.screens.setup import SetupScreen

        self.push_screen(SetupScreen(GridDraft.new(kernel, Path.cwd())))

    def open_file(self, path: Path) -> None:
        """Open a saved leaderboard or the journal of a run.  Raises TunetuiError."""
        from tunetui.tui.screens.leaderboard import board_screen

        self.push_screen(board_screen(path))

    def open_replay(self, journal: Path, speed: float = 1.0) -> None:
        """Play a journal.  Raises TunetuiError."""
        from tunetui.session.replaying import Replay
        from tunetui.tui.screens.run import RunScreen
        from tunetui.tui.sources import ReplayedRun

        self.push_screen(RunScreen(ReplayedRun(Replay(journal, speed))))

    def kept_entries(self) -> Iterable[PaletteEntry]:
        """A palette line for every saved leaderboard here and every kept run."""
        from tunetui.session import library

        for path in library.kept_leaderboards(Path.cwd()):
            yield PaletteEntry(f"Leaderboard: {path.name}", "open this file", partial(self._try, self.open_file, path))
        for run in library.kept_runs():
            journal = run.journal
            yield PaletteEntry(f"Run: {run.name}", "open its leaderboard", partial(self._try, self.open_file, journal))
            yield PaletteEntry(f"Attach: {run.name}", "follow it to its end", partial(self.attach, run.name))
            yield PaletteEntry(f"Replay: {run.name}", "play its journal", partial(self._try, self.open_replay, journal))

    def _try(self, open_it: Any, path: Path) -> None:
        try:
            open_it(path)
        except TunetuiError as error:
            self._cockpit.tell_error(error)

    # ----------------------------------------------------------------------------------------- a live run

    def start_grid(self, path: Path) -> None:
        """Open the grid's run and measure what is missing; at most one run at a time."""
        if self._cockpit.live is not None and self._cockpit.live.alive:
            self._cockpit.tell("a run is at work already; stop it or leave it first", "warning")
            return
        self.run_worker(self._open_and_run(path), name="open run", group="run", exclusive=True)

    def measuring(self, path: Path) -> BatchOptions:
        """How a grid is measured from here; questions of hosts and keys are asked on the screen."""
        from tunetui.tui.screens.asking import ScreenAsker

        cockpit = self._cockpit
        asked = cockpit.batch.command if cockpit.batch.grid_path == path else ""
        command = asked or f"tunetui {shlex.quote(str(path))}"
        links = replace(cockpit.batch.links, ask_about_host_keys=True)
        return replace(
            cockpit.batch,
            grid_path=path,
            command=command,
            links=links,
            asker=ScreenAsker(cockpit),
            on_wait=self._tell_wait,
        )

    def _tell_wait(self, host: str, words: str) -> None:
        """While a run is opened; its own screen says so by itself."""
        if words and (self._cockpit.live is None or not self._cockpit.live.alive):
            self._cockpit.tell(f"waiting for {host_name(host)} to {words}", "warning")

    def _usd_per_hour(self, shared: Shared) -> float | None:
        """What the hosts of a run cost together, as the settings say; None where they say nothing."""
        from tunetui.session import Session

        known = self._cockpit.batch.preparing.settings
        hosts = {place.host for place in shared.hand.places} if isinstance(shared.hand, Session) else set()
        prices = [known[host].usd_per_hour for host in hosts if host in known]
        return sum(price for price in prices if price is not None) if any(p is not None for p in prices) else None

    async def _open_and_run(self, path: Path) -> None:
        from tunetui.session.sharing import Shared, ways_of

        cockpit = self._cockpit
        cockpit.tell(f"opening {path}")
        if cockpit.live is not None:
            cockpit.live.close()  # it is over, and may be the run that is opened again
        try:
            shared = await Shared.open(ways_of(self.measuring(path)))
        except TunetuiError as error:
            cockpit.tell_error(error)
            return
        await self._attend(shared)

    def attach(self, run: str) -> None:
        """Follow a run that is kept here and goes on somewhere; at most one run at a time."""
        if self._cockpit.live is not None and self._cockpit.live.alive:
            self._cockpit.tell("a run is at work already; stop it or leave it first", "warning")
            return
        self.run_worker(self._attach_and_follow(run), name="attach", group="run", exclusive=True)

    async def _attach_and_follow(self, run: str) -> None:
        from tunetui.session.run_life import Reach
        from tunetui.session.sharing import Shared, Ways
        from tunetui.session.taking_up import Attaching, attach

        cockpit = self._cockpit
        cockpit.tell(f"attaching to {run}")
        if cockpit.live is not None:
            cockpit.live.close()
        options = self.measuring(Path())
        reach, command = Reach(options.links, options.asker, on_wait=self._tell_wait), f"tunetui attach {run}"
        how = Attaching(reach, command=command, preparing=options.preparing)
        try:
            shared = await Shared.open(Ways(lambda: attach(run, how), reach, command=command))
        except TunetuiError as error:
            cockpit.tell_error(error)
            return
        await self._attend(shared)

    async def _attend(self, shared: Shared) -> None:
        from tunetui.tui.screens.run import RunScreen
        from tunetui.tui.sources import LiveRun

        cockpit = self._cockpit
        cockpit.live = LiveRun(shared)
        shared.on_change = cockpit.tell
        if shared.why:
            cockpit.tell(shared.why)
        self.push_screen(RunScreen(cockpit.live, self._usd_per_hour(shared)))
        await cockpit.live.attend()
        cockpit.live.close()  # somebody else may take it up
        if cockpit.live.failure is not None:
            cockpit.tell_error(cockpit.live.failure)
        if cockpit.live.saved:
            cockpit.tell(f"wrote {' and '.join(map(str, cockpit.live.saved))}")

    # ---------------------------------------------------------------------------------------- how to leave

    async def action_quit(self) -> None:
        """Leave; with a run at work or a machine that was rented, ask what is to become of it."""
        screens = [screen for screen in self.screen_stack if isinstance(screen, CommandScreen)]
        if not any(screen.held_back(self.quit_anyway) for screen in screens):
            self.quit_anyway()

    def quit_anyway(self) -> None:
        """Leave, whatever the screens would lose."""
        from tunetui.tui.quitting import ask_and_quit

        self.run_worker(ask_and_quit(self._cockpit), name="quit", group="quit")
