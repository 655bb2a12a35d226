"""The first screen: grids to measure, leaderboards to open and runs to play again, as found on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tunetui.core.errors import TunetuiError
from tunetui.core.figures import clock
from tunetui.core.labels import one_line
from tunetui.session import library
from tunetui.session.setting_up import kernel_choices
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.starting import START
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.spans import LinesPane
from tunetui.tui.widgets.keys_line import KeysLine

_RUNS_SHOWN = 200
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Choice:
    """One line: what it says and what choosing it does."""

    text: str
    open: Callable[[], None]
    journal: Path | None = None


class StartScreen(CommandScreen):
    """A list under three headings."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = START
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Start"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.choices: list[Choice | None] = []
        """By the option's place; None for a heading."""
        self.list = OptionList(id="choices", markup=False)

    def compose(self) -> ComposeResult:
        yield LinesPane(((" tunetui", "strong"), (" · what to measure, or to look at", "muted")), classes="title")
        yield self.list
        yield KeysLine()

    def on_mount(self) -> None:
        self.look()
        self.list.focus()

    def look(self) -> None:
        """Find what is kept here."""
        cockpit = self.cockpit
        self.choices = []
        grids = [
            Choice(_near(path, self.folder), partial(cockpit.set_up, path)) for path in library.kept_grids(self.folder)
        ]
        grids += [
            Choice(f"a new grid for {name}", partial(cockpit.set_up_new, name)) for name in kernel_choices(self.folder)
        ]
        boards = [
            Choice(_near(path, self.folder), partial(cockpit.open_file, path))
            for path in library.kept_leaderboards(self.folder)
        ]
        runs = [
            Choice(
                f"{run.name:<40} {_age(run.updated):>10}  {_held(run.holder)}",
                partial(cockpit.open_file, run.journal),
                run.journal,
            )
            for run in library.kept_runs()[:_RUNS_SHOWN]
        ]
        options: list[Option] = []
        for heading, empty, found in (
            ("Grids: Enter sets one up, to be changed and started", "no grid file here or in grids/", grids),
            ("Leaderboards", "no saved leaderboard here", boards),
            ("Runs: Enter opens the leaderboard, r plays the journal", "no run is kept on this machine", runs),
        ):
            options.append(Option(Content(heading).stylize("bold"), disabled=True))
            self.choices.append(None)
            for choice in found:
                options.append(Option(Content(f"  {one_line(choice.text)}")))
                self.choices.append(choice)
            if not found:
                options.append(Option(Content(f"  {empty}"), disabled=True))
                self.choices.append(None)
        self.list.clear_options()
        self.list.add_options(options)
        first = next((place for place, choice in enumerate(self.choices) if choice is not None), None)
        self.list.highlighted = first

    @property
    def chosen(self) -> Choice | None:
        """What the cursor is on."""
        place = self.list.highlighted
        return None if place is None or place >= len(self.choices) else self.choices[place]

    @property
    def chosen_journal(self) -> Path | None:
        """The journal of the run that the cursor is on."""
        return self.chosen.journal if self.chosen is not None else None

    def on_option_list_option_selected(self) -> None:
        """Enter or a click."""
        self.open_chosen()

    def on_option_list_option_highlighted(self) -> None:
        """Only runs can be played."""
        self.refresh_bindings()

    def open_chosen(self) -> None:
        """What the line says."""
        if self.chosen is not None:
            try:
                self.chosen.open()
            except TunetuiError as error:
                self.cockpit.tell_error(error)

    def play_chosen(self) -> None:
        """Its journal."""
        if self.chosen_journal is not None:
            self.cockpit.open_replay(self.chosen_journal)


def _near(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _age(updated: float) -> str:
    seconds = max(0.0, time.time() - updated)
    return f"{clock(seconds)} ago" if seconds < _DAY_SECONDS else f"{seconds / _DAY_SECONDS:.0f} days ago"


def _held(holder: object) -> str:
    return "" if holder is None else f"in the hands of process {getattr(holder, 'pid', '?')}"
