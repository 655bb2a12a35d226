"""What drawing may cost: CPU time, bytes and repainted lines, never wall-clock.

CPU budgets are three times the goal of bench/tui.py on a machine of 2026, and more on one that is slower by tests/tui/yardstick.py,
so that only a change of kind fails here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import thread_time

import numpy as np
from textual.pilot import Pilot

from bench.terminal import Terminal
from bench.tui_journal import records
from tests.core.journals import agent, app, measured, planned
from tests.tui.drawing import Stage, columns, rows
from tests.tui.yardstick import keeps_to, slowness
from tunetui.core.events import TrialsQueued
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.tui.run_board import RunBoard
from tunetui.tui.widgets.columns import number_column, text_column
from tunetui.tui.widgets.heatmap import Grid, Heatmap
from tunetui.tui.widgets.plot import Plot, Series
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable

MANY = 100_000
HEADROOM = 3
RESULTS_PER_BEAT = 20
SCREEN = (160, 48)
ROOT = Path(__file__).parents[2]


def many_rows(count: int = MANY) -> ColumnStore:
    draw = np.random.default_rng(0)
    store = ColumnStore(["speed", "size", "rate"], ["name", "note"], capacity=2 * count)
    names = [f"configuration {row:06d}" for row in range(count)]
    store.extend(
        names, {"name": names, "speed": draw.random(count), "size": draw.random(count), "rate": draw.random(count)}
    )
    return store


def big_table(store: ColumnStore) -> LiveTable:
    table = LiveTable(store, [*columns(), number_column("rate", "rate", 9, decimals=4)])
    table.ordering.sort_by("speed")
    return table


async def cpu_ms(pilot: Pilot[None], act: Callable[[], object], times: int = 9) -> float:
    """Median CPU of this thread for one ``act`` and the paint that it causes."""
    took = []
    for _ in range(times):
        before = thread_time()
        act()
        await pilot.pause()
        took.append((thread_time() - before) * 1e3)
    return median(took)


async def test_loading_many_rows_and_drawing_the_first_screen_of_them() -> None:
    async def starting_ms(count: int) -> float:
        before = thread_time()
        app = Stage(big_table(many_rows(count)))
        async with app.run_test(size=SCREEN) as pilot:
            await pilot.pause()
            return (thread_time() - before) * 1e3

    async def loading_ms() -> float:
        return await starting_ms(MANY) - await starting_ms(10)

    assert await keeps_to(150 * HEADROOM, loading_ms) == ""


async def test_sorting_and_filtering_many_rows() -> None:
    table = big_table(many_rows())
    app = Stage(table)
    async with app.run_test(size=SCREEN) as pilot:
        await pilot.pause()
        keys = iter(["size", "rate", "speed"] * 20)
        assert await keeps_to(25 * HEADROOM, partial(cpu_ms, pilot, lambda: table.sort_by(next(keys)))) == ""
        filters = iter([lambda store, at: store.sort_values("size", at) < 0.5, None] * 20)
        assert await keeps_to(25 * HEADROOM, partial(cpu_ms, pilot, lambda: table.filter_by(next(filters)))) == ""


async def test_a_beat_with_results_costs_the_same_however_many_rows_there_are() -> None:
    draw = np.random.default_rng(1)

    def beat(table: LiveTable) -> None:
        for row in draw.integers(0, len(table.store), RESULTS_PER_BEAT).tolist():
            table.store.upsert(f"configuration {row:06d}", {"speed": draw.random(), "note": "measured"})
        table.order_interval_s = 0.0
        table.tick()

    for count, goal_ms in ((300, 6), (MANY, 8)):
        table = big_table(many_rows(count))
        app = Stage(table)
        async with app.run_test(size=SCREEN) as pilot:
            await pilot.pause()
            assert await keeps_to(goal_ms * HEADROOM, partial(cpu_ms, pilot, partial(beat, table))) == "", count


async def test_a_beat_repaints_only_lines_that_a_result_is_on() -> None:
    table = big_table(many_rows())
    app = Stage(table)
    async with app.run_test(size=SCREEN) as pilot:
        await pilot.pause()
        table.order_held = True
        visible = table.ordering.rows[: table.page_lines].tolist()
        hidden = table.ordering.rows[1000:1200].tolist()
        before = table.lines_repainted
        for row in [*hidden, visible[3], visible[9]]:
            table.store.upsert(table.store.key_of(row), {"size": 7.0})
        table.tick()
        assert table.lines_repainted - before == 2


async def test_plots_are_cheap_enough_for_twice_a_second() -> None:
    heat, plot = Heatmap(), Plot()
    draw = np.random.default_rng(0)
    names = [str(number) for number in range(20)]
    x = np.arange(2000.0)
    for widget, show in (
        (heat, lambda: heat.show(Grid(draw.random((20, 20)), names, names))),
        (
            plot,
            lambda: plot.show(
                Series(x, draw.random(2000)), Series(x, np.minimum.accumulate(draw.random(2000)), "steps")
            ),
        ),
    ):
        app = Stage(widget)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            assert await keeps_to(12 * HEADROOM, partial(cpu_ms, pilot, show)) == "", type(widget).__name__


def test_the_bytes_of_a_first_screen_and_of_live_results() -> None:
    """The bench's board at 160x48: all panes, 200 results per second."""
    command = [
        sys.executable,
        str(ROOT / "bench" / "tui_board.py"),
        "--rows",
        "300",
        "--rate",
        "200",
        "--events",
        "400",
    ]
    with Terminal(command, environment={"PYTHONPATH": str(ROOT)}) as terminal:
        ready_at = terminal.wait_for(b"READY", 300)
        assert ready_at is not None, bytes(terminal.arrived[-2000:])
        assert terminal.arrived.index(b"READY") <= 55_000
        made_at = terminal.wait_for(b"ALL MADE", 300)
        assert made_at is not None
        terminal.settle()
        assert terminal.bytes_written <= 55_000 + max(400 / 200, made_at - ready_at) * 60_000 * 1.5


def test_the_whole_app_replays_results_within_its_budget_of_cpu_and_bytes(tmp_path: Path) -> None:
    """A made-up journal that says so: 300 rows, then 200 results a second, all panes of the Run screen."""
    seconds, rate = 4.0, 200.0
    journal = tmp_path / "journal.jsonl"
    with journal.open("w", encoding="utf-8") as file:
        for line in records(ROOT / "tests/data/quickstart.journal.jsonl", 300, rate, seconds, grow=False):
            file.write(json.dumps(line) + "\n")
    command = [sys.executable, "-m", "tunetui", "--replay", str(journal)]
    with Terminal(command, environment={"PYTHONPATH": str(ROOT / "src")}) as terminal:
        shown_at = terminal.wait_for(b"SYNTHETIC", 300)
        assert shown_at is not None, bytes(terminal.arrived[-2000:])
        used_s, written, slow = terminal.cpu_s(), terminal.bytes_written, slowness()
        over_at = terminal.wait_for(b"at the end", 300)
        assert over_at is not None, bytes(terminal.arrived[-2000:])
        slow, seconds = max(slow, slowness()), max(seconds, over_at - shown_at)
        assert terminal.cpu_s() - used_s <= (seconds * 0.10 * HEADROOM + 0.5) * slow  # the rest of its start
        assert terminal.bytes_written - written <= 55_000 + seconds * 60_000 * 1.5


async def test_folding_and_showing_results_costs_the_same_however_many_rows_the_run_has() -> None:
    def beat_ms(rows: int) -> float:
        trials = [measured(number, [1]).trial for number in range(rows)]
        run = fold(Run(), [app(0, planned(trials=rows)), app(1, TrialsQueued(trials=trials))])
        board, took = RunBoard(), []
        board.take(run)
        while board.is_behind:
            board.catch_up()
        for turn in range(15):
            results = [
                agent(20 * turn + at, measured((turn * 977 + at) % rows, [900 + at] * 9))
                for at in range(RESULTS_PER_BEAT)
            ]
            before = thread_time()
            run = fold(run, results)
            board.take(run)
            took.append((thread_time() - before) * 1e3)
        return median(took)

    # What many cost beyond a multiple of what few do.
    assert await keeps_to(1.0, lambda: beat_ms(30_000) - HEADROOM * beat_ms(300)) == ""


async def test_a_line_costs_no_more_styles_than_it_has() -> None:
    """A change of style is some 40 bytes on the wire: neighbours of equal style are one piece."""
    table = LiveTable(rows(50), [text_column("name", "name", 8), number_column("speed", "speed", 8)])
    app = Stage(table)
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert [len(list(table.render_line(y))) for y in range(3)] == [1, 1, 1]
