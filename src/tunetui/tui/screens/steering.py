"""A screen over a run: what can be asked of the run, or of the replay, that it shows."""

from __future__ import annotations

from tunetui.core.board_figures import INTERVAL
from tunetui.core.snapshot import QUEUED, RUNNING, STALE, Row, Run
from tunetui.session.replaying import Replay
from tunetui.tui.feed import Feed
from tunetui.tui.screens.board_screen import BoardScreen
from tunetui.tui.sources import LiveRun, ReplayedRun, RunSource

_CLOSER = 2.0  # how much narrower an interval `MeasureCloser` asks for
_LEAST_PRECISION_PERCENT = 0.05
_TO_COME = frozenset({QUEUED, RUNNING, STALE})


class SteeringScreen(BoardScreen):
    """A subclass shows the run; nothing here waits for what was asked, which comes as an event like everything else."""

    feed: Feed

    def __init__(self, source: RunSource) -> None:
        super().__init__()
        self.source = source
        self.run_now = Run()
        self.pinned: list[str] = []
        self._stop_asked = False

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
        row = self.cursor_row
        if self.live is not None and row is not None:
            self.live.session.skip([row.trial])
            if row.status not in _TO_COME:
                self.cockpit.tell("its outcome stands; it is skipped where it was queued again")

    def requeue_row(self) -> None:
        """Once more."""
        row = self.cursor_row
        if self.live is not None and row is not None:
            self.live.session.requeue([row.trial])
            waits = row.status in _TO_COME - {STALE}
            self.cockpit.tell("it is in the queue" if waits else "measured once more, after what is queued")

    def pin_row(self) -> None:
        """In the live pane, and at the front of the queue."""
        row = self.cursor_row
        if row is None:
            return
        if row.trial in self.pinned:
            self.pinned.remove(row.trial)
            self.cockpit.tell("let go of")
        else:
            self.pinned.append(row.trial)
            first = self.live is not None and self.can_steer and row.median_ns is None
            if self.live is not None and first:
                self.live.session.pin([row.trial])
            self.cockpit.tell(f"pinned: {'measured before the others' if first else 'it stays in the live pane'}")
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
        if self.live.shared.follows_only:
            self.cockpit.tell("another tunetui deals this run: tunetui stop ends it", "warning")
            return
        if self._stop_asked:
            self.live.shared.request_cancel()
        else:
            self.live.shared.request_stop()
        self.cockpit.tell(
            "stopping at once" if self._stop_asked else "stopping after the present trial; t again: at once"
        )
        self._stop_asked = True

    def save_board(self) -> None:
        """The files, as they would be if the run ended now."""
        if self.live is not None:
            for path in self.live.shared.save():
                self.cockpit.tell(f"wrote {path}")

    def change_speed(self, *, faster: bool) -> None:
        """Of a replay."""
        if self.replay is not None:
            _ = self.replay.snapshot  # what is past was played at the old speed
            (self.replay.faster if faster else self.replay.slower)()
            self.feed.draw_all()
