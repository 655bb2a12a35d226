"""Which leaderboard to hold against the present one: a list of what is saved and kept here."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tunetui.core.labels import one_line
from tunetui.session import library
from tunetui.tui.terminal_port import PacedDialog

_RUNS_SHOWN = 200


class ChooseBoardScreen(PacedDialog[Path | None]):
    """Enter takes the line under the cursor, Escape none."""

    BINDINGS: ClassVar = [("escape", "give_up", "None")]

    def __init__(self, itself: str = "", journal: Path | None = None) -> None:
        """``itself`` and ``journal``: what is looked at already, by its file's name and its run, which stands last."""
        super().__init__()
        known = [
            *library.kept_leaderboards(Path.cwd()),
            *(run.journal for run in library.kept_runs()[:_RUNS_SHOWN]),
        ]
        self.paths = sorted(known, key=lambda path: path == journal or path.name == itself)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall"):
            yield Static("Compare with: enter takes one, escape none", markup=False)
            if not self.paths:
                yield Static("no leaderboard is saved here and no run is kept on this machine", markup=False)
            yield OptionList(*(Option(Content(one_line(_called(path)))) for path in self.paths), markup=False)

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        self.dismiss(self.paths[event.option_index])

    def action_give_up(self) -> None:
        """Nothing is compared."""
        self.dismiss(None)


def _called(path: Path) -> str:
    return f"run {path.parent.name}" if path.suffix == ".jsonl" else path.name
