"""A log that follows its end, keeps a long past to scroll back to, and costs only the lines on screen."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tunetui.tui.widgets.line_view import LineView
from tunetui.tui.widgets.literal import fit, wrap
from tunetui.tui.widgets.tones import Tone, ToneStyles, tone_styles
from tunetui.tui.widgets.whole_line import WholeLine

_TAB_CELLS = 4


class LogLine(NamedTuple):
    """One entry: plain text, and how it stands out."""

    text: str
    tone: Tone | None = None


class TailLog(LineView):
    """Long lines are wrapped to the width there is.  Scrolled back, it stays where it is while lines are added."""

    DEFAULT_CSS = "TailLog { overflow-x: hidden; background: $background; }"

    def __init__(
        self,
        *,
        max_lines: int = 20_000,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """Beyond ``max_lines`` the oldest tenth is dropped."""
        super().__init__(name=name, id=id, classes=classes)
        self._max_lines = max_lines
        self._entries: list[LogLine] = []
        self._pieces: list[LogLine] = []
        self._dropped_pieces = 0
        self._wrapped_at = 0
        self._follows = True  # at the last look; a change of height moves the end away
        self._styles_now: tuple[Style, ToneStyles] | None = None

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls back reads something: it stays where it is until the end is on screen again."""
        super().watch_scroll_y(old_value, new_value)
        if self.view_size.width == self._wrapped_at:
            self._follows = self.is_at_end

    @property
    def entries(self) -> Sequence[LogLine]:
        """What it holds, oldest first, as written."""
        return self._entries

    def write(self, entries: Iterable[LogLine | str]) -> None:
        """Add entries at the end: one call per tick, not one per event."""
        new = [LogLine(entry) if isinstance(entry, str) else entry for entry in entries]
        if not new:
            return
        follows = self.is_at_end
        self._entries += new
        self._pieces += self._wrapped(new)
        self._drop_oldest()
        self._show(follows=follows)

    def clear(self) -> None:
        self._entries, self._pieces, self._dropped_pieces = [], [], 0
        self.forget_drawing()
        self._show(follows=True)

    @property
    def is_at_end(self) -> bool:
        """Whether the newest line is on screen, so that it follows."""
        return self.scroll_offset.y >= self.max_scroll_y - 1

    def line_key(self, y: int) -> Hashable:
        at = y + self.top.y
        return at + self._dropped_pieces if at < len(self._pieces) else None

    def draw_line(self, y: int) -> Strip:
        if self._styles_now is None:
            self._styles_now = self.rich_style, tone_styles(self)
        plain, tones = self._styles_now
        width, at = self.across, y + self.top.y
        if at >= len(self._pieces):
            return Strip.blank(width, plain)
        text, tone = self._pieces[at]
        return WholeLine([Segment(fit(text, width), plain if tone is None else plain + tones[tone])], width)

    def notify_style_update(self) -> None:
        self._styles_now = None
        super().notify_style_update()

    def on_resize(self) -> None:
        if self.view_size.width == self._wrapped_at:
            if self._follows:
                self._show(follows=True)
            return
        follows = self._follows  # where the end was on screen before the size changed
        self._pieces, self._dropped_pieces = self._wrapped(self._entries), 0
        self.forget_drawing()
        self._show(follows=follows)

    def _wrapped(self, entries: Iterable[LogLine]) -> list[LogLine]:
        width = self._wrapped_at = self.view_size.width
        pieces = []
        for text, tone in entries:
            for line in text.expandtabs(_TAB_CELLS).splitlines() or [""]:
                pieces += [LogLine(piece, tone) for piece in (wrap(line, width) if width else [line])]
        return pieces

    def _drop_oldest(self) -> None:
        over = len(self._entries) - self._max_lines
        if over <= 0:
            return
        over = max(over, self._max_lines // 10)
        pieces = len(self._wrapped(self._entries[:over]))
        del self._entries[:over], self._pieces[:pieces]
        self._dropped_pieces += pieces
        self.scroll_quietly(max(self.scroll_offset.y - pieces, 0))

    def _show(self, *, follows: bool) -> None:
        self._follows = follows
        if not self.is_mounted:
            return
        self.set_content_size(self.view_size.width, len(self._pieces))
        if follows:
            self.scroll_quietly(max(len(self._pieces) - self.view_size.height, 0))
        self.repaint_changed()
