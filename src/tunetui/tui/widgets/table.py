"""A live table: any number of rows, sorted and filtered while they change, drawn only where something looks different."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar

import numpy as np
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tunetui.tui.widgets.ordering import Filter, Ordering
from tunetui.tui.widgets.row_view import RowView
from tunetui.tui.widgets.store import ColumnStore

_HOLD_WHILE_SCROLLING_S = 1.5
_COLUMN_STEP_CELLS = 8


class LiveTable(RowView):
    """Shows a `ColumnStore`.  Call `tick` some ten times a second, after writing to the store; never once per event.

    Values are shown at every tick; the order changes at most every ``order_interval_s``, and not while the user
    moves about.  The cursor stays on its row wherever that row goes; until it is first moved, and again after a jump
    to the first row, it is on whatever row is first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup,ctrl+b", "turn_page(-1)", "Page up", show=False, id="table.page_up"),
        Binding("pagedown,ctrl+f", "turn_page(1)", "Page down", show=False, id="table.page_down"),
        Binding("home,g", "jump_first", "First row", show=False, id="table.first"),
        Binding("end,G", "jump_last", "Last row", show=False, id="table.last"),
        Binding("left", "move_columns(-1)", "Columns left", show=False, id="table.left"),
        Binding("right", "move_columns(1)", "Columns right", show=False, id="table.right"),
        Binding("enter", "choose", "Open row", show=False, id="table.choose"),
    ]

    class RowMessage(Message):
        """Something about one row of a table."""

        def __init__(self, table: LiveTable, row: int) -> None:
            super().__init__()
            self.table, self.row, self.key = table, row, table.store.key_of(row)

        @property
        def control(self) -> LiveTable:
            return self.table

    class RowHighlighted(RowMessage):
        """The cursor is on another row than before."""

    class RowChosen(RowMessage):
        """Enter, or a double click."""

    class Sorted(Message):
        """The order is by another column or in another direction: by a click on a header, or by `sort_by`."""

        def __init__(self, table: LiveTable, key: str, *, descending: bool) -> None:
            super().__init__()
            self.table, self.key, self.descending = table, key, descending

        @property
        def control(self) -> LiveTable:
            return self.table

    order_interval_s = 0.5
    order_held = False
    """True: rows stay where they are until it is False again."""

    _followed: int | None = None  # the row the cursor stays on; None: whatever is first
    _highlighted: int | None = None
    _ordered_at = _held_until = 0.0

    # ------------------------------------------------------------------------------------------------ data

    def on_mount(self) -> None:
        self.ordering.rebuild()
        self._settle()

    def show(self, store: ColumnStore) -> None:
        """Show another store with the same columns; sorting and filter stay."""
        before, self.ordering = self.ordering, Ordering(store)
        self.ordering.sort_key, self.ordering.descending = before.sort_key, before.descending
        self.ordering.shown = before.shown
        self.ordering.rebuild()
        self._followed = self._highlighted = None
        self._position = 0
        self.forget_drawing()
        self._settle()

    def tick(self, now: float | None = None) -> None:
        """Show what changed in the store since the last tick; ``now``: seconds on the monotonic clock."""
        now = monotonic() if now is None else now
        reorder = not self.order_held and now >= self._held_until and now - self._ordered_at >= self.order_interval_s
        before = self.ordering.rows
        changed = self.ordering.fold(reorder=reorder)
        if reorder and self.ordering.rows is not before:
            self._ordered_at = now
        if len(changed) or self.ordering.rows is not before:
            self._settle()

    def sort_by(self, key: str, *, descending: bool | None = None) -> None:
        """Sort by a column of the store; by the same one again: in the other direction, unless that is given."""
        ordering = self.ordering
        if descending is None:
            descending = key == ordering.sort_key and not ordering.descending
        ordering.fold(reorder=False)
        ordering.sort_by(key, descending=descending)
        self._settle()
        self.post_message(self.Sorted(self, key, descending=descending))

    def filter_by(self, shown: Filter | None) -> None:
        """Show only the rows for which ``shown`` is true; None: all."""
        self.ordering.shown = shown
        self.ordering.rebuild()
        self._settle()

    def search(self, text: str) -> None:
        """Mark ``text`` wherever a searchable column shows it; the empty text marks nothing."""
        self._needle = text.lower()
        self.forget_drawing()

    def find_next(self, step: int = 1) -> bool:
        """Move the cursor to the next row (-1: the one before) that holds the searched text; False: there is none."""
        if not self._needle:
            return False
        found = np.flatnonzero(self.store.containing(self._needle, self.ordering.rows))
        if not len(found):
            return False
        later = np.searchsorted(found, self._position, side="right" if step > 0 else "left")
        self.move_to(int(found[(int(later) - (step < 0)) % len(found)]))
        return True

    # ---------------------------------------------------------------------------------------------- cursor

    @property
    def cursor_position(self) -> int:
        """Where the cursor is, counted from the first shown row."""
        return self._position

    @property
    def cursor_row(self) -> int | None:
        """The row under the cursor; None where no row is shown."""
        return self._highlighted

    @property
    def cursor_key(self) -> str | None:
        return None if self._highlighted is None else self.store.key_of(self._highlighted)

    def move_to(self, position: int) -> None:
        """Put the cursor on the row shown at ``position``, and stay with that row."""
        rows = self.ordering.rows
        if len(rows):
            self._position = min(max(position, 0), len(rows) - 1)
            self._followed = int(rows[self._position])
            self._hold_order()
            self._scroll_to_cursor()
            self._announce()
            self.repaint_changed()

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on the row of this key; False where it is not shown."""
        position = self.ordering.position_of(self.store.row_of(key)) if key in self.store else None
        if position is not None:
            self.move_to(position)
        return position is not None

    def _settle(self) -> None:
        """After the rows changed places: the cursor goes with its row, and only changed lines are painted."""
        rows, before = self.ordering.rows, self._position
        top = self.scroll_offset.y
        was_in_view = top <= before < top + self.page_lines
        self.fit_content()
        if self._followed is None:
            self._position = 0
        elif before >= len(rows) or rows[before] != self._followed:
            found = self.ordering.position_of(self._followed)
            self._position = min(before, max(len(rows) - 1, 0)) if found is None else found
        if was_in_view and self._position != before:
            self._scroll_to_cursor()
        self._announce()
        self.repaint_changed()

    def _scroll_to_cursor(self) -> None:
        top, page = self.scroll_offset.y, self.page_lines
        if not top <= self._position < top + page:
            self.scroll_to(y=self._position if self._position < top else self._position - page + 1, animate=False)

    def _announce(self) -> None:
        rows = self.ordering.rows
        row = int(rows[self._position]) if len(rows) else None
        if row != self._highlighted:
            self._highlighted = row
            if row is not None:
                self.post_message(self.RowHighlighted(self, row))

    def _hold_order(self) -> None:
        self._held_until = monotonic() + _HOLD_WHILE_SCROLLING_S

    # -------------------------------------------------------------------------------------- keys and mouse

    def action_move(self, step: int) -> None:
        self.move_to(self._position + step)

    def action_turn_page(self, step: int) -> None:
        self.move_to(self._position + step * max(self.page_lines - 1, 1))

    def action_jump_first(self) -> None:
        self.move_to(0)
        self._followed = None

    def action_jump_last(self) -> None:
        self.move_to(len(self.ordering.rows) - 1)

    def action_move_columns(self, step: int) -> None:
        self.scroll_to(x=self.scroll_target_x + step * _COLUMN_STEP_CELLS, animate=False)

    def action_choose(self) -> None:
        if self._highlighted is not None:
            self.post_message(self.RowChosen(self, self._highlighted))

    def on_mouse_scroll_down(self) -> None:
        self._hold_order()

    def on_mouse_scroll_up(self) -> None:
        self._hold_order()

    def on_click(self, event: events.Click) -> None:
        if event.y < self.header_lines:
            column = self._layout.column_at(event.x, self.scroll_offset.x)
            if column is not None:
                self.sort_by(column.key)
            return
        position = event.y - self.header_lines + self.scroll_offset.y
        if position < len(self.ordering.rows):
            self.move_to(position)
            if event.chain == 2:
                self.action_choose()
