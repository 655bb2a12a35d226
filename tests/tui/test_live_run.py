"""A real sweep on this machine's CPU, started, steered, left and attached to again from the app."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.e2e.workplace import Workplace
from tests.tui.cockpit import by_palette, cockpit_of, shown, until
from tunetui.tui.app import Cockpit
from tunetui.tui.opening import AppOptions, close_up, find_looks
from tunetui.tui.screens.leaving import LeavingScreen
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.screens.start import StartScreen


@pytest.fixture
def work(home: Path) -> Iterator[Workplace]:
    """A grid of eight trials, each of which waits for its gate, so that nothing depends on how fast anything is."""
    place = Workplace(home.parent)
    place.grid(how='["waits"]', number=str(list(range(8))))
    yield place
    place.end()


def run_screen(pilot: Pilot[None]) -> RunScreen:
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    return screen


def app_at(folder: Path) -> Cockpit:
    return Cockpit(StartScreen(folder), find_looks(AppOptions()))


async def started(pilot: Pilot[None], work: Workplace) -> RunScreen:
    """The run, with a trial on the device."""
    cockpit_of(pilot).start_grid(work.folder / "grid.toml")
    return await watched(pilot)


async def watched(pilot: Pilot[None]) -> RunScreen:
    await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
    screen = run_screen(pilot)
    await until(pilot, lambda: bool(screen.run_now.running))
    return screen


async def test_a_grid_is_measured_and_steered_and_its_files_are_written(work: Workplace, home: Path) -> None:
    app = app_at(home)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await started(pilot, work)
        total = screen.run_now.counts.total
        (present,) = screen.run_now.running.values()
        measured = screen.run_now.rows[present.trial]
        await pilot.press("p")
        assert app.said[-1].text == "pausing after the present trial"
        work.open_gate(int(measured.configuration["number"]))
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
        assert app.said[-1].text == "pinned: measured before the others"
        screen.board_table.move_to_key(measured.trial)
        await pilot.press("x")
        assert app.said[-1].text == "its outcome stands; it is skipped where it was queued again"
        work.open_gate()
        await pilot.press("a", "f", "p")
        await until(pilot, lambda: screen.run_now.rows[measured.trial].times_measured > 1)
        await until(pilot, lambda: not screen.run_now.paused)
        await pilot.press("e")
        assert (home / "grid.leaderboard.toml").exists()
        await until(pilot, lambda: screen.run_now.ended is not None)
        await until(pilot, lambda: app.live is not None and not app.live.alive)
        assert screen.run_now.counts.measured == total
        assert app.failures == []
    assert await close_up(app) == 0
    assert (home / "grid.leaderboard.json").exists()


async def test_a_run_that_is_left_goes_on_and_the_next_app_attaches_to_it(
    work: Workplace, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = app_at(home)
    async with first.run_test(size=(80, 24)) as pilot:
        screen = await started(pilot, work)
        before = set(screen.run_now.agents)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("l")
        await until(pilot, lambda: not pilot.app.is_running)
        assert screen.run_now.plan is not None
        name = screen.run_now.plan.run
    await close_up(first)
    assert f"the run goes on on this machine: tunetui attach {name} takes it up again" in capsys.readouterr().err
    assert first.live is not None
    assert first.live.session.ended == ""
    second = app_at(home)
    async with second.run_test(size=(80, 24)) as pilot:
        await by_palette(pilot, f"Attach: {name}")
        screen = await watched(pilot)
        work.open_gate()
        await until(pilot, lambda: screen.run_now.ended is not None)
        assert before <= set(screen.run_now.agents)
        assert all(row.times_measured == 1 for row in screen.run_now.rows.values())
        assert cockpit_of(pilot).failures == []
        await until(pilot, lambda: second.live is not None and not second.live.alive)
    await close_up(second)


async def test_stopping_keeps_what_was_measured(work: Workplace, home: Path) -> None:
    app = app_at(home)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(pilot, work)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("s")
        await until(pilot, lambda: not pilot.app.is_running)
    work.open_gate()
    await close_up(app)
    assert app.live is not None
    assert app.live.session.ended in {"interrupted", "done"}  # the others may be quicker than the wish
    assert any(row["status"] == "measured" for row in board_of(home))


def board_of(home: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((home / "grid.leaderboard.json").read_bytes())["boards"][0]["rows"]
    return found


async def test_two_apps_on_one_run_the_second_is_told_who_has_it_and_leaves_unasked(
    work: Workplace, home: Path
) -> None:
    first = app_at(home)
    async with first.run_test() as pilot:
        await started(pilot, work)
        second = app_at(home)
        async with second.run_test() as other:
            second.start_grid(work.folder / "grid.toml")
            await until(other, lambda: any("another tunetui" in each.text for each in second.said))
            await until(other, lambda: second.live is not None and second.live.alive)
            await other.press("q")
            await until(other, lambda: not other.app.is_running)
        await close_up(second)
        assert first.live is not None
        assert first.live.alive
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
