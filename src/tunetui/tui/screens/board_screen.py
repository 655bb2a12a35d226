"""What the Run and the Leaderboard screen share: a table of figures that is sorted, filtered, tabbed and opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from textual import on
from textual.events import Resize
from textual.widgets import Input

from tunetui.core.board_figures import MEDIAN
from tunetui.core.errors import ExpressionError
from tunetui.core.figures import count, counted
from tunetui.core.labels import one_line
from tunetui.tui.board_columns import BoardFacts, columns_for, usual_names
from tunetui.tui.figure_table import RANK, FigureTable
from tunetui.tui.row_detail import RowDetail, as_text, figure_as_text
from tunetui.tui.screens.command_screen import CommandScreen, PaletteEntry
from tunetui.tui.spans import LinesPane, Span, Spans
from tunetui.tui.tabs import Tab, TabsLine
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tones import Tone


class FilterInput(Input):
    """The line in which a filter is typed; escape gives it up."""

    BINDINGS: ClassVar = [("escape", "give_up", "Give up")]

    def validate_value(self, value: str) -> str:
        """What is pasted is text too."""
        return one_line(value) if not value.isprintable() else value

    def action_give_up(self) -> None:
        """No filter any more."""
        self.value = ""
        self.screen.query_one(LiveTable).focus()


class BoardScreen(CommandScreen):
    """A table of rows by figures, of which a subclass says where they come from."""

    figures: FigureTable
    facts: BoardFacts

    def __init__(self) -> None:
        super().__init__()
        self.filter_text = ""
        self.filter_problem = ""
        self._typed: Filter | None = None
        self.chosen: list[str] | None = None
        """Columns that the user asked for; None: the usual ones."""
        self._tab = 0
        self.tabs: list[Tab] = [Tab("all", {})]
        self.board_table = LiveTable(self.figures.store, [], fixed=3, row_tone=self.row_tone, id="board")
        self.board_table.ordering.sort_by(MEDIAN)
        self.filter_line = FilterInput(
            placeholder="for example: threads >= 2 and recall == 1", id="filter", compact=True
        )
        self.tabs_line = TabsLine(id="tabs")
        self.status_line = LinesPane(id="status")

    # ------------------------------------------------------------------------------ what a subclass says

    def detail_of(self, key: str) -> RowDetail | None:
        """Everything that is known of a row."""
        raise NotImplementedError

    def row_tone(self, store: ColumnStore, row: int) -> Tone | None:
        """How a whole row stands out; a subclass may say."""
        return None

    @property
    def can_copy(self) -> bool:
        return self.board_table.cursor_key is not None

    def copied(self, *, figure: bool) -> tuple[str, str] | None:
        """The figure is the one that the table is sorted by."""
        key = self.board_table.cursor_key
        detail = self.detail_of(key) if key is not None else None
        if detail is None:
            return None
        name = self.board_table.ordering.sort_key or MEDIAN
        return (figure_as_text(detail, name), name) if figure else (as_text(detail), "row")

    def on_resize(self, event: Resize) -> None:
        """The columns know how much room there is once it is known."""
        self.call_after_refresh(self.lay_out_columns)

    def on_mount(self) -> None:
        self.filter_line.display = False
        self.board_table.focus()

    # ------------------------------------------------------------------------------------------- columns

    def lay_out_columns(self) -> None:
        """Take the columns anew: there are other figures, or wider ones."""
        names = usual_names(self.facts) if self.chosen is None else self.chosen
        columns = columns_for(names, self.figures, self.facts, self.board_table.size.width)
        self.board_table.columns = columns
        here = {column.key for column in columns}
        self.board_table.choose_columns(None if self.chosen is None else [key for key in self.chosen if key in here])
        self.say_status()

    def choose_columns(self) -> None:
        """Let the user choose."""
        from tunetui.tui.screens.columns import ColumnsScreen

        usual = [name for name in usual_names(self.facts) if name in self.figures.names or name.startswith("#")]
        shown = self.chosen or usual
        others = [name for name in self.figures.names if name not in shown]
        self.app.push_screen(ColumnsScreen(shown, others), self._columns_chosen)

    def _columns_chosen(self, chosen: list[str] | None) -> None:
        if chosen is not None:
            self.chosen = chosen or None
            self.lay_out_columns()

    # --------------------------------------------------------------------------------- sorting and filter

    def sort_next(self) -> None:
        """By the column after the present one, of those on screen."""
        keys = self.board_table.shown_keys or [RANK]
        now = self.board_table.ordering.sort_key
        place = keys.index(now) + 1 if now in keys else 0
        self.board_table.sort_by(keys[place % len(keys)], descending=False)

    def reverse_sort(self) -> None:
        """The other way round."""
        key = self.board_table.ordering.sort_key
        if key is not None:
            self.board_table.sort_by(key)

    @on(LiveTable.Sorted)
    def _sorted(self) -> None:
        self.say_status()

    def ask_filter(self) -> None:
        """Show the filter line, with what was typed before."""
        self.filter_line.display = True
        self.filter_line.value = self.filter_text
        self.set_focus(self.filter_line)  # at once: `focus` would let keys that follow quickly go to the table

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        self.filter_text = event.value
        self.apply_filter()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.set_focus(self.board_table)

    def on_descendant_blur(self) -> None:
        """A filter line with nothing in it goes away once something else is looked at."""
        self.call_after_refresh(self._hide_empty_filter)

    def _hide_empty_filter(self) -> None:
        if not self.filter_line.value and self.focused is not self.filter_line:
            self.filter_line.display = False

    def apply_filter(self) -> None:
        """Filter by what is typed and by the tab; where it cannot be read, the last good filter stays."""
        try:
            typed = self.figures.filter_of(self.filter_text)
        except ExpressionError as error:
            self.filter_problem = one_line(error.message)
        else:
            self.filter_problem = ""
            self._typed = typed
            self.board_table.filter_by(self.shown_in(self.tab))
        self.say_status()

    def shown_in(self, tab: Tab) -> Filter | None:
        """The rows of a tab that what was typed last, and could be read, holds for."""
        return _both(self._typed, tab.filter)

    # ---------------------------------------------------------------------------------------------- tabs

    @property
    def tab(self) -> Tab:
        """What is shown of the board: all of it, one device, or one problem."""
        return self.tabs[self._tab]

    def set_tabs(self, tabs: Sequence[Tab]) -> None:
        """The tabs that there are, the one for all first."""
        if list(tabs) != self.tabs:
            present = self.tab
            self.tabs = list(tabs)
            self._tab = self.tabs.index(present) if present in self.tabs else 0
            self.tabs_line.show_tabs(self.tabs, self._tab)
        self.tabs_line.display = len(self.tabs) > 1

    def next_tab(self, step: int) -> None:
        """Another tab, around the end."""
        self.go_to_tab((self._tab + step) % len(self.tabs))

    def go_to_tab(self, place: int) -> None:
        """The tab at a place."""
        self._tab = place
        self.tabs_line.show_tabs(self.tabs, place)
        self.apply_filter()

    @on(TabsLine.Chosen)
    def _tab_chosen(self, event: TabsLine.Chosen) -> None:
        self.go_to_tab(event.place)

    # ------------------------------------------------------------------------------------------ the rest

    def say_status(self) -> None:
        """How many rows are shown, in which order, and what the filter does."""
        ordering = self.board_table.ordering
        total, shown = self.figures.store.count, len(ordering.rows)
        rows = counted(total, "row") if shown == total else f"{count(shown)} of {count(total)} rows"
        arrow = "▼" if ordering.descending else "▲"
        spans: list[Span] = [(f" {rows}", None), (f"  {arrow} {one_line(ordering.sort_key or 'as planned')}", "muted")]
        if self.filter_text:
            spans.append((f"  / {one_line(self.filter_text)}", "accent"))
        if self.filter_problem:
            spans.append((f"  ✗ {self.filter_problem}", "warning"))
        self.status_line.show([self.status_spans(tuple(spans))])

    def status_spans(self, spans: Spans) -> Spans:
        """The status line; a subclass may add to it."""
        return spans

    def palette_entries(self) -> Iterable[PaletteEntry]:
        """A line for every column to sort by."""
        for name in self.figures.names:
            yield PaletteEntry(f"Sort by {name}", "sort the table by this figure", lambda n=name: self.sort_by(n))  # type: ignore[misc]

    def sort_by(self, name: str) -> None:
        """Sort by any figure, shown or not."""
        self.board_table.sort_by(name)

    @on(LiveTable.RowChosen)
    def _row_chosen(self) -> None:
        self.open_row()

    def open_row(self) -> None:
        """The row under the cursor on a screen of its own."""
        key = self.board_table.cursor_key
        detail = self.detail_of(key) if key is not None else None
        if detail is not None:
            self.cockpit.open_row(detail)

    def show_heatmap(self) -> None:
        """Any two axes on a screen of their own."""
        from tunetui.tui.screens.heatmap import HeatmapScreen

        self.app.push_screen(HeatmapScreen(self))


def _both(one: Filter | None, other: Filter | None) -> Filter | None:
    if one is None or other is None:
        return one or other

    def both(store: ColumnStore, rows: Rows) -> Mask:
        return np.asarray(one(store, rows) & other(store, rows), np.bool_)

    return both
