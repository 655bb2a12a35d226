"""Asks what is to become of a machine that this app rented, and that costs until somebody ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tunetui.core.labels import one_line
from tunetui.tui.rented_here import cost_words, price_words
from tunetui.tui.terminal_port import PacedDialog

if TYPE_CHECKING:
    from tunetui.hosts.lambda_cloud.ledger import Entry

Fate = Literal["keep", "terminate", "stay"]


class KeepingScreen(PacedDialog[Fate]):
    """Keep it, terminate it, or stay; Enter keeps it, as what is on its disk would be lost."""

    BINDINGS: ClassVar = [
        ("k", "choose('keep')", "Keep it"), ("t", "choose('terminate')", "Terminate it"),
        ("escape", "choose('stay')", "Stay"),
    ]  # fmt: skip

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry

    def compose(self) -> ComposeResult:
        entry, price = self.entry, price_words(self.entry)
        kind = f" ({one_line(entry.type)})" if entry.type else ""
        said = f"{one_line(entry.name)}{kind} is rented, costs {price}, and has cost {cost_words(entry)}."
        with Vertical(classes="dialog"):
            yield Static(Content(said), markup=False)
            yield Button(Content(f"(k) keep it: it goes on costing {price}"), id="keep", compact=True)
            yield Button(Content("(t) terminate it: what is on its disk is lost"), id="terminate", compact=True)
            yield Button(Content("(esc) stay"), id="stay", compact=True)

    def on_mount(self) -> None:
        self.query_one("#keep").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The same as the keys."""
        fates: dict[str, Fate] = {"keep": "keep", "terminate": "terminate"}
        self.dismiss(fates.get(event.button.id or "", "stay"))

    def action_choose(self, fate: Fate) -> None:
        """By key."""
        self.dismiss(fate)
