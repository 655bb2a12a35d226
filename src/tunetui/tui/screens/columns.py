"""Which figures are columns: a list to switch on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tunetui.core.labels import one_line
from tunetui.tui.terminal_port import PacedDialog


class ColumnsScreen(PacedDialog[list[str] | None]):
    """Space switches a column; Enter takes the choice, Escape does not, u takes the usual ones."""

    BINDINGS: ClassVar = [
        Binding("enter", "take", "Take these", priority=True),  # before the list, where Enter would switch a line
        ("space", "switch", "Switch"), ("escape", "give_up", "As before"), ("u", "usual", "The usual ones"),
    ]  # fmt: skip

    def __init__(self, shown: Sequence[str], others: Sequence[str]) -> None:
        super().__init__()
        self.names, self.on = [*shown, *others], set(shown)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static("Columns: space switches, enter takes, u the usual ones, escape as before", markup=False)
            yield OptionList(*(Option(self._line(name)) for name in self.names), markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def action_switch(self) -> None:
        """The line under the cursor."""
        place = self.query_one(OptionList).highlighted
        if place is not None:
            self._switch(place)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click."""
        self._switch(event.option_index)

    def action_take(self) -> None:
        """The switched-on ones, in the order of the list."""
        self.dismiss([name for name in self.names if name in self.on])

    def action_usual(self) -> None:
        """No choice of one's own."""
        self.dismiss([])

    def action_give_up(self) -> None:
        """As it was."""
        self.dismiss(None)

    def _switch(self, place: int) -> None:
        self.on ^= {self.names[place]}
        self.query_one(OptionList).replace_option_prompt_at_index(place, self._line(self.names[place]))

    def _line(self, name: str) -> Content:
        """Its mark needs no colour."""
        return Content(f"[{'x' if name in self.on else ' '}] {one_line(name)}")
