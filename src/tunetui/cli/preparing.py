"""What the command line and the settings say about hosts, and a line on stderr while one is made able to measure."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.labels import one_line

if TYPE_CHECKING:
    from tunetui.cli.narration import Face
    from tunetui.session import LinkOptions, Preparing
    from tunetui.session.preparing import Preparation
    from tunetui.settings import Settings

_LOG_EVERY_SECONDS = 5.0
_REDRAW_SECONDS = 0.1
_WORDS = {
    "look": "", "build": "building here", "fetch": "fetching", "send": "sending", "environment": "making", "wheels": "fetching there",
    "install": "installing:", "check": "checking:",
}  # fmt: skip


def link_options(parsed: argparse.Namespace, settings: Settings) -> LinkOptions:
    """How hosts may be reached."""
    from tunetui.session import LinkOptions

    return LinkOptions(
        host_keys=tuple(parsed.host_keys),
        accept_new_host_key=parsed.accept_new_host_key,
        ask_about_host_keys=False,
        addresses=settings.addresses(),
    )


def preparing(parsed: argparse.Namespace, settings: Settings, display: PreparationLine) -> Preparing:
    """What to measure with on hosts."""
    from tunetui.session import Preparing

    offline = parsed.offline_wheels
    return Preparing(
        settings=settings.hosts,
        offline_wheels=offline is not None,
        wheels_folder=Path(offline).absolute() if offline else None,
        on_progress=display.tell,
    )


class PreparationLine:
    """One line that is redrawn in a terminal; in a log, one for each step, and now and then while it lasts."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._steps: set[tuple[str, str]] = set()
        self._spoke_at = 0.0
        self._drawn = False
        self._left = False

    def tell(self, now: Preparation) -> None:
        """How far one host is."""
        if self._left:
            return
        if now.step == "ready":
            if self._steps:  # a host that was ready all along is not worth a line
                self.end()
                self._face.lines([f"prepared    {one_line(now.host)}: {one_line(now.text)}"])
            return
        new = (now.host, now.step) not in self._steps
        self._steps.add((now.host, now.step))
        if now.step == "look" or not self._face.is_terminal:
            if new or time.monotonic() - self._spoke_at >= _LOG_EVERY_SECONDS:
                self._spoke_at = time.monotonic()
                self.end()
                self._face.lines([self._text(now)])
        elif new or time.monotonic() - self._spoke_at >= _REDRAW_SECONDS:
            self._spoke_at = time.monotonic()
            self._face.stream.write(f"\r\x1b[K{self._text(now)[: (self._face.width or 80) - 1]}")
            self._face.stream.flush()
            self._drawn = True

    def wait(self, host: str, words: str) -> None:
        """A host that is reached was asked to do what ``words`` say, and takes its time; no words: that is over."""
        if self._left or not words:
            return
        self.end()
        self._face.lines([f"waiting     for {one_line(host)} to {words}"])

    def leave(self) -> None:
        """Say no more: the run has begun, and has the terminal; hosts that come later are told of by it."""
        self.end()
        self._left = True

    def end(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            self._face.stream.write("\r\x1b[K")
            self._face.stream.flush()
            self._drawn = False

    def _text(self, now: Preparation) -> str:
        how_far = ""
        if now.total and now.step in ("fetch", "send", "wheels"):
            how_far = f" {100 * now.done / now.total:.0f} % of {now.total / 1e6:,.0f} MB:"
        if now.step == "build":
            how_far = f" {now.done} of {now.total}:"
        words = f"{_WORDS.get(now.step, now.step)}{how_far} {one_line(now.text)}".strip()
        return f"preparing   {one_line(now.host)}: {words}"
