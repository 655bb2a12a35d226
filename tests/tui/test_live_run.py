"""A real sweep on this machine's CPU, started, steered, left and attached to again from the app."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.cockpit import cockpit_of, shown, until
from tunetui.core.snapshot import MEASURED
from tunetui.tui.app import Cockpit
from tunetui.tui.opening import AppOptions, close_up, find_looks
from tunetui.tui.screens.leaving import LeavingScreen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.start import StartScreen

GRID = """
name = "small"
kernel = "semantic-search"
device = "cpu"
implementations = ["numpy"]

[axes]
tile_rows = [64, 128, 256, 512]
select = ["argpartition", "sort"]
threads = [1]

[problem]
corpus_size = 1000
dims = 32
queries = 1
k = 4

[method]
max_seconds = 0.4
precision_percent = 0.2
finalists_seconds = 0.5
ceilings = "none"
energy = "none"
"""


@pytest.fixture
def grid(home: Path) -> Path:
    path = home / "small.toml"
    path.write_text(GRID)
    return path


def run_screen(pilot: Pilot[None]) -> RunScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen


def app_at(folder: Path) -> Cockpit:
    return Cockpit(StartScreen(folder), find_looks(AppOptions()))


async def started(pilot: Pilot[None], grid: Path) -> RunScreen:
    cockpit_of(pilot).start_grid(grid)
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    screen = run_screen(pilot)
    await until(pilot, lambda: screen.run_now.counts.measured > 0)
    return screen


async def test_a_grid_is_measured_and_steered_and_its_files_are_written(grid: Path, home: Path) -> None:
    app = app_at(grid.parent)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await started(pilot, grid)
        total = screen.run_now.counts.total
        await pilot.press("p")
        await until(pilot, lambda: bool(screen.run_now.paused))
        await until(pilot, lambda: "  paused" in shown(pilot).splitlines()[0])
        waiting = next(row.trial for row in screen.run_now.rows.values() if row.status == "queued")
        screen.board_table.move_to_key(waiting)
        await pilot.press("x")
        await until(pilot, lambda: screen.run_now.rows[waiting].status == "skipped")
        await pilot.press("r")
        await until(pilot, lambda: screen.run_now.rows[waiting].status == "queued")
        await pilot.press("i")
        assert screen.pinned == [waiting]
        measured = next(row.trial for row in screen.run_now.rows.values() if row.status == MEASURED)
        screen.board_table.move_to_key(measured)
        await pilot.press("a", "f", "p")
        await until(pilot, lambda: screen.run_now.rows[measured].times_measured > 1)
        await until(pilot, lambda: not screen.run_now.paused)
        await pilot.press("e")
        assert (home / "small.leaderboard.toml").exists()
        await until(pilot, lambda: screen.run_now.ended is not None)
        await until(pilot, lambda: app.live is not None and not app.live.alive)
        assert screen.run_now.counts.measured == total
        assert app.failures == []
    assert await close_up(app) == 0
    assert (home / "small.leaderboard.json").exists()


async def test_a_run_that_is_left_goes_on_and_the_next_app_attaches_to_it(grid: Path) -> None:
    first = app_at(grid.parent)
    async with first.run_test(size=(80, 24)) as pilot:
        screen = await started(pilot, grid)
        before = set(screen.run_now.agents)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("l")
        await until(pilot, lambda: not pilot.app.is_running)
    await close_up(first)
    assert first.live is not None
    assert first.live.session.ended == ""
    second = app_at(grid.parent)
    async with second.run_test(size=(80, 24)) as pilot:
        screen = await started(pilot, grid)
        await until(pilot, lambda: screen.run_now.ended is not None)
        assert before <= set(screen.run_now.agents)
        assert all(row.times_measured <= 2 for row in screen.run_now.rows.values())  # once, and once in the race
        assert cockpit_of(pilot).failures == []
        await until(pilot, lambda: second.live is not None and not second.live.alive)
    await close_up(second)


async def test_stopping_keeps_what_was_measured(grid: Path, home: Path) -> None:
    app = app_at(grid.parent)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(pilot, grid)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("s")
        await until(pilot, lambda: not pilot.app.is_running)
    await close_up(app)
    assert app.live is not None
    assert app.live.session.ended in {"interrupted", "done"}
    assert (home / "small.leaderboard.toml").exists()


async def test_two_apps_on_one_run_the_second_is_told_who_has_it(grid: Path) -> None:
    first = app_at(grid.parent)
    async with first.run_test() as pilot:
        await started(pilot, grid)
        second = app_at(grid.parent)
        async with second.run_test() as other:
            second.start_grid(grid)
            await until(other, lambda: any("in the hands of another tunetui" in each.text for each in second.said))
        await pilot.press("t", "t")
        await until(pilot, lambda: first.live is not None and not first.live.alive)
    await close_up(first)


async def test_a_grid_with_a_mistake_is_refused_in_words_and_the_app_stays(home: Path) -> None:
    (home / "bad.toml").write_text('name = "bad"\nkernel = "row-sum"\ndevice = "tpu"\n')
    app = app_at(home)
    async with app.run_test() as pilot:
        app.start_grid(home / "bad.toml")
        await until(pilot, lambda: any("tpu" in each.text for each in app.said))
        assert isinstance(pilot.app.screen, StartScreen)
        assert app.failures == []
