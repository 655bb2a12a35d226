"""The drawing half of a table: a header, and the rows of an ordering in the columns that fit."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from tunetui.tui.widgets.columns import CellTone, Column, ColumnLayout, fitting
from tunetui.tui.widgets.line_view import LineView
from tunetui.tui.widgets.ordering import Ordering
from tunetui.tui.widgets.row_painter import RowPainter, RowStyles
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.tones import tone_styles

_PARTS = ("header", "cursor", "cursor-unfocused", "found")


class RowView(LineView):
    """Draws the rows of ``ordering`` under a header; which row the cursor is on is told to it as a position."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"rows--{name}" for name in _PARTS}
    DEFAULT_CSS = """
    RowView {
        & > .rows--header { background: $panel; color: $foreground; text-style: bold; }
        & > .rows--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground; text-style: $block-cursor-text-style;
        }
        & > .rows--cursor-unfocused { background: $boost; text-style: bold; }
        & > .rows--found { text-style: bold underline; color: $text-warning; }
    }
    """
    header_lines = 1

    def __init__(
        self,
        store: ColumnStore,
        columns: Sequence[Column],
        *,
        fixed: int = 1,
        row_tone: CellTone | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """``columns`` in their order, of which the first ``fixed`` do not scroll; ``row_tone``: of whole rows."""
        super().__init__(name=name, id=id, classes=classes)
        self.columns = list(columns)
        self.ordering = Ordering(store)
        self._position = 0
        self._needle = ""
        self._fixed, self._row_tone = fixed, row_tone
        self._layout = ColumnLayout(self.columns, fixed)
        self._chosen: list[Column] | None = None
        self._painter_now: RowPainter | None = None
        self._cursor_styles: tuple[Style | None, Style, Style] = (None, Style(), Style())

    @property
    def store(self) -> ColumnStore:
        return self.ordering.store

    # --------------------------------------------------------------------------------------------- columns

    @property
    def shown_keys(self) -> list[str]:
        """The keys of the columns on the line now."""
        return [place.column.key for place in self._layout.places]

    def choose_columns(self, keys: Iterable[str] | None) -> None:
        """Show the columns of these keys, in this order, whatever room there is; None: all that fit.

        Raises:
            KeyError: a key that no column has.
        """
        by_key = {column.key: column for column in self.columns}
        self._chosen = None if keys is None else [by_key[key] for key in keys]
        self._lay_out_columns()

    def on_resize(self) -> None:
        self._lay_out_columns()

    def _lay_out_columns(self) -> None:
        shown = fitting(self.columns, self.view_size.width) if self._chosen is None else self._chosen
        if shown != [place.column for place in self._layout.places]:
            self._layout, self._painter_now = ColumnLayout(shown, self._fixed), None
            self.forget_drawing()
        self.fit_content()

    def fit_content(self) -> None:
        """Tell the scrollbars how much there is."""
        self.set_content_size(self._layout.width, len(self.ordering.rows))

    # ------------------------------------------------------------------------------------------- painting

    def line_key(self, y: int) -> Hashable:
        if y == 0:
            return self.ordering.sort_key, self.ordering.descending
        position = y - 1 + self.top.y
        if position >= len(self.ordering.rows):
            return None
        row = int(self.ordering.rows[position])
        return row, int(self.store.stamps[row]), (1 + self.has_focus) if position == self._position else 0

    def draw_line(self, y: int) -> Strip:
        painter, width, x = self._painter(), self.across, self.top.x
        if y == 0:
            return painter.header(self.ordering.sort_key, descending=self.ordering.descending, x=x, width=width)
        position = y - 1 + self.top.y
        if position >= len(self.ordering.rows):
            return painter.blank(width)
        cursor = self._cursor_styles[(1 + self.has_focus) if position == self._position else 0]
        row = int(self.ordering.rows[position])
        return painter.row(self.store, row, cursor=cursor, needle=self._needle, x=x, width=width)

    def notify_style_update(self) -> None:
        self._painter_now = None
        super().notify_style_update()

    def on_focus(self) -> None:
        self.repaint_changed()

    def on_blur(self) -> None:
        self.repaint_changed()

    def _painter(self) -> RowPainter:
        """Looking a style up walks the whole ancestry, so they are kept until the theme changes."""
        if self._painter_now is None:
            part = {name: self.get_component_rich_style(f"rows--{name}") for name in _PARTS if name != "found"}
            found = self.get_component_rich_style("rows--found", partial=True)
            self._cursor_styles = (None, part["cursor-unfocused"], part["cursor"])
            styles = RowStyles(self.rich_style, part["header"], found, tone_styles(self))
            self._painter_now = RowPainter(self._layout, styles, self._row_tone)
        return self._painter_now
