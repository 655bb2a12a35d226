"""A program for tests in a real terminal: a paced app around a table of hostile names, told what to do by its keys."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tunetui.tui.paced_app import PacedApp
from tunetui.tui.pacing import Beat
from tunetui.tui.terminal_port import PacedScreen
from tunetui.tui.widgets.columns import number_column, text_column
from tunetui.tui.widgets.figure_line import FigureLine
from tunetui.tui.widgets.heatmap import Grid, Heatmap
from tunetui.tui.widgets.histogram import Histogram
from tunetui.tui.widgets.plot import Plot, Series
from tunetui.tui.widgets.spark import Spark
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tail_log import TailLog

HOSTILE = (
    "[b]MKP[/b] tail",
    "[@click=app.bell]CLK[/] tail",
    "x[/nope] BRK",
    "e\x1b]0;PWNED\x07\x1b[31mESC tail",
    "e\x9b31mC1 tail",
    "a\u202egnp.exe BIDI",
    "one\rtwo\nthree\x07\x08 CTL",
)


class Program(PacedApp[None]):
    ENABLE_COMMAND_PALETTE = False
    CSS = "LiveTable { height: 12; } Heatmap, Plot, Histogram, TailLog { height: 6; } Spark { height: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "change(20)", "twenty changes"),
        Binding("a", "set_aside", "aside"),
        Binding("q", "quit", "quit"),
    ]

    def get_default_screen(self) -> PacedScreen:
        return PacedScreen()

    def compose(self) -> ComposeResult:
        self.store = ColumnStore(["value"], ["name"])
        names = [*HOSTILE, *(f"row {number}" for number in range(40))]
        self.store.extend(
            [str(at) for at in range(len(names))], {"name": names, "value": np.arange(len(names), dtype=float)}
        )
        self.table = LiveTable(self.store, [text_column("name", "name", 30), number_column("value", "value", 9)])
        self.line, self.heat, self.plot = FigureLine(*HOSTILE), Heatmap(), Plot(HOSTILE[3], HOSTILE[4])
        self.bars, self.log_pane, self.spark = Histogram(HOSTILE[3]), TailLog(), Spark()
        yield from (self.line, self.table, self.heat, self.plot, self.bars, self.spark, self.log_pane)

    def on_mount(self) -> None:
        self.changes = self.beats = 0
        self.table.focus()
        self.heat.show(Grid(np.ones((7, 1)), [HOSTILE[3]], HOSTILE, HOSTILE[4], HOSTILE[5], HOSTILE[6]))
        self.plot.show(Series(np.arange(3.0), np.arange(3.0), label=HOSTILE[3]))
        self.bars.show(np.arange(9.0), {HOSTILE[3]: 3.0})
        self.log_pane.write(HOSTILE)
        self.call_after_refresh(self.say_ready)

    def say_ready(self) -> None:
        self.line.show("READY ", *HOSTILE)

    def beat(self, beat: Beat) -> None:
        if self.changes:
            self.changes -= 1
            self.beats += 1
            self.store.upsert("9", {"value": 1000.0 + self.beats})
            self.table.tick(beat.now)
            took_ms = self.round_trip_ms
            self.line.show(
                f"BEAT {self.beats:03d} {'silent' if took_ms is None else 'answers'} {'LITE' if self.lite else 'FULL'}"
            )

    def action_change(self, count: int) -> None:
        self.changes += count

    async def action_set_aside(self) -> None:
        """Another program has the terminal for a while, and meanwhile everything here wants to be drawn."""
        with self.set_aside():
            sys.stdout.write("ASIDE")
            sys.stdout.flush()
            end = monotonic() + 0.5
            while monotonic() < end:
                self.log_pane.write(["changed meanwhile"])
                self.table.refresh()
                self.screen.refresh(layout=True)
                await asyncio.sleep(0.005)
        self.line.show("BACK")


if __name__ == "__main__":
    Program().run()
