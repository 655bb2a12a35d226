"""One line of figures and words, some of them standing out; sent again only when it reads differently."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment

from tunetui.tui.widgets.drawing import Drawing, Piece
from tunetui.tui.widgets.literal import literal
from tunetui.tui.widgets.tones import Tone

Figure = str | tuple[str, Tone]
"""Plain text, or text and how it stands out."""


class FigureLine(Drawing):
    """Unlike Textual's `Static`, a new text lays nothing out."""

    DEFAULT_CSS = "FigureLine { height: 1; width: 1fr; }"

    def __init__(
        self,
        *figures: Figure,
        right: Sequence[Figure] = (),
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        """``right`` stands at the right edge, where there is room for both."""
        super().__init__(name=name, id=id, classes=classes)
        self._left, self._right = tuple(figures), tuple(right)

    @property
    def text(self) -> str:
        """What it says, left part."""
        return "".join(figure if isinstance(figure, str) else figure[0] for figure in self._left)

    def show(self, *figures: Figure, right: Sequence[Figure] = ()) -> None:
        """Say something else."""
        if (figures, tuple(right)) != (self._left, self._right):
            self._left, self._right = figures, tuple(right)
            self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        left, right = self._pieces(self._left), self._pieces(self._right)
        gap = width - sum(_cells(text) for text, _ in left + right)
        if not right or gap < 1:
            return [left]
        return [[*left, (" " * gap, None), *right]]

    def _pieces(self, figures: Sequence[Figure]) -> list[Piece]:
        tones = self.tones
        return [(each, None) if isinstance(each, str) else (each[0], tones[each[1]]) for each in figures]


def _cells(text: str) -> int:
    return Segment(literal(text)).cell_length
