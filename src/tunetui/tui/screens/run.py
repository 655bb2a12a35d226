"""The Run screen: a sweep as it is measured, or as its journal is played again."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.geometry import Size

from tunetui.core.board_figures import INTERVAL
from tunetui.core.snapshot import Row, Run
from tunetui.session.replaying import Replay
from tunetui.tui import layout, run_text
from tunetui.tui.commands.boards import BOARD
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.runs import STEERING
from tunetui.tui.feed import Feed
from tunetui.tui.figure_table import RANK_TEXT
from tunetui.tui.pacing import Beat
from tunetui.tui.row_detail import RowDetail, detail_of_row
from tunetui.tui.run_board import RunBoard
from tunetui.tui.run_panes import RunPanes
from tunetui.tui.screens.board_screen import BoardScreen
from tunetui.tui.sources import LiveRun, ReplayedRun, RunSource
from tunetui.tui.spans import spread
from tunetui.tui.widgets.keys_line import KeysLine
from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.table import LiveTable
from tunetui.tui.widgets.tones import Tone

_WIDE_TITLE_CELLS = 70
_CLOSER = 2.0  # how much narrower an interval `MeasureCloser` asks for
_LEAST_PRECISION_PERCENT = 0.05


class RunScreen(BoardScreen):
    """Shows the newest snapshot of a source; steers it where it is live."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = (*STEERING, *BOARD)
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Run"

    def __init__(self, source: RunSource, usd_per_hour: float | None = None) -> None:
        self.source, self.usd_per_hour = source, usd_per_hour
        self.board = RunBoard()
        self.figures, self.facts = self.board.table, self.board.facts
        super().__init__()
        self.run_now = Run()
        self.pinned: list[str] = []
        self.panes = RunPanes()
        self.middle = Horizontal(self.board_table, self.panes.live, id="middle")
        self.bottom = Horizontal(self.panes.heatmap, self.panes.plot, self.panes.log, id="bottom")
        self.footer = KeysLine()
        self.feed = Feed(self)
        self.out_of_touch = False  # whether no host answers now
        self._stop_asked = False
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
        yield self.panes.too_small
        yield self.footer

    def beat(self, beat: Beat) -> None:
        """Pull the newest snapshot."""
        self.feed.beat(beat)

    def on_unmount(self) -> None:
        """A replay's file is not needed any more; a live run goes on without its screen."""
        if self.live is None:
            self.source.close()

    def on_mount(self) -> None:
        """The first frame is laid out as all the others."""
        self._make_room(self.app.size)

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

    def show_run(self, run: Run, *, words: bool, plots: bool) -> None:
        """Bring the table, with ``words`` the lines around it, and with ``plots`` the pictures to this state."""
        if run is not self.run_now:
            self.run_now = run
            self.board.take(run, rank_now=run.ended is not None)
            if self.board.table is not self.figures:
                self.figures = self.board.table
                self.board_table.show(self.figures.store)
            self.facts = self.board.facts
        if self.board.columns_changed:
            self.board.columns_changed = False
            self.lay_out_columns()
            self.set_tabs(self.board.tabs(run))
        self.board_table.tick()
        if plots:
            self.panes.show_pictures(self)
        if words:
            self._look_at_links()
            self.panes.show_words(run, self)
            self.say_title()
            self.say_status()

    def _look_at_links(self) -> None:
        """While no host can be heard the rows are dim: they may be old by now."""
        states = {link.state for link in self.source.links.values()}
        out_of_touch = bool(states) and not states & {"ready", "catching-up"}
        if out_of_touch != self.out_of_touch:
            self.out_of_touch = out_of_touch
            self.board_table.forget_drawing()

    def row_tone(self, store: ColumnStore, row: int) -> Tone | None:
        return "muted" if self.out_of_touch else None

    def say_title(self) -> None:
        """What runs where, how far it is, and what it costs."""
        left = run_text.title_line(self.run_now, self.source.label)
        right = run_text.progress_spans(self.run_now, self.source.now, self.usd_per_hour)
        if self.size.width < _WIDE_TITLE_CELLS:
            right = right[:1]
        self.panes.title.show([spread(left, right, self.size.width)])

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

    # ------------------------------------------------------------------------------------------ steering

    @property
    def label(self) -> str:
        return self.source.label

    @property
    def live(self) -> LiveRun | None:
        """The run at work, where this is one."""
        return self.source if isinstance(self.source, LiveRun) else None

    @property
    def replay(self) -> Replay | None:
        """The journal that is played, where this is one."""
        return self.source.replay if isinstance(self.source, ReplayedRun) else None

    @property
    def can_steer(self) -> bool:
        """Whether somebody would hear."""
        return self.live is not None and self.live.alive and self.live.can_steer

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        key = self.board_table.cursor_key
        return None if key is None else self.run_now.rows.get(key)

    def pause_or_go_on(self) -> None:
        """A run pauses after the present trial."""
        if self.replay is not None:
            self.replay.paused = not self.replay.paused
        elif self.live is not None and self.run_now.paused:
            self.live.session.request_resume()
        elif self.live is not None:
            self.live.session.request_pause()
            self.cockpit.tell("pausing after the present trial")
        self.feed.draw_all()

    def skip_row(self) -> None:
        """Not measured, but kept."""
        if self.live is not None and self.cursor_row is not None:
            self.live.session.skip([self.cursor_row.trial])

    def requeue_row(self) -> None:
        """Once more."""
        if self.live is not None and self.cursor_row is not None:
            self.live.session.requeue([self.cursor_row.trial])

    def pin_row(self) -> None:
        """In the live pane, and at the front of the queue."""
        row = self.cursor_row
        if row is None:
            return
        if row.trial in self.pinned:
            self.pinned.remove(row.trial)
        else:
            self.pinned.append(row.trial)
            if self.live is not None and self.live.alive and row.median_ns is None:
                self.live.session.pin([row.trial])
        self.feed.draw_all()

    def measure_closer(self) -> None:
        """To half the interval that the row has, or that the method asks for."""
        row = self.cursor_row
        if self.live is None or row is None:
            return
        asked = float((self.run_now.plan.method if self.run_now.plan else {}).get("precision_percent", 1.0))
        known = self.figures.store.number(INTERVAL, self.figures.store.row_of(row.trial)) if row.median_ns else asked
        precision = max(min(known, asked) / _CLOSER if known == known else asked / _CLOSER, _LEAST_PRECISION_PERCENT)  # noqa: PLR0124 (NaN)
        self.live.session.remeasure(row.trial, precision)
        self.cockpit.tell(f"measured again next, to {precision:.2g} %")

    def race_now(self) -> None:
        """The best so far, in turns."""
        if self.live is not None:
            self.live.session.race_now()

    def stop(self) -> None:
        """After the present trial; asked again: at once."""
        if self.live is None:
            return
        if self._stop_asked:
            self.live.session.request_cancel()
        else:
            self.live.session.request_stop()
        self.cockpit.tell(
            "stopping at once" if self._stop_asked else "stopping after the present trial; t again: at once"
        )
        self._stop_asked = True

    def save_board(self) -> None:
        """The files, as they would be if the run ended now."""
        if self.live is not None:
            for path in self.live.session.save():
                self.cockpit.tell(f"wrote {path}")

    def open_board(self) -> None:
        """What is measured so far, ranked as a whole."""
        from tunetui.core.publishing import build_leaderboard
        from tunetui.tui.screens.leaderboard import LeaderboardScreen

        board = build_leaderboard(self.run_now)
        self.app.push_screen(LeaderboardScreen(board, self.source.journal, label=self.source.label))

    def change_speed(self, *, faster: bool) -> None:
        """Of a replay."""
        if self.replay is not None:
            _ = self.replay.snapshot  # what is past was played at the old speed
            (self.replay.faster if faster else self.replay.slower)()
            self.feed.draw_all()
