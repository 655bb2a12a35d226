"""One line of tabs, which needs neither a mouse nor three lines of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from textual import events
from textual.message import Message

from tunetui.core.labels import one_line
from tunetui.tui.spans import LinesPane, Span
from tunetui.tui.widgets.literal import fit
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows

_MORE_LEFT, _NEXT = "‹ ", "  ] next"


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

    _tabs: Sequence[Tab] = ()
    _present = _first = 0
    _ends: Sequence[int] = ()

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def show_tabs(self, tabs: Sequence[Tab], present: int) -> None:
        """Draw the tabs; where there is no room for all, from so far on that the present one is seen."""
        self._tabs, self._present = tabs, present
        texts = [
            f"[{one_line(tab.label)}]" if at == present else f" {one_line(tab.label)} " for at, tab in enumerate(tabs)
        ]
        room = self.size.width - len(_NEXT) - len(_MORE_LEFT)
        self._first = 0
        while self._first < present and sum(map(len, texts[self._first : present + 1])) > room:
            self._first += 1
        before = _MORE_LEFT if self._first else " "
        spans: list[Span] = [(before, "muted")]
        end = len(before)
        self._ends = []
        for place in range(self._first, len(tabs)):
            text = texts[place]
            left = self.size.width - len(_NEXT) - end
            if len(text) > left > 0:
                text = fit(text, left)
            elif left <= 0 < self.size.width:
                break
            spans.append((text, "strong" if place == present else "muted"))
            end += len(text)
            self._ends.append(end)
        self.show([(*spans, (_NEXT, "muted"))])

    def on_resize(self) -> None:
        """There is room for others."""
        self.show_tabs(self._tabs, self._present)

    def on_click(self, event: events.Click) -> None:
        """The tab under the mouse."""
        for place, end in enumerate(self._ends, self._first):
            if event.x < end:
                self.post_message(self.Chosen(place))
                return
