"""What the Hosts and the Machines screen share: a list, what is known of its present line, and what goes on beside it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize

from tunetui.core.errors import TunetuiError
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane, Spans
from tunetui.tui.text_view import TextView
from tunetui.tui.widgets.form import Form, FormLine
from tunetui.tui.widgets.keys_line import KeysLine

_WIDE_CELLS = 120


class ListingScreen(CommandScreen):
    """A list whose lines' keys are pairs of a kind and a name; a subclass says what stands in it."""

    HEADED: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self.heading = LinesPane(classes="title")
        self.list = Form(id="form")
        self.detail = TextView(id="outlook")
        self.busy: dict[str, str] = {}
        """By name, what goes on just now."""
        self._enabled: list[bool] = []

    def compose(self) -> ComposeResult:
        yield self.heading
        with Horizontal(id="hosts-and-more"):
            yield self.list
            yield self.detail
        yield KeysLine()

    def on_mount(self) -> None:
        self.heading.show([self.titled(self.HEADED)])
        self.list.focus()
        self.begin()

    def on_resize(self, event: Resize) -> None:
        """The detail stands beside the list where there is room, else below it."""
        wide = event.size.width >= _WIDE_CELLS
        self.query_one("#hosts-and-more").styles.layout = "horizontal" if wide else "vertical"
        self.detail.styles.width = "1fr" if wide else "100%"
        self.detail.styles.height = "1fr"

    # ------------------------------------------------------------------------------ what a subclass says

    def begin(self) -> None:
        """What is shown and asked first."""
        raise NotImplementedError

    def list_lines(self) -> list[FormLine]:
        """The list as it is now."""
        raise NotImplementedError

    def detail_lines(self) -> list[Spans] | None:
        """Of what is under the cursor; None: what stood there stays."""
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- showing

    def under_cursor(self, kind: str) -> str:
        """The name of the present line, where it is of this kind."""
        key = self.list.present.key if self.list.present is not None else None
        return str(key[1]) if isinstance(key, tuple) and key[0] == kind else ""

    def show_all(self) -> None:
        """What is known by now."""
        self.list.show(self.list_lines())
        self.show_detail()

    @on(Form.Moved)
    def show_detail(self) -> None:
        """Of what is under the cursor; the footer anew only where another command is grey."""
        lines = self.detail_lines()
        if lines is not None:
            self.detail.show(lines)
        enabled = [command().enabled(self) for command in self.OFFERS]
        if enabled != self._enabled:
            self._enabled = enabled
            self.refresh_bindings()

    # ------------------------------------------------------------------------------------------- asking

    def beside(self, name: str, what: str, doing: Coroutine[Any, Any, None], *, outlives: bool = False) -> None:
        """Do one thing at a time with one of them, beside everything else; refusals are told.

        ``outlives``: it goes on when the screen is left.
        """
        if name in self.busy:
            doing.close()
            return
        self.busy[name] = what
        self.show_all()

        async def do() -> None:
            try:
                await doing
            except TunetuiError as error:
                self.cockpit.tell_error(error)
            finally:
                self.busy.pop(name, None)
            if self.is_mounted:
                self.show_all()

        place = self.app if outlives else self
        place.run_worker(do(), name=f"{what} {name}", group=f"{self.TITLED} {name}", exclusive=True)
