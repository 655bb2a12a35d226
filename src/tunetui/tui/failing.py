"""Failures of the app itself: written down without anybody's values, and told apart by what they cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.app import App
from textual.screen import Screen
from textual.widget import Widget

from tunetui.tui.reporting import write_report
from tunetui.tui.terminal_port import present_pump

_MOST_AT_ONCE, _WITHIN_SECONDS = 3, 10.0
"""More failures than this in so short a time: the app is not usable any more."""


@dataclass(frozen=True)
class Failure:
    """One failure of the app."""

    t: float
    kind: str
    report: Path | None
    widget: bool
    """Whether only a widget is lost by it."""

    @property
    def where(self) -> str:
        """Where to read more."""
        return f"A report is in {self.report}" if self.report else "No report could be written"


def note(error: BaseException) -> Failure:
    """Write a report of an error that is being handled now."""
    pump = present_pump()
    widget = isinstance(pump, Widget) and not isinstance(pump, Screen | App)
    return Failure(time.monotonic(), type(error).__name__, write_report(error), widget)


def survivable(failure: Failure, all_of_them: Sequence[Failure]) -> bool:
    """Whether the app can go on after it."""
    lately = [each for each in all_of_them if failure.t - each.t < _WITHIN_SECONDS]
    return failure.widget and len(lately) <= _MOST_AT_ONCE
