"""A picture made of text lines: drawn when asked, sent only where it differs, not drawn at all while nobody sees it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tunetui.tui.widgets.kept_lines import KeptLines
from tunetui.tui.widgets.literal import literal
from tunetui.tui.widgets.tones import ToneStyles, tone_styles
from tunetui.tui.widgets.whole_line import needed, whole_line

Piece = tuple[str, Style | None]
"""Text and what it adds to the widget's own style."""


class Drawing(KeptLines, Widget):
    """A subclass draws all of its lines in `draw`, and calls `redraw` when there is something new to draw."""

    DEFAULT_CSS = "Drawing { width: 1fr; height: 1fr; }"

    ALLOW_SELECT = False

    _lines: list[Strip] | None = None
    _drawn_size = Size(0, 0)
    _styles_now: tuple[Style, ToneStyles] | None = None
    lines_repainted = 0
    """Lines asked to be sent again so far, for tests and benches."""

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        """The lines, at most ``height`` of them, at most ``width`` cells each (cut where they are wider)."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Show what is new.  Free while the widget is not on screen: it is then drawn when it comes back."""
        if self._lines is None or self.size != self._drawn_size or not self.is_on_screen:
            self._lines = None
            self.refresh()
            return
        before, after = self._lines, self._draw_now()
        changed = [y for y, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
        self.lines_repainted += len(changed)
        if changed:
            self.refresh(*[Region(0, y, self.size.width, 1) for y in changed])

    def get_line_filters(self) -> Sequence[LineFilter]:
        return needed(super().get_line_filters())

    def render_line(self, y: int) -> Strip:
        lines = self._lines
        if lines is None or self.size != self._drawn_size:
            lines = self._draw_now()
        return lines[y] if y < len(lines) else Strip.blank(self.size.width, self.rich_style)

    def notify_style_update(self) -> None:
        self._lines = self._styles_now = None
        super().notify_style_update()

    @property
    def tones(self) -> ToneStyles:
        """What each tone adds."""
        return self._styles()[1]

    @property
    def has_colours(self) -> bool:
        """Whether shades of colour can be told apart here; where not, a drawing must say it in characters."""
        app = self.app
        return not app.no_color and (app.is_headless or app.console.color_system not in {None, "standard"})

    def _draw_now(self) -> list[Strip]:
        width, height = self._drawn_size = self.size
        base = self._styles()[0]
        lines = (
            [_strip(pieces, base, width) for pieces in self.draw(width, height)[:height]] if width and height else []
        )
        lines += [Strip.blank(width, base)] * (height - len(lines))
        self._lines = lines
        return lines

    def _styles(self) -> tuple[Style, ToneStyles]:
        if self._styles_now is None:
            self._styles_now = self.rich_style, tone_styles(self)
        return self._styles_now


def _strip(pieces: list[Piece], base: Style, width: int) -> Strip:
    segments = [Segment(literal(text), base if style is None else base + style) for text, style in pieces if text]
    return whole_line(segments, width, base)
