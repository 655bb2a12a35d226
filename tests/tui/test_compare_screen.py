"""The Compare screen over a run and its repetition on an H200."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.core.test_compare import planted
from tests.tui.cockpit import by_palette, cockpit_of, leaderboard_screen, opened, shown, until
from tunetui.core.compare import SLOWER, compare
from tunetui.core.noise_words import noise_in_words
from tunetui.session import read_leaderboard
from tunetui.tui.compared_text import method_lines
from tunetui.tui.screens.choosing import ChooseBoardScreen
from tunetui.tui.screens.compare import CompareScreen
from tunetui.tui.screens.leaderboard import board_screen
from tunetui.tui.screens.text import TextScreen

DATA = Path(__file__).parents[1] / "data"
FIRST, AGAIN = (DATA / f"h200-{name}.leaderboard.json" for name in ("first", "again"))


def screen_of(pilot: Pilot[None]) -> CompareScreen:
    screen = pilot.app.screen
    assert isinstance(screen, CompareScreen)
    return screen


def slowed() -> CompareScreen:
    first, again = read_leaderboard(FIRST), read_leaderboard(AGAIN)
    return CompareScreen(first, planted(again, 1.08, 4), ("first", "slowed"))


async def compared(pilot: Pilot[None]) -> CompareScreen:
    await until(pilot, lambda: screen_of(pilot).found is not None and screen_of(pilot).rows.store.count == 96)
    return screen_of(pilot)


async def test_a_leaderboard_is_compared_with_one_that_is_saved_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(AGAIN, tmp_path / "again.leaderboard.json")
    shutil.copy(FIRST, tmp_path / FIRST.name)  # what is looked at stands last, however new it is
    monkeypatch.chdir(tmp_path)
    async with opened(board_screen(FIRST)) as pilot:
        await pilot.press("c")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseBoardScreen))
        assert "again.leaderboard.json" in shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await compared(pilot)
        await until(pilot, lambda: "0 SLOWER  0 FASTER" in shown(pilot))
        assert "changed: nothing that is recorded" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, CompareScreen))


async def test_escape_chooses_nothing() -> None:
    async with opened(leaderboard_screen()) as pilot:
        before = pilot.app.screen
        await by_palette(pilot, "Compare")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChooseBoardScreen))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is before)


async def test_the_slow_row_stands_first_and_can_be_shown_alone() -> None:
    async with opened(slowed()) as pilot:
        screen = await compared(pilot)
        await until(pilot, lambda: "1 SLOWER" in shown(pilot))
        store = screen.rows.store
        assert store.text("verdict", int(screen.rows.ordering.rows[0])) == SLOWER
        await pilot.press("v")
        await until(pilot, lambda: len(screen.rows.ordering.rows) == 1)
        assert "only slower" in shown(pilot)
        while screen.alone is not None:
            screen.next_verdict()
        await until(pilot, lambda: len(screen.rows.ordering.rows) == 96)


async def test_a_row_says_why_its_verdict_is_what_it_is_and_can_be_copied() -> None:
    async with opened(slowed()) as pilot:
        screen = await compared(pilot)
        await until(pilot, lambda: screen.can_copy)
        await pilot.press("y")
        await until(pilot, lambda: "SLOWER  +" in pilot.app.clipboard)
        await pilot.press("Y")
        await until(pilot, lambda: pilot.app.clipboard.startswith("+"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        await until(pilot, lambda: "p of no difference" in shown(pilot) and "first   measured" in shown(pilot))


async def test_only_verdicts_that_there_are_take_turns_and_the_order_turns_around() -> None:
    async with opened(slowed()) as pilot:
        screen = await compared(pilot)
        await pilot.press("S")
        await until(pilot, lambda: screen.rows.ordering.descending)
        counts = screen.found.counts if screen.found else {}
        seen = []
        for _ in range(4):
            screen.next_verdict()
            seen.append(screen.alone)
        there = [verdict for verdict in ("slower", "faster", "undecided", "same") if counts[verdict]]
        assert len(there) < 4
        assert seen == [*there, None, *there][:4]


async def test_swapping_makes_slower_faster() -> None:
    async with opened(slowed()) as pilot:
        await compared(pilot)
        await pilot.press("x")
        await until(pilot, lambda: "1 FASTER" in shown(pilot))
        assert "0 SLOWER" in shown(pilot)


async def test_columns_sort_and_the_method_can_be_read() -> None:
    async with opened(slowed()) as pilot:
        screen = await compared(pilot)
        await pilot.press("s")
        await until(pilot, lambda: screen.rows.ordering.sort_key == "percent")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(pilot.app.screen, TextScreen))
        await until(pilot, lambda: "Welch" in shown(pilot) and "noise of cuda: " in shown(pilot))


def test_noise_is_told_as_the_command_line_tells_it() -> None:
    found = compare(read_leaderboard(FIRST), read_leaderboard(AGAIN))
    lines = ["".join(text for text, _ in spans) for spans in method_lines(found)]
    assert f"noise of cuda: {noise_in_words(found.boards[0].noise[0])}" in lines


async def test_other_kernels_are_refused_on_the_screen() -> None:
    other = read_leaderboard(DATA / "quickstart.leaderboard.json")
    async with opened(CompareScreen(read_leaderboard(FIRST), other, ("a", "b"))) as pilot:
        await until(pilot, lambda: "no problem in common" in shown(pilot))
        assert any("no problem in common" in each.text for each in cockpit_of(pilot).said)


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_it_is_drawn_on_small_terminals(size: tuple[int, int]) -> None:
    async with opened(slowed(), size=size) as pilot:
        await compared(pilot)
        await until(pilot, lambda: "SLOWER" in shown(pilot))
