"""Every screen over recorded journals looks as it did, at two sizes and in two themes."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.cockpit import BOARD, JOURNAL, leaderboard_screen, opened, shown, until
from tests.tui.picturing import PICTURES, check_picture, difference, picture_of, text_of
from tunetui.session.replaying import Replay
from tunetui.tui.opening import AppOptions, find_looks
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.start import StartScreen
from tunetui.tui.sources import ReplayedRun

SIZES = [(80, 24), (160, 48)]
THEMES = ["slate", "paper"]
MIDDLE_S, END_S = 20.0, 1e6
ROW_PAGES = {"samples": "1", "figures": "2", "resources": "3", "build": "4", "provenance": "5", "records": "6"}
"""The pages of a row, by their keys."""


@pytest.fixture(autouse=True)
def _recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is drawn depends on nothing of this machine: neither on its zone nor on where the files are."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    shutil.copy(JOURNAL, home)
    shutil.copy(BOARD, home)
    yield
    monkeypatch.undo()
    time.tzset()


def replayed_until(seconds: float) -> RunScreen:
    """A replay that has stopped this long after its beginning."""
    times = iter([0.0])
    replay = Replay(Path(JOURNAL.name), clock=lambda: next(times, seconds))
    _ = replay.snapshot
    replay.paused = True
    return RunScreen(ReplayedRun(replay))


@asynccontextmanager
async def drawn(screen: CommandScreen, size: tuple[int, int], theme: str) -> AsyncIterator[Pilot[None]]:
    async with opened(screen, size, replace(find_looks(AppOptions()), theme=theme)) as pilot:
        yield pilot


async def at_rest(pilot: Pilot[None]) -> None:
    """Until nothing has changed over several looks; of a run, over more than it takes for rows to change places."""
    seen: list[str] = []
    looks = 14 if isinstance(pilot.app.screen, RunScreen) else 6

    def rests() -> bool:
        seen.append(picture_of(pilot.app.screen))
        return len(seen) > looks and len(set(seen[-looks:])) == 1

    await until(pilot, rests)


async def check(name: str, pilot: Pilot[None], size: tuple[int, int], theme: str) -> None:
    await at_rest(pilot)
    wrong = check_picture(f"{name}-{size[0]}x{size[1]}-{theme}", pilot.app.screen)
    assert not wrong, wrong


on_every_screen = pytest.mark.parametrize(("size", "theme"), [(size, theme) for size in SIZES for theme in THEMES])


@on_every_screen
@pytest.mark.parametrize(("moment", "seconds"), [("middle", MIDDLE_S), ("end", END_S)])
async def test_the_run_screen(moment: str, seconds: float, size: tuple[int, int], theme: str) -> None:
    async with drawn(replayed_until(seconds), size, theme) as pilot:
        await until(pilot, lambda: "REPLAY" in shown(pilot))
        await check(f"run-{moment}", pilot, size, theme)


@on_every_screen
async def test_the_leaderboard_and_its_heatmap(size: tuple[int, int], theme: str) -> None:
    async with drawn(board_screen(Path(BOARD.name)), size, theme) as pilot:
        await check("leaderboard", pilot, size, theme)
        await pilot.press("h")
        await check("heatmap", pilot, size, theme)


@on_every_screen
async def test_the_pages_of_a_row(size: tuple[int, int], theme: str) -> None:
    async with drawn(board_screen(Path(JOURNAL.name)), size, theme) as pilot:
        await pilot.press("enter")
        for page, key in ROW_PAGES.items():
            await pilot.press(key)
            await check(f"row-{page}", pilot, size, theme)


@on_every_screen
async def test_the_help_of_a_screen(size: tuple[int, int], theme: str) -> None:
    async with drawn(leaderboard_screen(), size, theme) as pilot:
        await pilot.press("question_mark")
        await check("help", pilot, size, theme)


@on_every_screen
async def test_what_is_kept_here(home: Path, size: tuple[int, int], theme: str) -> None:
    (home / "mine.toml").write_text('name = "mine"\nkernel = "semantic-search"\n')
    async with drawn(StartScreen(home), size, theme) as pilot:
        await check("start", pilot, size, theme)


async def test_a_difference_is_told_by_lines_of_text_or_by_colours() -> None:
    async with opened(leaderboard_screen(), (80, 24)) as pilot:
        before = picture_of(pilot.app.screen)
        lines = text_of(before)
        assert lines == [line.rstrip() for line in shown(pilot).splitlines()]
        assert difference(before, before) == ""
        told = difference(before, before.replace("mojo", "nono", 1)).splitlines()
        assert [line[0] for line in told[3:] if line[0] in "+-"] == ["-", "+"]
        (rule,) = {word for word in before.split("}") if word.startswith(".c0{")}
        recoloured = difference(before, before.replace(rule, ".c0{fill:#123456"))
        assert recoloured.splitlines()[0].startswith("line 1, other colours: ")


def test_the_pictures_stay_small() -> None:
    files = list(PICTURES.glob("*.svg"))
    assert len(files) == len(SIZES) * len(THEMES) * (6 + len(ROW_PAGES))
    assert sum(file.stat().st_size for file in files) < 1_500_000
