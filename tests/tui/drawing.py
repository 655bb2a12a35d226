"""Makers and readers for tests of what is drawn: a store of rows, an app around one widget, the screen as text."""

from __future__ import annotations

from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget

from tunetui.tui.widgets.columns import Column, number_column, text_column
from tunetui.tui.widgets.store import ColumnStore


class Stage(App[None]):
    """One widget on an empty screen."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self.shown = widgets
        self.heard: list[Any] = []

    def compose(self) -> ComposeResult:
        yield from self.shown

    def on_mount(self) -> None:
        for widget in self.shown:
            if widget.focusable:
                widget.focus()
                break


def lines_on_screen(app: App[Any]) -> list[str]:
    """The screen as plain text, one string per line, blanks at the end left out."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def rows(count: int) -> ColumnStore:
    """``count`` rows named r0, r1, ...; ``speed`` falls with the row's number, so that the last one is the smallest."""
    store = ColumnStore(["speed", "size"], ["name", "note"], capacity=4)
    names = [f"r{row}" for row in range(count)]
    speeds = [float(count - row) for row in range(count)]
    store.extend(names, {"name": names, "speed": speeds, "size": [float(row % 7) for row in range(count)]})
    return store


def columns() -> list[Column]:
    return [
        text_column("name", "name", 8),
        number_column("speed", "speed", 8, decimals=1),
        number_column("size", "size", 6, gives_way=2),
        text_column("note", "note", 12, gives_way=1),
    ]
