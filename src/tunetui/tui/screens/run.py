"""The Run screen: a sweep as it is measured, or as its journal is played again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.geometry import Size

from tunetui.core.snapshot import Run
from tunetui.tui import layout, run_text
from tunetui.tui.commands.boards import BOARD
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.runs import STEERING
from tunetui.tui.device_text import out_of_touch
from tunetui.tui.feed import Feed
from tunetui.tui.figure_table import RANK_TEXT
from tunetui.tui.pacing import Beat
from tunetui.tui.quiet_collector import QUIET_FOR_S
from tunetui.tui.row_detail import RowDetail, detail_of_row
from tunetui.tui.run_board import RunBoard
from tunetui.tui.run_panes import RunPanes
from tunetui.tui.screens.steering import SteeringScreen
from tunetui.tui.sources import RunSource
from tunetui.tui.spans import spread, text_of
from tunetui.tui.widgets.kept_lines import KeptRow
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tones import Tone

_TITLE_CELLS = 26  # for what runs where, before how far it is gives way


class RunScreen(SteeringScreen):
    """Shows the newest snapshot of a source; steers it where it is live."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = (*STEERING, *BOARD)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Run"

    def __init__(self, source: RunSource, usd_per_hour: float | None = None) -> None:
        self.usd_per_hour = usd_per_hour
        self.board = RunBoard()
        self.figures, self.facts = self.board.table, self.board.facts
        super().__init__(source)
        self.panes = RunPanes()
        self.middle = KeptRow(self.board_table, self.panes.live, id="middle")
        self.bottom = KeptRow(self.panes.heatmap, self.panes.plot, self.panes.log, id="bottom")
        self.footer = KeysLine()
        self.feed = Feed(self)
        self.out_of_touch: dict[str, float] = {}
        """Devices of which nothing is heard, with since when."""
        self._enabled: list[bool] = []

    def compose(self) -> ComposeResult:
        yield self.panes.title
        yield self.panes.rail
        yield self.tabs_line
        yield self.middle
        yield self.panes.present
        yield self.filter_line
        yield self.status_line
        yield self.bottom
        yield self.footer

    def beat(self, beat: Beat) -> Iterator[None]:
        """Pull the newest snapshot."""
        return self.feed.beat(beat)

    def on_unmount(self) -> None:
        """A replay's file is not needed any more; a live run goes on without its screen."""
        if self.live is None:
            self.source.close()

    def on_mount(self) -> None:
        """The first frame is laid out as all the others; what comes later is prepared when it is there."""
        self._make_room(self.app.size)
        self.cockpit.after(QUIET_FOR_S, self.cockpit.prepare)

    def on_resize(self, event: Resize) -> None:
        """Panes give way, in the order that `layout` states."""
        self._make_room(event.size)
        self.feed.draw_all()

    def _make_room(self, size: Size) -> None:
        width, height = size.width, size.height
        self.panes.arrange(width, height)
        small = layout.is_too_small(width, height)
        for part in (self.middle, self.status_line, self.footer, self.panes.title):
            part.display = not small
        self.bottom.display = not small and bool({"log", "heatmap", "plot"} & layout.shown_panes(width, height))
        self.bottom.styles.height = layout.bottom_height(width, height)

    # ------------------------------------------------------------------------------------------- showing

    def show_run(self, run: Run, *, words: bool, pictures: Collection[str]) -> Iterator[None]:
        """Bring the table, with ``words`` the lines around it, and some ``pictures`` to this state, in steps."""
        if run is not self.run_now:
            self.run_now = run
            self.board.take(run)
            if self.board.table is not self.figures:
                self.figures = self.board.table
                self.board_table.show(self.figures.store)
            self.facts = self.board.facts
            yield
        if self.board.rank():
            yield
        if self.board.columns_changed:
            self.board.columns_changed = False
            self.lay_out_columns()
            self.set_tabs(self.board.tabs(run))
        self.board_table.tick()
        if words:
            yield
            self._look_at_links()
            self.panes.show_words(run, self)
            self.say_title()
            self.say_status()
        for name in pictures:
            yield
            self.panes.show_picture(self, name)

    def _look_at_links(self) -> None:
        """While a host cannot be heard its rows are dim, and all where none can: they may be old by now."""
        before, self.out_of_touch = self.out_of_touch, out_of_touch(self.run_now, self.source.links)
        if before.keys() != self.out_of_touch.keys():
            self.board_table.forget_drawing()

    def row_tone(self, store: ColumnStore, row: int) -> Tone | None:
        quiet = self.out_of_touch
        if not quiet:
            return None
        alone = quiet.keys() >= self.run_now.devices.keys()
        return "muted" if alone or (store.is_text("device") and store.text("device", row) in quiet) else None

    def say_title(self) -> None:
        """What runs where, how far it is, and what it costs."""
        width, now = self.size.width, self.source.now
        right = run_text.progress_spans(self.run_now, now, self.usd_per_hour, width - _TITLE_CELLS)
        left = run_text.title_line(self.run_now, self.source.label, width - len(text_of(right)) - 1)
        self.panes.title.show([spread(left, right, width)])

    def detail_of(self, key: str) -> RowDetail | None:
        """A row as the newest snapshot has it."""
        row = self.run_now.rows.get(key)
        if row is None:
            return None
        rank = self.figures.store.text(RANK_TEXT, self.figures.store.row_of(key)) if key in self.figures.store else ""
        return detail_of_row(self.run_now, row, self.source.journal, rank)

    def on_live_table_row_highlighted(self, _: LiveTable.RowHighlighted) -> None:
        """Some commands are grey on some rows; the footer is made anew only where another one is."""
        enabled = [command().enabled(self) for command in self.OFFERS]
        if enabled != self._enabled:
            self._enabled = enabled
            self.refresh_bindings()

    def open_board(self) -> None:
        """What is measured so far, ranked as a whole."""
        from tunetui.core.publishing import build_leaderboard
        from tunetui.tui.screens.leaderboard import LeaderboardScreen

        board = build_leaderboard(self.run_now)
        self.app.push_screen(LeaderboardScreen(board, self.source.journal, label=self.source.label))
