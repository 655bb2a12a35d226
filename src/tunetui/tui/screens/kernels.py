"""Which kernel a grid is for: those that ship with tunetui, those lying near, those that grids here name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tunetui.core.labels import one_line
from tunetui.tui.terminal_port import PacedDialog


class KernelScreen(PacedDialog[str | None]):
    """Enter takes one, escape none; a path is typed with e on the kernel's line."""

    BINDINGS: ClassVar = [("escape", "dismiss(None)", "As before")]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = list(names)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Kernels: enter takes one; e on the line types a path", markup=False)
            yield OptionList(*(Option(Content(one_line(name))) for name in self.names), markup=False, compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        self.dismiss(self.names[event.option_index])
