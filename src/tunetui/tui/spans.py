"""Lines of text as spans with tones, and a widget that draws them: nothing in them is markup."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.tui.widgets.drawing import Drawing, Piece
from tunetui.tui.widgets.literal import fit
from tunetui.tui.widgets.tones import Tone

Span = tuple[str, Tone | None]
Spans = tuple[Span, ...]
"""One line; a tone of None is plain text."""


Part = tuple[int, Span]
"""A piece of a line, and when it gives way: 0 never, 1 last."""


def fitting(parts: Sequence[Part], width: int) -> Spans:
    """The parts, of which those that give way first are left out where there are more than ``width`` cells (0: no limit)."""
    for most in sorted({place for place, _ in parts}, reverse=True):
        kept = tuple(span for place, span in parts if place <= most)
        if not width or len(text_of(kept)) <= width:
            return kept
    return tuple(span for place, span in parts if not place)


def plain(text: str) -> Spans:
    """A line without a tone."""
    return ((text, None),)


def toned(text: str, tone: Tone | None) -> Spans:
    """A line in one tone."""
    return ((text, tone),)


def text_of(spans: Spans) -> str:
    """The line as plain text."""
    return "".join(text for text, _ in spans)


def spread(left: Spans, right: Spans, width: int) -> Spans:
    """Both on one line of ``width`` cells, the right one at its end; where both do not fit the left one is cut."""
    tail = text_of(right)
    room = width - len(tail) - 1  # a blank between the two
    if room <= 0:
        return right
    return (*_cut(left, room), (" ", None), *right)


def _cut(spans: Spans, width: int) -> Spans:
    """Exactly ``width`` cells of a line."""
    kept: list[Span] = []
    for text, tone in spans:
        shown = text if len(text) <= width else fit(text, width)
        kept.append((shown, tone))
        width -= len(shown)
        if width <= 0:
            return tuple(kept)
    return (*kept, (" " * width, None))


class LinesPane(Drawing):
    """A few lines that change often; only those that differ are painted again."""

    DEFAULT_CSS = "LinesPane { height: 1; }"

    def __init__(self, *lines: Spans, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id, classes=classes)
        self.lines = list(lines)

    @property
    def text(self) -> str:
        """What it says, line by line."""
        return "\n".join(text_of(line) for line in self.lines)

    def show(self, lines: Sequence[Spans]) -> None:
        """Draw these lines from the top; the rest of the pane is blank."""
        if lines != self.lines:
            self.lines = list(lines)
            self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        """The lines in their tones."""
        tones = self.tones
        return [[(text, None if tone is None else tones[tone]) for text, tone in line] for line in self.lines]
