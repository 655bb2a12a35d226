"""What the app tells its user: shown for a while, kept to be read again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line
from tunetui.tui.commands.everywhere import ShowNotices
from tunetui.tui.terminal_port import standing_notices

if TYPE_CHECKING:
    from textual.app import App

    from tunetui.tui.app import Cockpit

    _Mixed = App[None]
else:
    _Mixed = object

_SAID_KEPT = 500
_PROBLEMS_SHOWN = 2
_ERROR_STAYS_SECONDS = 15.0


@dataclass(frozen=True)
class Said:
    """One thing that the app told the user; ``t`` in Unix seconds."""

    t: float
    text: str
    severity: str = "information"


class Telling(_Mixed):
    """The part of the app that says something."""

    said: Sequence[Said] = ()
    """So far, the oldest first."""

    def tell(self, text: str, severity: str = "information") -> None:
        """Say something that can be read again later; it is text, not markup.  What stands there still is not said twice."""
        line = one_line(text)
        self._note(line, severity)
        if line in standing_notices(self):
            return
        known: Any = severity
        self.notify(line, severity=known, markup=False, timeout=_ERROR_STAYS_SECONDS if severity == "error" else None)

    def _note(self, text: str, severity: str) -> None:
        self.said = [*self.said[1 - _SAID_KEPT :], Said(time.time(), text, severity)]

    def tell_problems(self, problems: Sequence[str]) -> None:
        """Each, or where they would cover the screen how many there are: the notices have all of them."""
        if len(problems) <= _PROBLEMS_SHOWN:
            for problem in problems:
                self.tell(problem, "warning")
            return
        for problem in problems:
            self._note(one_line(problem), "warning")
        keys = cast("Cockpit", self).looks.keymap.get(ShowNotices.id, ShowNotices.key)
        self.tell(f"{len(problems)} things in settings and themes cannot be used: {keys} lists them", "warning")

    def tell_error(self, error: TunetuiError) -> None:
        """Say no: the message and what to do."""
        self.tell(f"{error.message}. {error.hint}" if error.hint else error.message, "error")
