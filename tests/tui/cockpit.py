"""The app opened over what was recorded from a real run, for tests: how to press, wait and read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.command import Command as PaletteLine
from textual.command import CommandList
from textual.pilot import Pilot
from textual.widgets import Input

from tunetui.session.replaying import Replay
from tunetui.tui.app import Cockpit, Looks
from tunetui.tui.opening import AppOptions, find_looks, given_up
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.sources import ReplayedRun
from tunetui.tui.terminal_port import text_of_screen

DATA = Path(__file__).parents[1] / "data"
JOURNAL = DATA / "quickstart.journal.jsonl"
BOARD = DATA / "quickstart.leaderboard.json"
_PATIENCE_SECONDS = 300.0


def replay_screen(journal: Path = JOURNAL, speed: float = 1e6) -> RunScreen:
    """A replay that is over at the first look, unless it is slower."""
    return RunScreen(ReplayedRun(Replay(journal, speed)))


def leaderboard_screen(path: Path = BOARD) -> CommandScreen:
    return board_screen(path)


@asynccontextmanager
async def opened(
    screen: CommandScreen, size: tuple[int, int] = (160, 48), looks: Looks | None = None
) -> AsyncIterator[Pilot[None]]:
    """The app with this first screen, once it has drawn it; whatever failed in it fails the test."""
    app = Cockpit(screen, looks or find_looks(AppOptions()))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot
        reports = [failure.report.read_text() for failure in app.failures if failure.report is not None]
        assert reports == []
    await given_up(_PATIENCE_SECONDS)


def cockpit_of(pilot: Pilot[None]) -> Cockpit:
    app = pilot.app
    assert isinstance(app, Cockpit)
    return app


def shown(pilot: Pilot[None]) -> str:
    """The screen as plain text."""
    return "\n".join(text_of_screen(pilot.app.screen))


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    """Let the app work until something holds; it must before long."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"still not so:\n{shown(pilot)}"
        await pilot.pause(0.02)


async def looped_until(holds: Callable[[], bool]) -> None:
    """As `until`, without asking every widget: one of them may be dead."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "still not so"
        await asyncio.sleep(0.02)


async def by_palette(pilot: Pilot[None], name: str) -> None:
    """Choose a line of the command palette by its whole name."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: bool(pilot.app.screen.query(CommandList)))
    pilot.app.screen.query_one(Input).value = name

    def offers_it() -> bool:
        found = pilot.app.screen.query_one(CommandList)
        first = found.get_option_at_index(0) if found.option_count else None
        return isinstance(first, PaletteLine) and first.hit.text == name

    await until(pilot, offers_it)
    await pilot.press("enter")
    await until(pilot, lambda: not pilot.app.screen.query(CommandList))
    await pilot.pause()
