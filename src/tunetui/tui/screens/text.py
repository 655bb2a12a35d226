"""A screen to read: lines under a title."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult

from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane, Spans
from tunetui.tui.text_view import TextView
from tunetui.tui.widgets.keys_line import KeysLine


class TextScreen(CommandScreen):
    """A title over lines to read."""

    TITLED = "Text"

    def __init__(self, title: str, lines: Sequence[Spans]) -> None:
        super().__init__()
        self.heading_text = title
        self.heading = LinesPane(classes="title")
        self.view = TextView(lines, id="text")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.view
        yield KeysLine()

    def on_mount(self) -> None:
        self.heading.show([self.titled(self.heading_text)])
        self.view.focus()
