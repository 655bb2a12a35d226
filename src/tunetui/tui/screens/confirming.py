"""Asks before something that cannot be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tunetui.core.labels import one_line
from tunetui.tui.terminal_port import PacedDialog


class ConfirmScreen(PacedDialog[bool]):
    """A question with a yes and a no; y and n answer it too, escape is no."""

    BINDINGS: ClassVar = [("y", "answer(True)", "Yes"), ("n,escape", "answer(False)", "No")]

    def __init__(self, question: str, yes: str, no: str = "no, stay", *, careful: bool = False) -> None:
        super().__init__()
        self.question, self.yes, self.no = question, yes, no
        self.careful = careful
        """Enter means no."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Content("\n".join(map(one_line, self.question.splitlines()))), markup=False)
            yield Button(Content(f"(y) {one_line(self.yes)}"), id="yes", compact=True)
            yield Button(Content(f"(n) {one_line(self.no)}"), id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no" if self.careful else "#yes").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The same as the keys."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        """By key."""
        self.dismiss(answer)


def ask_then(app: App[Any], question: ConfirmScreen, go_on: Callable[[], object]) -> None:
    """Ask, and go on where the answer is yes."""

    def answered(yes: bool | None) -> None:
        if yes:
            go_on()

    app.push_screen(question, answered)
