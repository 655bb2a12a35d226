"""Any number of lines to scroll through."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.strip import Strip

from tunetui.tui.spans import Span, Spans, text_of
from tunetui.tui.widgets.line_view import LineView
from tunetui.tui.widgets.literal import literal, wrap
from tunetui.tui.widgets.tones import Tone, tone_styles


class TextView(LineView):
    """Lines with tones; those longer than the view go on below."""

    DEFAULT_CSS = "TextView { overflow-x: hidden; }"
    BINDINGS: ClassVar = [
        Binding("up,k", "scroll_up", "Line up", show=False), Binding("down,j", "scroll_down", "Line down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown,space", "page_down", "Page down", show=False),
        Binding("home,g", "scroll_home", "To the beginning", show=False),
        Binding("end,G", "scroll_end", "To the end", show=False),
    ]  # fmt: skip

    def __init__(self, lines: Sequence[Spans] = (), *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.said = list(lines)
        self._wrapped: list[Spans] = []
        self._styles: dict[Tone | None, Style] = {}

    def show(self, lines: Sequence[Spans]) -> None:
        """Other lines."""
        self.said = list(lines)
        self._wrap()

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return "\n".join(text_of(line) for line in self.said)

    def on_resize(self) -> None:
        self._wrap()

    def _wrap(self) -> None:
        if not self.size.width:
            return  # not laid out yet, or hidden: it will be resized
        width = max(self.size.width - 2, 1)
        self._wrapped = [part for line in self.said for part in _parts(line, width)]
        self._thumb_moved_at = 0.0  # a page is turned by hand: its scrollbar follows at once
        self.set_content_size(self.size.width, len(self._wrapped))
        self.forget_drawing()

    def line_key(self, y: int) -> Hashable:
        return y + self.scroll_offset.y

    def draw_line(self, y: int) -> Strip:
        place, width = y + self.scroll_offset.y, self.size.width
        base = self._style(None)
        if place >= len(self._wrapped):
            return Strip.blank(width, base)
        segments = [Segment(literal(text), self._style(tone)) for text, tone in self._wrapped[place] if text]
        return Strip([Segment(" ", base), *segments]).crop_extend(0, width, base)

    def notify_style_update(self) -> None:
        self._styles = {}
        super().notify_style_update()

    def _style(self, tone: Tone | None) -> Style:
        if not self._styles:
            base = self.rich_style
            self._styles = {None: base, **{name: base + style for name, style in tone_styles(self).items()}}
        return self._styles[tone]


def _parts(line: Spans, width: int) -> list[Spans]:
    """The line in parts of at most ``width`` cells, at words: below the second of several spans, below a single one's
    first word.
    """
    if len(text_of(line)) <= width:
        return [line]
    first = line[0][0]
    if len(line) == 1 and not first.isascii():
        return [((part, line[0][1]),) for part in wrap(first, width)]  # by cells: letters may be wide
    indent = len(first) if len(line) > 1 else len(first) - len(first.lstrip())
    indent = indent if indent <= width // 2 else 0
    parts: list[list[Span]] = [[]]
    used = 0
    for text, tone in line:
        for word in re.findall(r"\s+|\S+", text):
            if used + len(word.rstrip()) > width and used > indent:
                parts.append([(" " * indent, None)])
                used = indent
                word = word.lstrip()
            for piece in wrap(word, max(width - indent, 1)) if len(word) > width - used else [word]:
                if used + len(piece) > width:
                    parts.append([(" " * indent, None)])
                    used = indent
                    piece = piece.lstrip()
                parts[-1].append((piece, tone))
                used += len(piece)
    return [tuple(part) for part in parts]
