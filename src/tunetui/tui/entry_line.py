"""The line at the bottom in which something is typed; it is not there while nothing is."""

from __future__ import annotations

from typing import ClassVar

from textual.message import Message
from textual.widgets import Input

from tunetui.core.labels import one_line


class EntryLine(Input):
    """Enter hands over what was typed (`Input.Submitted`), escape gives it up (`GivenUp`)."""

    class GivenUp(Message):
        """Escape."""

    BINDINGS: ClassVar = [("enter", "submit", "take it"), ("escape", "give_up", "give up")]

    def __init__(self) -> None:
        super().__init__(id="entry", compact=True, select_on_focus=False)

    def on_mount(self) -> None:
        self.display = False

    def begin(self, title: str, text: str) -> None:
        """Type over ``text``."""
        self.placeholder = one_line(f"{title}: Enter takes it, escape leaves it as it was")
        self.display = True
        self.value = text
        self.cursor_position = len(text)
        self.focus()

    def validate_value(self, value: str) -> str:
        """What is pasted is text too."""
        return one_line(value) if not value.isprintable() else value

    def action_give_up(self) -> None:
        """As it was."""
        self.post_message(self.GivenUp())
