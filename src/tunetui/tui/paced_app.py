"""An app whose frames are paced by its terminal: at most ten beats a second, none before the last frame arrived."""

from __future__ import annotations

from asyncio import TimerHandle, get_running_loop
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic, thread_time
from typing import ClassVar

from textual import events
from textual.app import ReturnType
from textual.driver import Driver
from textual.reactive import reactive

from tunetui.tui.pacing import FULL, Beat, Ticker
from tunetui.tui.quiet_collector import QuietCollector
from tunetui.tui.terminal_port import ClosingApp, TerminalPort

_ENOUGH_UNDERWAY = 16_000
"""Characters, two full frames: with more than that unacknowledged, further frames wait and become one."""
_STRETCH_S = 0.006
"""CPU of a beat without a pause: a key that comes meanwhile waits for the rest of it."""
_PAUSE_S = 0.008
"""Between two stretches of a beat: what the one before changed is painted."""
_KEY_FIRST_S = 0.015
"""What a key causes is on screen by then; so long a beat waits for it."""
_CAUSED_BY_A_KEY_S = 0.25
"""So long after one what is painted may be its doing."""


class PacedApp(ClosingApp[ReturnType]):
    """Calls `beat` when there is room for a frame.  Screens should be `PacedScreen`s.

    While the link is slow, ``lite`` is True and the app has the class ``-lite`` for style sheets.
    """

    lite: reactive[bool] = reactive(False)
    """Whether less is shown because the link is slow; the app enters and leaves this by itself."""

    LITE_CLASS: ClassVar[str] = "-lite"

    def __init__(self) -> None:
        super().__init__()
        self.ticker = Ticker()
        self.collector = QuietCollector()
        self.port: TerminalPort | None = None
        self._set_aside = False
        self._beat: Beat | None = None  # the one that is drawn
        self._steps: Iterator[object] = iter(())  # what is left of it
        self._rest: TimerHandle | None = None  # the pause before that
        self._beat_cost_s = 0.0  # CPU that it took so far, with what came of the one before
        self._key_at = float("-inf")
        self._asked_after = 0  # characters written when the last question was asked
        self._arrived = 0  # and how many of them are known to have reached the terminal

    def get_driver_class(self) -> type[Driver]:
        """Textual's, or ours in its place where it would be the one for terminals."""
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":
            return usual
        from tunetui.tui.escape_key import QuickEscapeDriver

        return QuickEscapeDriver

    def beat(self, beat: Beat) -> Iterable[object] | None:
        """Draw what is new: called at most ten times a second, when the terminal has taken the frame before.

        Where it draws in steps, giving something between them, keys are heard there.
        """
        return None

    @property
    def round_trip_ms(self) -> float | None:
        """How long a frame takes to the terminal and its answer back; None where it does not answer."""
        took_s = self.ticker.acks.round_trip_s
        return None if took_s is None or self.ticker.acks.is_silent else took_s * 1e3

    @property
    def is_behind(self) -> bool:
        """Much is still on its way to the terminal, which has always said so far when it had arrived."""
        if self.port is None or self.port.bytes_written - self._arrived <= _ENOUGH_UNDERWAY:
            return False
        acks = self.ticker.acks
        return acks.is_reliable and acks.is_waiting(monotonic())

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Give the terminal to another program meanwhile.

        Repaints are held as well: Textual's writer is stopped by then, and a queue of thirty frames would block the app.
        """
        self._set_aside = True
        try:
            with self.suspend(), self.batch_update():
                yield
        finally:
            self._set_aside = False
            self.screen.refresh()

    def on_mount(self) -> None:
        self.port = TerminalPort(self)
        self.set_interval(FULL.beat_s, self._turn, name="beat")
        self.call_after_refresh(lambda: self.collector.begin(monotonic()))

    def post_display_hook(self) -> None:
        """After every frame: ask the terminal to say when it has arrived."""
        if self.port is None or self.port.bytes_written == self._asked_after:
            return
        now = monotonic()
        if self.ticker.acks.may_ask(now):
            self.ticker.acks.asked(now)
            self._asked_after = self.port.bytes_written
            self.port.ask()

    def on_cursor_position(self, event: events.CursorPosition) -> None:
        """The terminal's answer.  If a beat was due meanwhile it comes now, not at the next turn."""
        event.stop()
        self.ticker.acknowledged(monotonic())
        self._arrived = self._asked_after
        self.lite = self.ticker.lite.on
        self.post_display_hook()  # frames that keys caused meanwhile
        self._turn()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            now = monotonic()
            self.collector.disturbed(now)
            if isinstance(event, events.Key):
                self._key_at = now
        await super().on_event(event)

    def on_unmount(self) -> None:
        self.collector.end()

    def watch_lite(self, lite: bool) -> None:
        self.set_class(lite, self.LITE_CLASS)

    def charge(self, cpu_s: float) -> None:
        """Something that the last beat caused took so long: the next one comes later for it.  What a key causes is free."""
        if monotonic() - self._key_at > _CAUSED_BY_A_KEY_S:
            self._beat_cost_s += cpu_s

    def after(self, seconds: float, callback: Callable[[], object]) -> TimerHandle:
        """Call it in turn with other messages of the app; Textual's timers, a task each, take several times as long."""
        return get_running_loop().call_later(seconds, self.call_later, callback)

    def _turn(self) -> None:
        if self._set_aside or self.port is None:
            return
        if self._beat is not None:  # the one before is not done yet
            if self._rest is None:
                self._draw_some()
            return
        now = monotonic()
        beat = self.ticker.due(now, queue_is_full=self.port.queue_is_full())
        if beat is not None:
            self._beat, self._steps = beat, iter(self.beat(beat) or ())
            self._draw_some()
            self.collector.tick(now)

    def _draw_some(self) -> None:
        """Some steps of the beat; the rest after a pause."""
        beat, now, self._rest = self._beat, monotonic(), None
        if beat is None or self._set_aside:
            return
        wait_s = self._key_at + _KEY_FIRST_S - now
        if wait_s > 0 and now - beat.now < beat.rates.beat_s / 2:
            self._rest = self.after(wait_s, self._draw_some)
            return
        before_s = thread_time()
        for _ in self._steps:
            if thread_time() - before_s >= _STRETCH_S:
                self._rest = self.after(_PAUSE_S, self._draw_some)
                break
        self._beat_cost_s += thread_time() - before_s
        if self._rest is None:
            self._beat = None
            self.ticker.spent(beat, self._beat_cost_s)
            self._beat_cost_s = 0.0
