"""A board like the run screen over made-up rows: what the widgets and the pacing cost, apart from everything else.

Its figures are SYNTHETIC, stand for no measurement of anything, and are labelled so on its screen.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import sys
import time
from collections import deque
from pathlib import Path
from typing import ClassVar

import numpy as np

import tunetui.tui  # noqa: F401  isort: skip (says how often Textual may paint, before that is imported)
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer
from tui_probe import Probe

from tunetui.tui.paced_app import PacedApp
from tunetui.tui.pacing import Beat
from tunetui.tui.terminal_port import PacedScreen
from tunetui.tui.widgets.columns import Column, number_column, text_column
from tunetui.tui.widgets.figure_line import FigureLine
from tunetui.tui.widgets.heatmap import Grid, Heatmap
from tunetui.tui.widgets.plot import Plot, Series
from tunetui.tui.widgets.spark import Spark
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tail_log import TailLog

TILES, BLOCKS, WARPS, STAGES = [16, 32, 64, 128, 256], [16, 32, 64, 128, 256], [1, 2, 4, 8], [1, 2, 3, 4, 5]
STATUS = ["measured", "measured", "measured", "failed", "measuring"]
GLYPH = {"measured": "✓", "failed": "✗", "measuring": "▶"}
BURST = 20
NUMBERS = ["tile", "block", "warps", "stages", "median", "p95", "rate", "occupancy", "bandwidth", "registers"]


def columns() -> list[Column]:
    """As many as a real leaderboard has."""
    return [
        text_column("name", "configuration", 18),
        *(number_column(name, name, 6) for name in ("tile", "block", "warps", "stages")),
        number_column("median", "median", 10, decimals=3),
        number_column("p95", "p95", 10, decimals=3),
        number_column("rate", "TFLOP/s", 9, decimals=2),
        number_column("occupancy", "occ %", 7, decimals=1, gives_way=1),
        number_column("bandwidth", "GB/s", 8, decimals=1, gives_way=2),
        number_column("registers", "regs", 5, gives_way=3),
        Column(
            "status",
            "status",
            11,
            lambda store, row: GLYPH.get(store.text("status", row), " ") + " " + store.text("status", row),
            right=False,
            tone=lambda store, row: "bad" if store.text("status", row) == "failed" else None,
        ),
    ]


class Board(PacedApp[None]):
    """Table, sparklines, heatmap, plot and log, fed at a steady rate."""

    CSS = """
    #head, #status { background: $panel; }
    #sparks { height: 1; } #sparks Spark { width: 1fr; }
    #middle { height: 1fr; } #right { width: 44; border-left: vkey $primary; }
    LiveTable { width: 1fr; } Heatmap, Plot { height: 1fr; } TailLog { height: 7; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("s", "sort_next", "Sort"),
        Binding("f", "filter", "Measured only"),
        Binding("p", "pause", "Pause"),
    ]

    def __init__(self, asked: argparse.Namespace, probe: Probe) -> None:
        super().__init__()
        self.asked, self.probe = asked, probe
        self.random = random.Random(7)
        self.events: deque[tuple[float, int]] = deque()
        self.applied = self.moves = 0
        self.paused = self.is_ready = False
        self.next_new = asked.rows
        self.numbers_drawn = 0

    def get_default_screen(self) -> PacedScreen:
        return PacedScreen()

    def compose(self) -> ComposeResult:
        self.table = LiveTable(made_up(self.asked.rows), columns(), fixed=1)
        self.table.ordering.sort_by("median")
        self.head, self.status = FigureLine(" SYNTHETIC bench rows", id="head"), FigureLine(" ", id="status")
        self.sparks = [Spark(0, 100) for _ in range(4)]
        self.heat, self.plot, self.log_pane = Heatmap(), Plot("result", "ms"), TailLog(max_lines=5000)
        yield self.head
        yield Horizontal(*self.sparks, id="sparks")
        yield Horizontal(self.table, Vertical(self.heat, self.plot, id="right"), id="middle")
        yield self.log_pane
        yield self.status
        yield Footer()

    def on_mount(self) -> None:
        self.table.focus()
        self.call_after_refresh(self.ready)

    def ready(self) -> None:
        self.probe.samples["ready_cpu_ms"].append(time.process_time() * 1e3)
        self.is_ready = True
        self.status.show(" READY")
        if self.asked.rate:
            self.feed = asyncio.create_task(self.make_up_events())
            self.set_interval(0.5, self.telemetry)

    async def make_up_events(self) -> None:
        """Bursts at the asked rate until the asked number of events; half of them of new rows if asked for."""
        start, made = time.perf_counter(), 0
        while not self.asked.events or made < self.asked.events:
            due = start + made / self.asked.rate
            await asyncio.sleep(max(due - time.perf_counter(), 0.0))
            for number in range(max(BURST, int(self.asked.rate / 100))):
                new = self.asked.grow and (made + number) % 2
                row = self.next_new if new else self.random.randrange(self.next_new)
                self.next_new += bool(new)
                self.events.append((due, row))
                made += 1
        self.status.show(" ALL MADE")

    def beat(self, beat: Beat) -> None:
        if self.paused:
            return
        now, lines, upsert, count = time.perf_counter(), [], self.table.store.upsert, len(self.events)
        for _ in range(count):
            due, row = self.events.popleft()
            if len(self.probe.samples["age_ms"]) < 10_000:
                self.probe.samples["age_ms"].append((now - due) * 1e3)
            values = self.values_of(row)
            upsert(f"k{row}", values)
            if len(lines) < 20:
                lines.append(f"{row:06d} {values['status']} median {values['median']:.3f} ms")
        self.applied += count
        self.table.order_interval_s = beat.rates.order_s
        self.table.tick(beat.now)
        self.log_pane.write(lines)
        if beat.draw_plots and count:
            self.draw_plots()
            self.head.show(f" SYNTHETIC bench rows: {len(self.table.store)}, {self.applied} results applied")

    def values_of(self, row: int) -> dict[str, float | str]:
        random = self.random.random
        median = 5 + 200 * random() ** 3
        return {
            "name": f"cfg-{row:06d}",
            "median": median,
            "p95": median * 1.1,
            "rate": 20000 / median,
            "occupancy": 100 * random(),
            "bandwidth": 3000 * random(),
            "registers": int(16 + 239 * random()),
            "status": STATUS[int(5 * random())],
            **({} if row < self.asked.rows else {"tile": TILES[row % 5], "block": BLOCKS[row // 5 % 5], "warps": 4}),
        }

    def telemetry(self) -> None:
        if not self.lite and not self.is_behind:
            for number, line in enumerate(self.sparks):
                line.push(50 + 40 * math.sin(time.perf_counter() / (3 + number)) + 8 * self.random.random())

    def draw_plots(self) -> None:
        store = self.table.store
        median, tile, block = (store.numbers(name) for name in ("median", "tile", "block"))
        grid = np.full((5, 5), np.inf)
        at = (
            np.searchsorted(TILES, np.nan_to_num(tile)).clip(0, 4),
            np.searchsorted(BLOCKS, np.nan_to_num(block)).clip(0, 4),
        )
        np.minimum.at(grid, at, median)
        self.heat.show(
            Grid(np.where(np.isinf(grid), np.nan, grid), [*map(str, BLOCKS)], [*map(str, TILES)], "block", "tile", "ms")
        )
        recent = median[-2000:]
        x = np.arange(len(median) - len(recent), len(median), dtype=float)
        best = np.fmin.accumulate(recent)
        self.plot.show(Series(x, recent, tone="muted", label="measured"), Series(x, best, "steps", "accent", "best"))

    def on_live_table_row_highlighted(self, event: LiveTable.RowHighlighted) -> None:
        self.moves += 1
        self.status.show(f" {'READY' if self.is_ready else ''} moves={self.moves:05d} {event.key}")

    def action_sort_next(self) -> None:
        keys = ["median", "p95", "rate", "occupancy", "bandwidth"]
        now = self.table.ordering.sort_key
        self.table.sort_by(keys[(keys.index(now) + 1) % len(keys)] if now in keys else keys[0])

    def action_filter(self) -> None:
        shown = None if self.table.ordering.shown else lambda store, rows: store.equal_to("status", "measured", rows)
        self.table.filter_by(shown)

    def action_pause(self) -> None:
        self.paused = not self.paused


def made_up(count: int) -> ColumnStore:
    """``count`` rows of no device."""
    draw = np.random.default_rng(0)
    median = draw.gamma(3, 40, count) + 5
    store = ColumnStore(NUMBERS, ["name", "status"], capacity=count + 1024)
    store.extend(
        [f"k{row}" for row in range(count)],
        {
            "name": [f"cfg-{row:06d}" for row in range(count)],
            "tile": draw.choice(TILES, count).astype(float),
            "block": draw.choice(BLOCKS, count).astype(float),
            "warps": draw.choice(WARPS, count).astype(float),
            "stages": draw.choice(STAGES, count).astype(float),
            "median": median,
            "p95": median * 1.1,
            "rate": 20000 / median,
            "occupancy": draw.random(count) * 100,
            "bandwidth": draw.random(count) * 3000,
            "registers": draw.integers(16, 255, count).astype(float),
            "status": [STATUS[at] for at in draw.integers(0, 5, count)],
        },
    )
    return store


def main() -> int:
    """Run until `q` is pressed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--rate", type=float, default=200.0, help="results per second; 0: none")
    parser.add_argument("--events", type=int, default=0, help="stop after this many; 0: never")
    parser.add_argument("--grow", action="store_true", help="half of the results are of new rows")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    probe = Probe()
    probe.install()
    if asked.out:
        probe.write_at_exit(asked.out)
    Board(asked, probe).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
