"""From a command line to the app and back: the first screen, the looks, the run that may outlive the app."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.errors import ExitCode, InputError, TunetuiError
from tunetui.core.labels import host_name
from tunetui.tui.app import Cockpit, Looks
from tunetui.tui.commands.boards import BOARD
from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.commands.comparing import COMPARE, CompareBoards
from tunetui.tui.commands.everywhere import EVERYWHERE
from tunetui.tui.commands.hosts import HOSTS
from tunetui.tui.commands.machines import MACHINES
from tunetui.tui.commands.rows import HEATMAP, ROW
from tunetui.tui.commands.runs import STEERING
from tunetui.tui.commands.setup import SETUP
from tunetui.tui.commands.starting import START
from tunetui.tui.keys import checked_keys
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.themes import DEFAULT_THEME, load_themes

if TYPE_CHECKING:
    from tunetui.session import BatchOptions
    from tunetui.tui.sources import LiveRun

SCOPES: dict[str, tuple[AnyCommand, ...]] = {
    "Setup": (*EVERYWHERE, *SETUP),
    "Start": (*EVERYWHERE, *START),
    "Hosts": (*EVERYWHERE, *HOSTS),
    "Machines": (*EVERYWHERE, *MACHINES),
    "Run": (*EVERYWHERE, *STEERING, *BOARD),
    "Leaderboard": (*EVERYWHERE, *BOARD, CompareBoards),
    "Compare": (*EVERYWHERE, *COMPARE),
    "Row": (*EVERYWHERE, *ROW),
    "Heatmap": (*EVERYWHERE, *HEATMAP),
}
"""The commands that can be reached at one time, by screen."""

USUAL_KERNEL = "semantic-search"
"""What a grid is begun for where none is named."""


@dataclass(frozen=True)
class AppOptions:
    """What the command line asked for."""

    file: Path | None = None  # a grid to measure, or a leaderboard to open
    replay: str = ""
    speed: float = 1.0
    theme: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    theme_folder: Path | None = None
    mouse: bool = True
    batch: Callable[[], BatchOptions] | None = None  # how a grid is measured: overrides, hosts, links
    warnings: tuple[str, ...] = ()  # about the settings


def run_app(options: AppOptions) -> int:
    """Open the app and stay until it is left; returns the exit code.

    Raises:
        TunetuiError: no terminal, or nothing of what was asked for can be opened.
    """
    in_a_browser = "TEXTUAL_DRIVER" in os.environ  # set by textual-serve, which draws through a pipe
    has_terminal = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if not in_a_browser and not has_terminal:
        raise InputError(
            "the app needs a terminal",
            hint="tunetui --batch GRID measures without one; tunetui show FILE prints a leaderboard",
        )
    return asyncio.run(_run(options))


async def _run(options: AppOptions) -> int:
    cockpit = make_app(options)
    try:
        await cockpit.run_async(mouse=options.mouse)
        return await close_up(cockpit)
    finally:
        await given_up()


async def given_up(seconds: float = 10.0) -> None:
    """Until everything is over that was cancelled with the app, or for so long: processes that it asked are ended then.

    A loop that ends while one of them is being started waits for ever: asyncio cancels what would connect its pipes.
    """
    ending = [task for task in asyncio.all_tasks() if task.cancelling() and task is not asyncio.current_task()]
    if ending:
        await asyncio.wait(ending, timeout=seconds)


def make_app(options: AppOptions) -> Cockpit:
    """The app with its first screen.  Raises TunetuiError where that cannot be opened."""
    return Cockpit(_first_screen(options), find_looks(options), options.batch)


def _first_screen(options: AppOptions) -> CommandScreen:
    """Only what this screen needs is loaded before it is painted."""
    if options.replay:
        from tunetui.session import library
        from tunetui.session.replaying import Replay
        from tunetui.tui.screens.run import RunScreen
        from tunetui.tui.sources import ReplayedRun

        return RunScreen(ReplayedRun(Replay(library.find_journal(options.replay), options.speed)))
    if options.file is not None and not _is_grid(options.file):
        from tunetui.tui.screens.leaderboard import board_screen

        return board_screen(options.file)

    from tunetui.tui.grid_draft import GridDraft
    from tunetui.tui.screens.setup import SetupScreen

    if options.file is not None:
        return SetupScreen(GridDraft.open(options.file))
    return SetupScreen(GridDraft.new(USUAL_KERNEL, Path.cwd()))


def _is_grid(path: Path) -> bool:
    return path.suffix == ".toml" and not path.name.endswith(".leaderboard.toml")


def find_looks(options: AppOptions) -> Looks:
    """Themes and keys, and what is wrong with those that cannot be used."""
    from tunetui.session import shipped_folder

    folders = [shipped_folder("themes"), *([options.theme_folder] if options.theme_folder else [])]
    themes, wrong = load_themes(folders)
    keymap, clashes = checked_keys(options.keys, SCOPES)
    problems = [*options.warnings, *map(str, wrong), *clashes]
    theme = options.theme
    if not theme and os.environ.get("NO_COLOR"):
        theme = "mono"
    if theme and theme not in themes:
        problems.append(f"there is no theme {theme!r}, {DEFAULT_THEME} is used; there is: {', '.join(sorted(themes))}")
        theme = DEFAULT_THEME
    return Looks(themes, theme, keymap, problems)


async def _finished(live: LiveRun) -> None:
    """Wait for the end; whoever is tired of waiting (Ctrl-C) is told what goes on where."""
    from tunetui.session.leaving import how_to_come_back

    for host in (state.host for state in live.links.values() if state.state == "lost"):
        text = f"the link to {host} is down: the run there ends when it is back (Ctrl-C to leave it at work)"
        print(text, file=sys.stderr)  # noqa: T201 - the app is gone
    try:
        await live.finish()
    except asyncio.CancelledError:
        if (hosts := live.shared.untold) and (plan := live.snapshot.plan):
            print(how_to_come_back(plan.run, hosts), file=sys.stderr)  # noqa: T201
        raise


async def close_up(cockpit: Cockpit) -> int:
    """After the app: let the run go or wait for its end, then settle what was rented, and say what became of each."""
    from tunetui.tui.rented_here import settle

    live = cockpit.live
    try:
        if live is not None and live.alive:
            await _let_go(live, cockpit.leaving)
    finally:
        if live is not None:
            live.close()
    for path in live.saved if live is not None else []:
        print(f"wrote {path}", file=sys.stderr)  # noqa: T201
    sure = await settle(cockpit.rented, live.links if live is not None else ())
    if cockpit.failures and cockpit.return_code:
        raise TunetuiError("the app failed and was closed", hint=cockpit.failures[-1].where)
    return ExitCode.OK if sure else ExitCode.UNAVAILABLE


async def _let_go(live: LiveRun, leaving: str) -> None:
    """End the run, or go away from it and say how to come back."""
    from tunetui.session.leaving import how_to_come_back

    if leaving == "stop":
        live.shared.request_stop()
        print("stopping after the present trial ...", file=sys.stderr)  # noqa: T201 - the app is gone
        await _finished(live)
        return
    plan = live.snapshot.plan
    await live.leave()
    if plan is not None:
        print(how_to_come_back(plan.run, [host_name(host) for host in live.links]), file=sys.stderr)  # noqa: T201
