"""One line of tabs, which needs neither a mouse nor three lines of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from textual import events
from textual.message import Message

from tunetui.core.labels import one_line
from tunetui.tui.spans import LinesPane, Span
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows


@dataclass(frozen=True)
class Tab:
    """A part of a board: the rows that have these texts in these columns; with none, all."""

    label: str
    where: Mapping[str, str]

    @property
    def filter(self) -> Filter | None:
        """The rows of the tab; None: all."""
        if not self.where:
            return None

        def shown(store: ColumnStore, rows: Rows) -> Mask:
            found = np.ones(len(rows), np.bool_)
            for name, text in self.where.items():
                found &= store.equal_to(name, text, rows) if store.is_text(name) else False
            return found

        return shown


class TabsLine(LinesPane):
    """The tabs side by side, the present one in brackets."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def show_tabs(self, tabs: Sequence[Tab], present: int) -> None:
        """Draw the tabs."""
        self._ends: list[int] = []
        spans: list[Span] = [(" ", None)]
        end = 1
        for place, tab in enumerate(tabs):
            text = f"[{one_line(tab.label)}]" if place == present else f" {one_line(tab.label)} "
            spans.append((text, "strong" if place == present else "muted"))
            end += len(text)
            self._ends.append(end)
        self.show([(*spans, ("  ] next", "muted"))])

    def on_click(self, event: events.Click) -> None:
        """The tab under the mouse."""
        for place, end in enumerate(self._ends):
            if event.x < end:
                self.post_message(self.Chosen(place))
                return
