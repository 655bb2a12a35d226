"""A screen over a draft: what was changed is asked about, saved, and started once it is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tunetui.core.errors import InputError, TunetuiError
from tunetui.session.setting_up import Prospect
from tunetui.tui.grid_draft import GridDraft
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.confirming import ConfirmScreen, ask_then


class SavingScreen(CommandScreen):
    """A subclass shows the draft, and knows what it would come to."""

    def __init__(self, draft: GridDraft) -> None:
        super().__init__()
        self.draft = draft

    @property
    def prospect(self) -> Prospect | None:
        """The latest outlook."""
        raise NotImplementedError

    def show_draft(self) -> None:
        """Show the draft anew."""
        raise NotImplementedError

    def held_back(self, go_on: Callable[[], object]) -> bool:
        """Changes that were not saved are asked about."""
        if self.draft.is_changed and not isinstance(self.app.screen, ConfirmScreen):
            question = f"{self.draft.path.name} was changed and not saved."
            ask_then(self.app, ConfirmScreen(question, "leave it, without the changes"), go_on)
        return self.draft.is_changed

    def save(self) -> None:
        """Where it was opened from."""
        self.write(None)

    def start(self) -> None:
        """Save what was changed, with a question where a file of the user's would change, and measure."""
        if self.prospect is not None and self.prospect.error:
            raise InputError(self.prospect.error, hint=self.prospect.hint or "mend that first")
        if self.draft.opened is None or not self.draft.is_changed:
            self._start_saved()
            return
        question = f"{self.draft.path.name} was changed here: save it and start?"
        ask_then(self.app, ConfirmScreen(question, "save and start"), self._start_saved)

    def _start_saved(self) -> None:
        if self.write(None):
            self.cockpit.start_grid(self.draft.path)

    def write(self, path: Path | None) -> bool:
        """To another file, or to its own; whether that could be done."""
        before = self.draft.opened
        try:
            written = self.draft.save(path)
        except TunetuiError as error:
            self.cockpit.tell_error(error)
            return False
        if before != self.draft.text:
            self.cockpit.tell(f"wrote {written}")
        self.show_draft()
        return True
