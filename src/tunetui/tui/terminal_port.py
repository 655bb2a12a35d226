"""The one place that reaches into Textual's private parts: the way to the terminal behind an app.

Pinned to the exact version of Textual in pyproject.toml; tests/tui/test_terminal_port.py says what moved when it changes.
"""

from __future__ import annotations

from contextlib import ExitStack
from time import thread_time
from typing import Any

from textual._context import active_message_pump
from textual.app import App, ReturnType
from textual.await_remove import AwaitRemove
from textual.dom import DOMNode
from textual.drivers._writer_thread import WriterThread
from textual.geometry import Size
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen, ScreenResultType
from textual.widget import Widget

from tunetui.tui.widgets.kept_lines import KeptLines

_ASK_FOR_CURSOR = "\x1b[6n"
_FULL_QUEUE_WRITES = 2
_QUIET_ROUNDS = 2
"""Of messages in which nothing was laid out anew: a new screen is what it will be."""
_PAINTED_AT_LATEST_S = 1.0
"""A screen that never settles is shown all the same; one on a busy machine had better wait than be sent twice."""


class TerminalPort:
    """Counts what an app writes to its terminal, and asks the terminal to acknowledge it."""

    def __init__(self, app: App[Any]) -> None:
        """``app`` runs already; without a real terminal (headless) nothing is ever written."""
        self.bytes_written = 0
        self._driver = driver = None if app.is_headless else app._driver
        if driver is not None:
            self._write = driver.write
            driver.write = self._counted_write  # type: ignore[method-assign]

    @property
    def is_open(self) -> bool:
        return self._driver is not None

    def ask(self) -> None:
        """Have the terminal answer once everything written so far has reached it: as a `CursorPosition` event."""
        if self._driver is not None:
            self._write(_ASK_FOR_CURSOR)
            self._driver.flush()

    def queue_is_full(self) -> bool:
        """Whether writes pile up in front of the terminal: Textual's queue blocks the event loop when it is full."""
        writer = getattr(self._driver, "_writer_thread", None)
        return isinstance(writer, WriterThread) and writer._queue.qsize() > _FULL_QUEUE_WRITES

    def _counted_write(self, data: str) -> None:
        self.bytes_written += len(data)
        self._write(data)


class ClosingApp(App[ReturnType]):
    """An app that draws the screen below once when one is closed."""

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        """When a screen is gone Textual lays out and draws all of the one below, which was drawn when it came back."""
        return super()._prune(*nodes, parent=None if parent is self else parent)


class PacedScreen(KeptLines, Screen[Any]):
    """A screen that is drawn when there is something to see, and not twice.

    While the terminal is behind it keeps what changed to itself, so that held keys become one frame.  A new screen is
    painted once its widgets are laid out, in place of three or four times on the way there: less to send, and sooner.
    """

    def __init__(self, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(name, id, classes)
        self._held_back = ExitStack()
        self._is_unseen = self._was_seen = False

    def on_mount(self) -> None:
        self._held_back.enter_context(self.app.batch_update())
        self._look_whether_laid_out(_QUIET_ROUNDS)
        self.set_timer(_PAINTED_AT_LATEST_S, self._show)

    def on_unmount(self) -> None:
        self._held_back.close()

    def _look_whether_laid_out(self, quiet_rounds: int) -> None:
        if self._lay_out_unseen():
            quiet_rounds = _QUIET_ROUNDS
        if quiet_rounds and not self._was_seen:
            self.call_after_refresh(self._look_whether_laid_out, quiet_rounds - 1)
        else:
            self._show()

    def _show(self) -> None:
        if not self._was_seen:
            self._was_seen = True
            self._held_back.close()
            self.refresh()

    def _lay_out_unseen(self) -> bool:
        """Do the layout that waits, if one does, and draw nothing of it; whether one did."""
        if not self._layout_required:
            return False
        self._layout_required, self._is_unseen = False, True
        try:
            self._refresh_layout()
        finally:
            self._is_unseen = False
        return True

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """With a size the whole screen is another one: Textual draws it at once, and again for the refresh it asks for."""
        if size is None:
            super()._refresh_layout(size, scroll)
            return
        before, self._is_unseen = self._is_unseen, True
        try:
            super()._refresh_layout(size, scroll)
        finally:
            self._is_unseen = before
        self.refresh()

    def _compositor_refresh(self) -> None:
        """While updates are held back Textual would draw, and then send nothing of it."""
        if self._is_unseen or self.app._batch_count:
            return
        is_whole = self.is_current and self.size.region in self._compositor._dirty_regions
        before_s = thread_time()
        super()._compositor_refresh()
        if (charge := getattr(self.app, "charge", None)) is not None:
            charge(thread_time() - before_s)
        if is_whole:  # whoever waits to be drawn, as every scrollbar does after a layout, was drawn just now
            for widget in self._compositor.visible_widgets:
                widget._repaint_required = False

    def _on_timer_update(self) -> None:
        """Textual fires this up to 240 times a second while something waits to be drawn."""
        if getattr(self.app, "is_behind", False):
            return
        if self._repaint_required and self.is_current and not self.app._batch_count:
            self._lay_out_unseen()  # Textual would draw all of the screen for the layout, and once more for the repaint
        super()._on_timer_update()


class PacedDialog(ModalScreen[ScreenResultType], PacedScreen):
    """A dialog that is drawn with the screen behind it once, when both are laid out."""


def text_of_screen(screen: Screen[Any]) -> list[str]:
    """What a screen shows, as plain text, one string per line."""
    return [strip.text for strip in screen._compositor.render_strips()]


def present_pump() -> MessagePump | None:
    """Whose message is being handled now: a widget, a screen or the app; None outside of all."""
    return active_message_pump.get(None)


def standing_notices(app: App[Any]) -> list[str]:
    """The texts of the notifications that are on screen now."""
    return [notification.message for notification in app._notifications]
