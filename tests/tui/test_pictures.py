"""Every screen over recorded journals looks as it did, at two sizes and in two themes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.core.test_compare import planted
from tests.tui.cockpit import BOARD, DATA, JOURNAL, leaderboard_screen, opened, shown, until
from tests.tui.picturing import PICTURES, check_picture, difference, picture_of, text_of
from tunetui.core.examination import decode_examination
from tunetui.session import library, read_leaderboard
from tunetui.session.host_answers import HostAnswer
from tunetui.session.replaying import Replay
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.opening import AppOptions, find_looks
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.compare import CompareScreen
from tunetui.tui.screens.hosts import HostsScreen
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.setup import SetupScreen
from tunetui.tui.screens.start import StartScreen
from tunetui.tui.sources import ReplayedRun

SIZES = [(80, 24), (160, 48)]
THEMES = ["slate", "paper"]
MIDDLE_S, END_S = 20.0, 1e6
ROW_PAGES = {"samples": "1", "figures": "2", "resources": "3", "build": "4", "provenance": "5", "records": "6"}
"""The pages of a row, by their keys."""
GRID = """name = "small"
kernel = "semantic-search"
device = "cpu"
implementations = ["mojo", "numpy"]

[axes]
tile_rows = [24, 96, 1024]  # rows
threads = [1, 2]

[constraints]
where = ["tile_rows * threads < 2000"]

[targets]
"latency_ms.p95" = "< 50"

[hosts]
use = ["box"]

[budget]
minutes = 10
usd = 1.00
"""


@pytest.fixture(autouse=True)
def _recorded(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is drawn depends on nothing of this machine: neither on its zone nor on where the files are."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    (home / "ssh_config").write_text("Host box\n  HostName 192.0.2.7\n")
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(home / "ssh_config"))
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


@on_every_screen
async def test_a_grid_that_is_set_up(home: Path, size: tuple[int, int], theme: str) -> None:
    """The device that it is counted for is that of the recorded run; nobody is asked."""
    (home / "grid.toml").write_text(GRID)
    recorded = library.read_run(Path(JOURNAL.name))
    async with drawn(SetupScreen(GridDraft.open(home / "grid.toml")), size, theme) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, SetupScreen)
        screen.outlook.answers["box"] = HostAnswer(
            "box", devices=list(recorded.devices.values()), toolchains={"cpu": list(recorded.toolchains.values())}
        )
        screen.outlook.look(screen.draft.text)
        await until(pilot, lambda: screen.prospect is not None and screen.prospect.device is not None)
        await check("setup", pilot, size, theme)


@on_every_screen
async def test_hosts_of_which_one_was_examined(size: tuple[int, int], theme: str) -> None:
    async with drawn(HostsScreen(), size, theme) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, HostsScreen)
        await until(pilot, lambda: not screen.busy)
        screen.found["local"] = decode_examination(json.loads((DATA / "local.doctor.json").read_text()))
        screen.show_all()
        await check("hosts", pilot, size, theme)


@on_every_screen
async def test_two_leaderboards_held_against_each_other(size: tuple[int, int], theme: str) -> None:
    first, again = (read_leaderboard(DATA / f"h200-{name}.leaderboard.json") for name in ("first", "again"))
    async with drawn(CompareScreen(first, planted(again, 1.08, 4), ("first", "slowed")), size, theme) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: screen.found is not None and screen.rows.store.count == 96)
        await check("compare", pilot, size, theme)


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
    assert len(files) == len(SIZES) * len(THEMES) * (9 + len(ROW_PAGES))
    assert sum(file.stat().st_size for file in files) < 1_500_000
