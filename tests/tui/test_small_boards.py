"""What stays on a board that does not fit: the figures that it is about, and the tab that is looked at."""

from __future__ import annotations

import re

import pytest

from tests.tui.cockpit import opened, replay_screen, shown, until
from tunetui.core.figures import count
from tunetui.tui.screens.run import RunScreen
from tunetui.tui.tabs import Tab


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (160, 48)], ids=str)
async def test_the_median_and_its_interval_are_on_screen_in_every_size(size: tuple[int, int]) -> None:
    async with opened(replay_screen(), size) as pilot:
        await until(pilot, lambda: "24/24" in shown(pilot) and "1 ✓" in shown(pilot))
        header = next(line for line in shown(pilot).splitlines() if "impl" in line)
        assert "median ms" in header
        assert "±95%" in header
        end = header.index("±95%") + len("±95%")
        first = next(line for line in shown(pilot).splitlines() if "1 ✓" in line)
        assert re.search(r"\d\.\d+ +\d+(\.\d)?$", first[:end])
        assert ("tile" in header[:end]) == (size[0] > 60)  # the settings come first where all fit


async def test_the_tab_that_is_looked_at_is_seen_however_many_there_are() -> None:
    tabs = [
        Tab("all", {}),
        *(Tab(f"corpus_size={count(number)} queries=10", {"problem": str(number)}) for number in range(9)),
    ]
    screen = replay_screen()
    async with opened(screen, (60, 20)) as pilot:
        assert isinstance(screen, RunScreen)
        await until(pilot, lambda: screen.run_now.ended is not None)
        screen.board.columns_changed = False
        screen.set_tabs(tabs)
        await pilot.pause()
        for tab in tabs:
            assert f"[{tab.label}]" in screen.tabs_line.text
            assert len(screen.tabs_line.text) <= 60
            assert screen.tabs_line.text.endswith("] next")
            await pilot.press("right_square_bracket")
            await pilot.pause()
        assert "[all]" in screen.tabs_line.text
        screen.go_to_tab(5)
        await pilot.click(screen.tabs_line, offset=(4, 0))
        await until(pilot, lambda: screen.tab == tabs[5])
        await pilot.resize_terminal(200, 20)
        await until(pilot, lambda: screen.tabs_line.text.startswith(" ") and "[" in screen.tabs_line.text)
