"""Draws one row of a table as a strip of styled cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tunetui.tui.widgets.columns import CellTone, Column, ColumnLayout, Place
from tunetui.tui.widgets.literal import fit
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.tones import ToneStyles
from tunetui.tui.widgets.whole_line import whole_line

CURSOR_MARK, CUT_MARK = "▸", "…"

_Cells = Callable[[Sequence[Place]], list[Segment]]


@dataclass(frozen=True)
class RowStyles:
    """The styles a table is drawn with."""

    row: Style
    header: Style
    found: Style
    tones: ToneStyles


class RowPainter:
    """Cells of equal style are merged into one segment: every change of style costs some 40 bytes on the wire."""

    def __init__(self, layout: ColumnLayout, styles: RowStyles, row_tone: CellTone | None = None) -> None:
        self._layout = layout
        self._styles = styles
        self._row_tone = row_tone

    def row(self, store: ColumnStore, row: int, *, cursor: Style | None, needle: str, x: int, width: int) -> Strip:
        """One row, scrolled by ``x`` and ``width`` cells wide; ``cursor``: the style of the row that has it."""
        base = self._row_style(store, row) if cursor is None else cursor

        def cells(places: Sequence[Place]) -> list[Segment]:
            pieces: list[tuple[str, Style]] = []
            for place in places:
                column = place.column
                text = fit(column.cell(store, row), column.width, right=column.right)
                if column.right and text.strip():
                    text = self._whole_or_marked(text, place, x, width)
                style = base
                if column.tone is not None and cursor is None and (tone := column.tone(store, row)) is not None:
                    style = base + self._styles.tones[tone]
                if needle and column.searchable:
                    pieces += _marked(text, needle, style, base + self._styles.found)
                else:
                    pieces.append((text, style))
                pieces.append((" ", base))
            return _merged(pieces)

        mark = CURSOR_MARK if cursor is not None else " "
        return self._line(Segment(mark, base), cells, base, x, width)

    def header(self, sort_key: str | None, *, descending: bool, x: int, width: int) -> Strip:
        """The labels, with an arrow at the sorting column."""
        style = self._styles.header
        arrow = "▼" if descending else "▲"

        def label(column: Column) -> str:
            if column.key != sort_key:
                return fit(column.label, column.width, right=column.right)
            return fit(
                fit(column.label, min(column.width - 1, len(column.label))) + arrow, column.width, right=column.right
            )

        def cells(places: Sequence[Place]) -> list[Segment]:
            return [Segment("".join(label(place.column) + " " for place in places), style)]

        return self._line(Segment(" ", style), cells, style, x, width)

    def blank(self, width: int) -> Strip:
        return Strip.blank(width, self._styles.row)

    def _line(self, gutter: Segment, cells: _Cells, base: Style, x: int, width: int) -> Strip:
        layout = self._layout
        if x == 0 and layout.width <= width:
            return whole_line([gutter, *cells(layout.fixed_places), *cells(layout.moving_places)], width, base)
        fixed = min(layout.fixed_width, width)
        left = Strip([gutter, *cells(layout.fixed_places)], layout.fixed_width).crop_extend(0, fixed, base)
        if fixed == width:
            return whole_line(left, width, base)
        right = Strip(cells(layout.moving_places), layout.width - layout.fixed_width)
        return whole_line([*left, *right.crop_extend(x, x + width - fixed, base)], width, base)

    def _whole_or_marked(self, text: str, place: Place, x: int, width: int) -> str:
        """A figure of which the line has room for a part only would be read as another one."""
        fixed = self._layout.fixed_width
        if place.start < fixed or (place.start - x >= fixed and place.end - x <= width):
            return text
        return CUT_MARK.ljust(len(text)) if place.start - x >= fixed else CUT_MARK.rjust(len(text))

    def _row_style(self, store: ColumnStore, row: int) -> Style:
        tone = None if self._row_tone is None else self._row_tone(store, row)
        return self._styles.row if tone is None else self._styles.row + self._styles.tones[tone]


def _merged(pieces: list[tuple[str, Style]]) -> list[Segment]:
    segments: list[Segment] = []
    texts: list[str] = []
    style: Style | None = None
    for text, its_style in pieces:
        if its_style is not style and its_style != style:
            if texts:
                segments.append(Segment("".join(texts), style))
            texts, style = [], its_style
        texts.append(text)
    segments.append(Segment("".join(texts), style))
    return segments


def _marked(text: str, needle: str, style: Style, found: Style) -> list[tuple[str, Style]]:
    pieces = []
    folded, start = text.lower(), 0
    while (at := folded.find(needle, start)) >= 0 and len(folded) == len(text):
        pieces += [(text[start:at], style), (text[at : at + len(needle)], found)]
        start = at + len(needle)
    pieces.append((text[start:], style))
    return [piece for piece in pieces if piece[0]]
