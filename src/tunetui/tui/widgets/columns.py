"""What a table's columns look like: their widths, texts and tones, and where each stands on a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.tones import Tone

CellText = Callable[[ColumnStore, int], str]
CellTone = Callable[[ColumnStore, int], Tone | None]


@dataclass(frozen=True)
class Column:
    """One column: ``key`` is the store's column that it sorts by, ``cell`` what a row shows in it (plain text)."""

    key: str
    label: str
    width: int
    cell: CellText
    right: bool = True
    tone: CellTone | None = None
    gives_way: int = 0
    """Where there is no room for all, the column with the largest number goes first; 0: never."""
    searchable: bool = False
    """Whether a search marks what it found in this column."""


def number_column(
    key: str,
    label: str,
    width: int,
    *,
    decimals: int = 0,
    missing: str = "n/a",
    tone: CellTone | None = None,
    gives_way: int = 0,
) -> Column:
    """A column of numbers with fixed ``decimals``; ``missing`` stands where nothing is known."""
    pattern = f"%.{decimals}f"

    def cell(store: ColumnStore, row: int) -> str:
        value = store.number(key, row)
        return pattern % value if value == value else missing  # noqa: PLR0124 (NaN)

    return Column(key, label, width, cell, tone=tone, gives_way=gives_way)


def text_column(
    key: str, label: str, width: int, *, right: bool = False, tone: CellTone | None = None, gives_way: int = 0
) -> Column:
    """A column of texts, as they are."""

    def cell(store: ColumnStore, row: int) -> str:
        return store.text(key, row)

    return Column(key, label, width, cell, right=right, tone=tone, gives_way=gives_way, searchable=True)


@dataclass(frozen=True)
class Place:
    """A column on the line, in cells from the line's start before any scrolling; ``end`` leaves out the gap."""

    column: Column
    start: int
    end: int


class ColumnLayout:
    """The shown columns side by side, one cell apart, after a gutter of one cell; the first ``fixed`` never scroll."""

    GUTTER = 1

    def __init__(self, columns: Sequence[Column], fixed: int) -> None:
        self.places: list[Place] = []
        start = self.GUTTER
        for column in columns:
            self.places.append(Place(column, start, start + column.width))
            start += column.width + 1
        self.width = start
        self.fixed_places = self.places[:fixed]
        self.moving_places = self.places[fixed:]
        self.fixed_width = self.moving_places[0].start if self.moving_places else start

    def column_at(self, x: int, scrolled: int) -> Column | None:
        """The column drawn at cell ``x`` of a line that is scrolled by ``scrolled`` cells."""
        at = x if x < self.fixed_width else x + scrolled
        return next((place.column for place in self.places if place.start <= at <= place.end), None)


def fitting(columns: Iterable[Column], width: int) -> list[Column]:
    """Those of ``columns`` that fit ``width`` cells: they give way in the order they state, the later one first."""
    kept = list(columns)
    while ColumnLayout(kept, 0).width > width:
        weakest = max(range(len(kept)), key=lambda at: (kept[at].gives_way, at), default=None)
        if weakest is None or not kept[weakest].gives_way:
            break
        del kept[weakest]
    return kept
