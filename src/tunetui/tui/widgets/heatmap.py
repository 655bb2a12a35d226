"""A grid of values as shades: figures in the cells where there is room, half blocks where there is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

from tunetui.tui.widgets.axes import short_number
from tunetui.tui.widgets.drawing import Drawing, Piece
from tunetui.tui.widgets.literal import fit

SHADES = 32


_VIRIDIS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Sampled from matplotlib's viridis: even steps for every kind of colour vision, and in grey."""
_WIDEST_CELL = 12
_UNKNOWN = "·"
_BEST, _TIED = "*", "="


def _ramp() -> list[Color]:
    ends = np.array(_VIRIDIS, float)
    at = np.linspace(0, len(ends) - 1, SHADES)
    left = np.minimum(at.astype(int), len(ends) - 2)
    mixed = ends[left] + (ends[left + 1] - ends[left]) * (at - left)[:, None]
    return [Color.from_rgb(*map(int, rgb)) for rgb in mixed.round()]


def _ink(paper: Color) -> Color:
    """Black or white, whichever is read better on ``paper``: they are level at a luminance of 0.18 (WCAG 2)."""
    rgb = np.array(paper.get_truecolor()) / 255
    luminance = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)
    return Color.from_rgb(0, 0, 0) if luminance > 0.18 else Color.from_rgb(255, 255, 255)


_COLOURS = _ramp()
_INK = [_ink(paper) for paper in _COLOURS]


@dataclass(frozen=True)
class Grid:
    """What a heatmap shows: ``values[y, x]``, NaN where nothing is known, under the names of both axes."""

    values: NDArray[np.float64]
    x_names: Sequence[str]
    y_names: Sequence[str]
    x_title: str = ""
    y_title: str = ""
    unit: str = ""
    low_is_good: bool = True
    tied: NDArray[np.bool_] | None = None
    """``tied[y, x]``: whether a cell cannot be told apart from the best one, which is marked; None: nobody knows."""

    def goodness(self) -> NDArray[np.float64]:
        """From 0 (worst) to 1 (best); logarithmic where all values are positive, so that the good end has room."""
        values = self.values.astype(float)
        known = values[np.isfinite(values)]
        if not len(known):
            return np.full(values.shape, np.nan)
        if known.min() > 0:
            values, known = np.log(np.where(values > 0, values, np.nan)), np.log(known)
        span = known.max() - known.min()
        good = (values - known.min()) / span if span > 0 else values * 0 + (0.0 if self.low_is_good else 1.0)
        good = np.where(np.isfinite(good), good, np.nan)
        return 1 - good if self.low_is_good else good


class Heatmap(Drawing):
    """Bright is good.  Cells that nothing is known of stay blank; the best one is marked and named in the legend, and
    those that cannot be told apart from it are marked too.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._grid = Grid(np.empty((0, 0)), (), ())
        self._good = self._grid.goodness()
        self._figures: list[list[str]] = []

    def show(self, grid: Grid) -> None:
        """Show other values.  Raises ValueError where names and values do not match."""
        if grid.values.shape != (len(grid.y_names), len(grid.x_names)):
            raise ValueError(f"{grid.values.shape} values for {len(grid.y_names)} x {len(grid.x_names)} names")
        self._grid, self._good = grid, grid.goodness()
        self._figures = [[short_number(value) for value in row] for row in grid.values.tolist()]
        self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        grid = self._grid
        if not grid.values.size:
            return [[("nothing to show yet", self.tones["muted"])]]
        label = min(max(len(name) for name in [*grid.y_names, grid.y_title]), max(width // 4, 1))
        columns, body = len(grid.x_names), max(height - 2, 1)
        wanted = max(self._figure_width(), *map(len, grid.x_names)) + 2
        cell = min(max((width - label - 1) // columns, 1), wanted, _WIDEST_CELL)
        rows = min(len(grid.y_names), body if self._one_line_each(body) else 2 * body)
        shown = min(columns, max((width - label - 1) // cell, 1))
        lines = [self._header(grid, label, cell, shown)]
        if self._one_line_each(body):
            lines += [self._row(grid, y, label, cell, shown) for y in range(rows)]
        else:
            lines += [self._half_blocks(grid, y, label, cell, shown) for y in range(0, rows, 2)]
        return [*lines, self._legend(grid, rows, shown)]

    def _figure_width(self) -> int:
        known = np.isfinite(self._good)
        return max((len(self._figures[y][x]) for y, x in np.argwhere(known).tolist()), default=0)

    def _one_line_each(self, body: int) -> bool:
        """Half blocks say nothing without colour."""
        return len(self._grid.y_names) <= body or not self.has_colours

    def _header(self, grid: Grid, label: int, cell: int, shown: int) -> list[Piece]:
        muted = self.tones["muted"]
        names = ""
        for x, name in enumerate(grid.x_names[:shown]):
            if len(names) <= x * cell:  # where cells are narrower than names, every few columns have one
                names = names.ljust(x * cell) + (fit(name, cell - 1, right=True) if len(name) < cell else name) + " "
        return [(fit(grid.y_title, label) + " ", muted), (names, muted)]

    def _row(self, grid: Grid, y: int, label: int, cell: int, shown: int) -> list[Piece]:
        """One line per row of the grid: its figure, or the digit of its shade where that is too wide."""
        pieces: list[Piece] = [(fit(grid.y_names[y], label, right=True) + " ", self.tones["muted"])]
        best, fits = self._best(grid), self._figure_width() < cell
        for x, good in enumerate(self._good[y, :shown].tolist()):
            if math.isnan(good):
                pieces.append(
                    (fit(_UNKNOWN, cell - 1, right=True) + " " if cell > 1 else _UNKNOWN, self.tones["muted"])
                )
                continue
            figure = self._figures[y][x] if fits else str(min(int(good * 10), 9))
            mark = _BEST if (y, x) == best else _TIED if grid.tied is not None and grid.tied[y, x] else " "
            text = figure.rjust(cell - 1) + mark if cell > 1 else figure
            pieces.append((text, self._shade(good, is_best=(y, x) == best)))
        return pieces

    def _half_blocks(self, grid: Grid, y: int, label: int, cell: int, shown: int) -> list[Piece]:
        """Two rows of the grid on one line: the upper is the ink of a half block, the lower its paper."""
        pieces: list[Piece] = [(fit(grid.y_names[y], label, right=True) + " ", self.tones["muted"])]
        good = self._good[y : y + 2, :shown].T.tolist()
        for upper, lower in (pair if len(pair) == 2 else [*pair, math.nan] for pair in good):
            if math.isnan(upper) and math.isnan(lower):
                pieces.append((" " * cell, None))
            elif math.isnan(lower):
                pieces.append(("▀" * cell, Style(color=_COLOURS[_shade(upper)])))
            elif math.isnan(upper):
                pieces.append(("▄" * cell, Style(color=_COLOURS[_shade(lower)])))
            else:
                pieces.append(("▀" * cell, Style(color=_COLOURS[_shade(upper)], bgcolor=_COLOURS[_shade(lower)])))
        return pieces

    def _legend(self, grid: Grid, rows: int, shown: int) -> list[Piece]:
        known = grid.values[np.isfinite(grid.values)]
        best = self._best(grid)
        if best is None:
            return [("no values yet", self.tones["muted"])]
        worst, good = (known.max(), known.min()) if grid.low_is_good else (known.min(), known.max())
        if self.has_colours:
            bar: list[Piece] = [("█", Style(color=_COLOURS[shade])) for shade in range(0, SHADES, 4)]
        else:
            bar = [("0-9", None)]
        hidden = grid.values.size - rows * shown
        unit = f" {grid.unit}" if grid.unit else ""
        where = f"{grid.y_title} {grid.y_names[best[0]]} {grid.x_title} {grid.x_names[best[1]]}".strip()
        more = f"  {hidden} more do not fit" if hidden > 0 else ""
        more += f"  {_TIED} tied" if grid.tied is not None and grid.tied.sum() > 1 else ""
        return [
            (f"{short_number(float(worst))} ", None),
            *bar,
            (f" {short_number(float(good))}{unit}", None),
            (f"{more}  {_BEST} best: {where}", self.tones["muted"]),
        ]

    def _shade(self, good: float, *, is_best: bool) -> Style:
        if not self.has_colours:
            return Style(bold=is_best)
        shade = _shade(good)
        return Style(color=_INK[shade], bgcolor=_COLOURS[shade], bold=is_best)

    @staticmethod
    def _best(grid: Grid) -> tuple[int, int] | None:
        values = np.where(np.isfinite(grid.values), grid.values, np.inf if grid.low_is_good else -np.inf)
        at = int(values.argmin() if grid.low_is_good else values.argmax())
        y, x = divmod(at, values.shape[1])
        return (y, x) if math.isfinite(values[y, x]) else None


def _shade(good: float) -> int:
    return min(int(good * SHADES), SHADES - 1)
