"""Which figures are columns: a list to switch on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static
from textual.widgets.selection_list import Selection

from tunetui.core.labels import one_line


class ColumnsScreen(ModalScreen[list[str] | None]):
    """Space switches a column; Enter takes the choice, Escape does not, u takes the usual ones."""

    BINDINGS: ClassVar = [
        Binding("enter", "take", "Take these", priority=True),  # before the list, where Enter would switch a line
        ("escape", "give_up", "As before"), ("u", "usual", "The usual ones"),
    ]  # fmt: skip

    def __init__(self, shown: Sequence[str], others: Sequence[str]) -> None:
        super().__init__()
        self.shown, self.others = list(shown), list(others)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static("Columns: space switches, enter takes, u the usual ones, escape as before", markup=False)
            names = [*self.shown, *self.others]
            chosen = set(self.shown)
            yield SelectionList(*(Selection(Content(one_line(name)), name, name in chosen) for name in names))

    def on_mount(self) -> None:
        self.query_one(SelectionList).focus()

    def action_take(self) -> None:
        """The switched-on ones, in the order of the list."""
        selected = set(self.query_one(SelectionList).selected)
        self.dismiss([name for name in [*self.shown, *self.others] if name in selected])

    def action_usual(self) -> None:
        """No choice of one's own."""
        self.dismiss([])

    def action_give_up(self) -> None:
        """As it was."""
        self.dismiss(None)
