"""The Compare screen: two leaderboards side by side, row by row, with a verdict that noise does not make."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from tunetui.core.compare import Comparison, compare
from tunetui.core.errors import TunetuiError
from tunetui.core.gate import interval_in_words
from tunetui.core.labels import one_line, varying
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.session import library, read_leaderboard
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.comparing import COMPARE
from tunetui.tui.compared_text import (
    SORTABLE,
    VERDICTS,
    Compared,
    columns_of,
    in_order,
    method_lines,
    row_lines,
    store_of,
    summary_lines,
)
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.text import TextScreen
from tunetui.tui.spans import LinesPane, Spans, text_of, toned
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows
from tunetui.tui.widgets.table import LiveTable

if TYPE_CHECKING:
    from tunetui.tui.screens.leaderboard import LeaderboardScreen

_SUMMARY_LINES = 3


def compare_with(place: LeaderboardScreen, chosen: object) -> None:
    """Open the comparison of the leaderboard at ``place``, as the second, with the file that was chosen as the first."""
    if not isinstance(chosen, Path):
        return
    try:
        journal = chosen.suffix == ".jsonl"
        other = build_leaderboard(library.read_run(chosen)) if journal else read_leaderboard(chosen)
        name = chosen.parent.name if journal else chosen.name
        place.app.push_screen(CompareScreen(other, place.board, (name, place.file)))
    except TunetuiError as error:
        place.cockpit.tell_error(error)


class CompareScreen(CommandScreen):
    """The second leaderboard held against the first."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = COMPARE
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Compare"

    def __init__(self, first: Leaderboard, second: Leaderboard, names: tuple[str, str]) -> None:
        super().__init__()
        self.boards, self.names = (first, second), names
        self.found: Comparison | None = None
        self.refusal: list[Spans] = []
        self.alone: str | None = None
        """The verdict whose rows are shown alone."""
        self.heading = LinesPane(classes="title")
        self.summary = LinesPane(id="compared")
        self.summary.styles.height = _SUMMARY_LINES
        self._in_order: list[Compared] = []
        nothing = store_of([], [])
        self.rows = LiveTable(nothing, columns_of(nothing), fixed=2, id="board")

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.summary
        yield self.rows
        yield KeysLine()

    def on_mount(self) -> None:
        self.rows.focus()
        self.begin()

    def begin(self) -> None:
        """Compare anew; large leaderboards take a while, and keys stay quick meanwhile."""
        self.found = None
        self.say()
        self.run_worker(self._compare(), group="compare", exclusive=True)

    async def _compare(self) -> None:
        try:
            found = await asyncio.to_thread(compare, *self.boards)
        except TunetuiError as error:
            self.cockpit.tell_error(error)
            self.refusal = [toned(f" {one_line(error.message)}", "bad"), toned(f" {one_line(error.hint)}", "muted")]
            self.say()
            return
        self.found = found
        self._in_order = in_order(found)
        store = store_of(self._in_order, varying([board.problem for board in found.boards]))
        self.rows.columns = columns_of(store)
        self.rows.choose_columns(None)
        self.rows.ordering.sort_key, self.rows.ordering.descending = "place", False
        self.rows.show(store)
        self.say()

    # ---------------------------------------------------------------------------------------- what is said

    def say(self) -> None:
        """Which against which, and what came out."""
        first, second = (one_line(name) for name in self.names)
        self.heading.show([self.titled(f"{second} against {first}")])
        if self.found is not None:
            self.summary.show(summary_lines(self.found, self.alone))
        else:
            self.summary.show(self.refusal or [toned(" comparing ...", "muted")])

    # ---------------------------------------------------------------------------------------- commands

    @property
    def can_copy(self) -> bool:
        return self.rows.cursor_key is not None

    def copied(self, *, figure: bool) -> tuple[str, str] | None:
        """The figure is the change."""
        row = self.cursor_row
        if row is None:
            return None
        return (interval_in_words(row[1]), "change") if figure else ("\n".join(map(text_of, row_lines(*row))), "row")

    @property
    def cursor_row(self) -> Compared | None:
        """The row under the cursor, and the board that it is of."""
        key = self.rows.cursor_key
        return self._in_order[int(key)] if key is not None and self.found is not None else None

    def next_verdict(self) -> None:
        """All, then each verdict alone that any row has."""
        counts = self.found.counts if self.found is not None else {}
        turns = (None, *(verdict for verdict in VERDICTS if counts.get(verdict) or verdict == self.alone))
        self.alone = turns[(turns.index(self.alone) + 1) % len(turns)]
        wanted = self.alone

        def shown(store: ColumnStore, rows: Rows) -> Mask:
            return store.equal_to("verdict", wanted or "", rows)

        self.rows.filter_by(shown if wanted else None)
        self.say()

    def sort_next(self) -> None:
        """By verdict and size first."""
        now = self.rows.ordering.sort_key or SORTABLE[0]
        self.rows.sort_by(SORTABLE[(SORTABLE.index(now) + 1) % len(SORTABLE)], descending=False)

    def reverse_sort(self) -> None:
        """The other way round."""
        self.rows.sort_by(self.rows.ordering.sort_key or SORTABLE[0])

    @on(LiveTable.RowChosen)
    def show_row(self) -> None:
        """The row under the cursor: its verdict, why, and both sides."""
        row = self.cursor_row
        if row is not None:
            self.app.push_screen(TextScreen("Compared", row_lines(*row)))

    def swap(self) -> None:
        """What was first becomes the second."""
        self.boards, self.names = self.boards[::-1], self.names[::-1]
        self.begin()

    def show_method(self) -> None:
        """Everything around the rows, to read."""
        if self.found is not None:
            self.app.push_screen(TextScreen("What changed, and how it was judged", method_lines(self.found)))
