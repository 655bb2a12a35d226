"""Puts a running sweep on stderr: redrawn in place in a terminal, one line per result in a log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from tunetui.cli.narration import Face
from tunetui.cli.progress import HEARTBEAT_SECONDS, News, board, finished_line, heartbeat, link_lines
from tunetui.core.labels import one_line
from tunetui.core.links import LinkState
from tunetui.core.snapshot import Run
from tunetui.core.text_fitting import wrapped

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

NO_LINKS: Mapping[str, LinkState] = MappingProxyType({})


class Display(Protocol):
    """What a running sweep is shown on; times in Unix seconds."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def draw(self, run: Run, now: float, links: Mapping[str, LinkState] = NO_LINKS) -> None:
        """Show the newest snapshot, and hosts whose link is down; called at most ten times a second."""

    def say(self, text: str) -> None:
        """One line that stays."""


def open_display(face: Face, run: Run) -> Display:
    """The display that suits the stream; what ``run`` holds already is not news."""
    return LiveDisplay(face, run) if face.is_terminal else LogDisplay(face, run)


class LogDisplay:
    """Plain lines, one for each finished trial, and a sign of life where none is finished for long."""

    def __init__(self, face: Face, run: Run) -> None:
        self.face = face
        self.news = News.since(run)
        self.spoke_at: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.face.stream.flush()

    def draw(self, run: Run, now: float, links: Mapping[str, LinkState] = NO_LINKS) -> None:
        lines = [f"note: {one_line(notice.text)}" for notice in self.news.raised(run)]
        lines += [finished_line(run, row, place) for place, row in self.news.finished(run)]
        if self.spoke_at is None:
            self.spoke_at = now
        if not lines and now - self.spoke_at >= HEARTBEAT_SECONDS and run.ended is None:
            lines = [heartbeat(run, now)]
        if lines:
            self.spoke_at = now
            self.face.lines(lines)

    def say(self, text: str) -> None:
        self.face.lines([text])


class LiveDisplay:
    """A few lines redrawn in place; failures and notices scroll by above them."""

    def __init__(self, face: Face, run: Run) -> None:
        self.face = face
        self.news = News.since(run)
        self.drawn: list[str] = []
        self.live = self._open()

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def draw(self, run: Run, now: float, links: Mapping[str, LinkState] = NO_LINKS) -> None:
        for notice in self.news.raised(run):
            self.say(f"note: {one_line(notice.text)}")
        for place, row in self.news.finished(run):
            if row.cause:
                self.say(finished_line(run, row, place))
        # one column stays free: a line that fills the last column wraps in some terminals
        width = self.live.console.width - 1
        lines = board(run, now, width, ascii_only=self.face.ascii_only) + link_lines(links, now, width)
        if lines == self.drawn:
            return
        self.drawn = lines
        self.live.update(self._text("\n".join(lines)), refresh=True)

    def say(self, text: str) -> None:
        lines = wrapped(text.split(" "), self.live.console.width - 1, indent="  ", first="")
        self.live.console.print(self._text("\n".join(lines)), soft_wrap=True)

    def _open(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(
            file=self.face.stream,
            no_color=not self.face.colour,
            markup=False,
            highlight=False,
            emoji=False,
        )
        return Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False,
            vertical_overflow="crop",
        )  # fmt: skip

    def _text(self, text: str) -> Text:
        from rich.text import Text

        return Text(text, no_wrap=True, overflow="crop")
