"""Lines that Textual sends as they are: it makes no second line of each, and none that only the garbage collector frees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor, LineFilter
from textual.strip import Strip


class WholeLine(Strip):
    """A line over the whole width of its widget.

    What Textual cuts of a line it keeps in that line.  Of one that is not cut at all this is the line itself: a ring.
    """

    __slots__ = ()

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        cuts = list(cuts)
        return [self] if cuts == [self.cell_length] else super().divide(cuts)


def whole_line(segments: Iterable[Segment], width: int, base: Style) -> WholeLine:
    """Segments as a line of ``width`` cells: cut, or filled up in the style ``base``; those of equal style are one."""
    found = list(segments)
    missing = width - Segment.get_line_length(found)
    if missing < 0:
        found = list(Strip(found).crop(0, width))
    elif missing:
        found.append(Segment(" " * missing, base))
    return WholeLine(Segment.simplify(found), width)


def needed(filters: Sequence[LineFilter]) -> list[LineFilter]:
    """Without the one that knows the colours of themes for sixteen colours: ours say all of theirs."""
    return [each for each in filters if not isinstance(each, ANSIToTruecolor)]
