"""Asks what is to become of a run that is still at work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Button, Static

from tunetui.core.labels import host_name, one_line
from tunetui.tui.terminal_port import PacedDialog

Choice = Literal["leave", "stop", "stay"]


class LeavingScreen(PacedDialog[Choice]):
    """Leave it running, stop it, or stay."""

    BINDINGS: ClassVar = [
        ("l", "choose('leave')", "Leave it running"), ("s", "choose('stop')", "Stop it and keep what was measured"),
        ("escape", "choose('stay')", "Stay"),
    ]  # fmt: skip

    def __init__(self, run: str, progress: str, hosts: Sequence[str]) -> None:
        super().__init__()
        self.run_name, self.progress, self.hosts = run, progress, hosts

    def compose(self) -> ComposeResult:
        where = ", ".join(host_name(host) for host in self.hosts) or "its host"
        leave = f"(l) leave it running on {where}: the same grid, or a on the Hosts screen, attaches to it again"
        with Vertical(classes="dialog"):
            yield Static(
                Content(f"{one_line(self.run_name)} is still at work: {one_line(self.progress)}."), markup=False
            )
            yield Button(Content(leave), id="leave", compact=True)
            yield Button(
                Content("(s) stop after the present trial, and save what was measured"), id="stop", compact=True
            )
            yield Button(Content("(esc) stay"), id="stay", compact=True)

    def on_mount(self) -> None:
        self.query_one("#leave").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The same as the keys."""
        choices: dict[str, Choice] = {"leave": "leave", "stop": "stop"}
        self.dismiss(choices.get(event.button.id or "", "stay"))

    def action_choose(self, choice: Choice) -> None:
        """By key."""
        self.dismiss(choice)
