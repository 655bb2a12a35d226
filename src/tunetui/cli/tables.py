"""Tables as text: columns laid out for a width, giving way in a stated order, numbers never cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunetui.core.text_fitting import text_width

_GAP = "  "


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of finished cells.

    ``key`` is the name by which the user speaks of it; ``header`` its lines, unit last; the column with the
    highest ``gives_way`` is left out first where the width does not suffice, one with 0 stays.
    """

    key: str
    header: tuple[str, ...]
    cells: Sequence[str]
    align: Literal["left", "right", "point"] = "left"
    gives_way: int = 0


@dataclass(frozen=True)
class Table:
    """What is printed: header and body lines, and the keys of the columns that found no room."""

    header: list[str]
    body: list[str]
    left_out: list[str]


def lay_out(columns: Sequence[Column], width: int | None) -> Table:
    """Lines no wider than ``width`` columns of the terminal (None: no limit) where the lasting columns allow it."""
    shown, left_out = list(columns), []
    cells = {column.key: _aligned(column) for column in columns}
    widths = {key: _column_width(_by_key(columns, key), aligned) for key, aligned in cells.items()}
    while width is not None and _total(shown, widths) > width:
        candidates = [column for column in shown if column.gives_way > 0]
        if not candidates:
            break
        first = max(candidates, key=lambda column: column.gives_way)
        shown.remove(first)
        left_out.append(first.key)
    depth = max((len(column.header) for column in shown), default=0)
    header = [_line([(_header_line(column, row, depth), column) for column in shown], widths) for row in range(depth)]
    rows = len(columns[0].cells) if columns else 0
    body = [_line([(cells[column.key][row], column) for column in shown], widths) for row in range(rows)]
    return Table(header, body, left_out)


def _by_key(columns: Sequence[Column], key: str) -> Column:
    return next(column for column in columns if column.key == key)


def _aligned(column: Column) -> list[str]:
    """Cells of a numeric column padded so that their decimal points stand below each other."""
    if column.align != "point":
        return list(column.cells)
    fraction = max((len(_fraction(cell)) for cell in column.cells), default=0)
    return [cell + " " * (fraction - len(_fraction(cell))) for cell in column.cells]


def _fraction(cell: str) -> str:
    whole, point, fraction = cell.partition(".")
    return point + fraction if whole.lstrip("-").isdigit() else ""


def _column_width(column: Column, cells: Sequence[str]) -> int:
    return max((text_width(text) for text in (*column.header, *cells)), default=0)


def _total(shown: Sequence[Column], widths: dict[str, int]) -> int:
    return sum(widths[column.key] for column in shown) + len(_GAP) * max(0, len(shown) - 1)


def _header_line(column: Column, row: int, depth: int) -> str:
    """Headers stand on the body: the last line of each is the unit or the end of its name."""
    index = row - (depth - len(column.header))
    return column.header[index] if index >= 0 else ""


def _line(cells: Sequence[tuple[str, Column]], widths: dict[str, int]) -> str:
    return _GAP.join(_padded(text, widths[column.key], column) for text, column in cells).rstrip()


def _padded(text: str, width: int, column: Column) -> str:
    blanks = " " * (width - text_width(text))
    return text + blanks if column.align == "left" else blanks + text
