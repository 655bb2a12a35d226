from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from tests.tui.drawing import Stage, lines_on_screen
from tunetui.tui.widgets.tail_log import LogLine, TailLog


async def test_the_log_follows_its_end() -> None:
    log = TailLog()
    app = Stage(log)
    async with app.run_test(size=(30, 4)) as pilot:
        log.write(["one", "two"])
        await pilot.pause()
        assert [line.split() for line in lines_on_screen(app)] == [["one"], ["two"], [], []]
        log.write([f"line {number}" for number in range(20)])
        await pilot.pause()
        assert [line[:7] for line in lines_on_screen(app)] == ["line 16", "line 17", "line 18", "line 19"]


@asynccontextmanager
async def read_from_its_beginning() -> AsyncIterator[tuple[TailLog, Stage, Pilot[None]]]:
    """A log of twenty lines, scrolled back to the first."""
    log = TailLog()
    app = Stage(log)
    async with app.run_test(size=(30, 4)) as pilot:
        log.write([f"line {number}" for number in range(20)])
        await pilot.pause()
        await pilot.press("home")
        await pilot.pause()
        yield log, app, pilot


async def test_scrolled_back_it_stays_where_it_is_until_the_end_is_reached_again() -> None:
    async with read_from_its_beginning() as (log, app, pilot):
        log.write(["new"])
        await pilot.pause()
        assert [line[:6] for line in lines_on_screen(app)] == ["line 0", "line 1", "line 2", "line 3"]
        await pilot.press("end")
        await pilot.pause()
        log.write(["newest"])
        await pilot.pause()
        assert lines_on_screen(app)[3].startswith("newest")


async def test_a_long_line_is_wrapped_and_wrapped_again_when_the_width_changes() -> None:
    log = TailLog()
    app = Stage(log)
    async with app.run_test(size=(11, 5)) as pilot:
        log.write([LogLine("0123456789abcdef", "bad"), "日本語日本語"])
        await pilot.pause()
        assert [line[:10].rstrip() for line in lines_on_screen(app)] == ["0123456789", "abcdef", "日本語日本", "語", ""]
        await pilot.resize_terminal(21, 5)
        await pilot.pause()
        assert [line[:16].rstrip() for line in lines_on_screen(app)][:2] == ["0123456789abcdef", "日本語日本語"]


async def test_the_oldest_lines_are_dropped_and_what_is_read_stays_in_place() -> None:
    log = TailLog(max_lines=100)
    app = Stage(log)
    async with app.run_test(size=(30, 4)) as pilot:
        log.write([f"line {number}" for number in range(100)])
        await pilot.pause()
        log.scroll_to(y=50, animate=False)
        await pilot.pause()
        log.write(["new"])
        await pilot.pause()
        assert len(log.entries) == 91
        assert [line[:7] for line in lines_on_screen(app)] == ["line 50", "line 51", "line 52", "line 53"]


async def test_a_line_added_below_what_is_read_paints_nothing() -> None:
    async with read_from_its_beginning() as (log, app, pilot):
        before = log.lines_repainted
        log.write([f"more {number}" for number in range(20)])
        assert log.lines_repainted == before
        log.write([])
        log.clear()
        await pilot.pause()
        assert "".join(lines_on_screen(app)).strip(" ▁▂▃▄▅▆▇█") == ""


async def test_lines_written_before_it_is_shown_are_there() -> None:
    log = TailLog()
    log.write(["early\nbird", "\ttab", ""])
    app = Stage(log)
    async with app.run_test(size=(30, 6)) as pilot:
        await pilot.pause()
        assert [line.rstrip() for line in lines_on_screen(app)][:3] == ["early", "bird", "    tab"]
