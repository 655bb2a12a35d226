"""Escape, heard when it is pressed: Textual 8.2.8 looks only ten times a second whether more of a key comes."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING

from textual import constants
from textual.drivers import linux_driver

if TYPE_CHECKING:
    from selectors import SelectorKey


class _Soon(selectors.SelectSelector):
    """After something was read, waits no longer for the rest of it than a key may take."""

    _has_read = False

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        found = super().select(constants.ESCAPE_DELAY if self._has_read else timeout)
        self._has_read = bool(found)
        return found


class _Selectors:
    """What the driver's thread takes from the module `selectors`."""

    SelectSelector = _Soon
    EVENT_READ = selectors.EVENT_READ


class QuickEscapeDriver(linux_driver.LinuxDriver):
    """Textual's own driver, with `_Soon` in the thread that reads keys."""

    def run_input_thread(self) -> None:
        vars(linux_driver)["selectors"] = _Selectors
        super().run_input_thread()
