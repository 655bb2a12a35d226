"""Points and steps on a grid of braille dots, two by four to a cell, with axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from tunetui.tui.widgets.axes import bounds, short_number, ticks
from tunetui.tui.widgets.drawing import Drawing, Piece
from tunetui.tui.widgets.tones import Tone

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint16)
_BRAILLE = 0x2800
_CELLS_PER_X_TICK = 10
_LINES_PER_Y_TICK = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Points of one kind: ``x[i], y[i]``; those that are not finite are left out."""

    x: Floats
    y: Floats
    kind: Literal["dots", "steps", "line"] = "dots"
    """``steps``: each value holds until the next point's x."""
    tone: Tone | None = None
    label: str = ""


class Plot(Drawing):
    """Later series are drawn over earlier ones; the legend names each with the kind of mark it makes."""

    def __init__(
        self,
        x_title: str = "",
        y_title: str = "",
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._x_title, self._y_title = x_title, y_title
        self._series: tuple[Series, ...] = ()

    def show(self, *series: Series, x_title: str | None = None, y_title: str | None = None) -> None:
        """Show other points; titles stay where none are given."""
        self._series = series
        self._x_title = self._x_title if x_title is None else x_title
        self._y_title = self._y_title if y_title is None else y_title
        self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        series = [_finite(each) for each in self._series]
        if not any(len(each.x) for each in series):
            return [[("nothing to show yet", self.tones["muted"])]]
        x0, x1 = bounds(np.concatenate([each.x for each in series]))
        y0, y1 = bounds(np.concatenate([each.y for each in series]))
        rows = max(height - 3, 1)
        at_y = {_line_of(y, y0, y1, rows): short_number(y) for y in ticks(y0, y1, max(rows // _LINES_PER_Y_TICK, 1))}
        margin = max((len(label) for label in at_y.values()), default=0)
        cells = max(width - margin - 1, 1)
        canvas, owners = np.zeros((rows, cells), np.uint16), np.full((rows, cells), -1, np.int16)
        for number, each in enumerate(series):
            _rasterise(each, number, (x0, x1, y0, y1), canvas, owners)
        muted = self.tones["muted"]
        lines: list[list[Piece]] = [self._title(width)]
        for row in range(rows):
            axis = at_y.get(row, "").rjust(margin) + ("┤" if row in at_y else "│")
            lines.append([(axis, muted), *self._cells(canvas[row], owners[row])])
        return [*lines, *self._x_axis(x0, x1, margin, cells)]

    def _title(self, width: int) -> list[Piece]:
        pieces: list[Piece] = [(self._y_title, self.tones["muted"])]
        for each in self._series:
            if each.label:
                mark = {"dots": "⠐⠂", "steps": "⣀⡀", "line": "⠤⠤"}[each.kind]
                pieces += [("   ", None), (f"{mark} {each.label}", self.tones[each.tone] if each.tone else None)]
        return pieces

    def _cells(self, dots: NDArray[np.uint16], owners: NDArray[np.int16]) -> list[Piece]:
        characters = "".join(map(chr, (dots + _BRAILLE).tolist())).replace(chr(_BRAILLE), " ")
        edges = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
        return [(characters[start:end], self._style_of(int(owners[start]))) for start, end in pairwise(edges)]

    def _style_of(self, owner: int) -> Style | None:
        tone = self._series[owner].tone if owner >= 0 else None
        return None if tone is None else self.tones[tone]

    def _x_axis(self, low: float, high: float, margin: int, cells: int) -> list[list[Piece]]:
        line, labels = ["─"] * cells, [" "] * cells
        end = -1
        for value in ticks(low, high, max(cells // _CELLS_PER_X_TICK, 1)):
            at = round((value - low) / (high - low) * (cells - 1))
            line[at] = "┬"
            label = short_number(value)
            start = min(max(at - len(label) // 2, 0), cells - len(label))
            if start > end:
                labels[start : start + len(label)] = label
                end = start + len(label)
        if self._x_title and end + 2 + len(self._x_title) <= cells:
            labels[cells - len(self._x_title) :] = self._x_title
        muted = self.tones["muted"]
        return [[(" " * margin + "└" + "".join(line), muted)], [(" " * (margin + 1) + "".join(labels), muted)]]


def _finite(series: Series) -> Series:
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    kept = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    kept = kept[np.argsort(x[kept], kind="stable")]
    return Series(x[kept], y[kept], series.kind, series.tone, series.label)


def _line_of(y: float, low: float, high: float, rows: int) -> int:
    return int((high - y) / (high - low) * (rows * 4 - 1)) // 4


def _rasterise(
    series: Series,
    number: int,
    window: tuple[float, float, float, float],
    canvas: NDArray[np.uint16],
    owners: NDArray[np.int16],
) -> None:
    """Set the dots of one series in ``canvas`` (rows x cells), and whose each touched cell is in ``owners``."""
    x0, x1, y0, y1 = window
    rows, cells = canvas.shape
    across = ((series.x - x0) / (x1 - x0) * (cells * 2 - 1)).round().astype(np.int64)
    down = ((y1 - series.y) / (y1 - y0) * (rows * 4 - 1)).round().astype(np.int64)
    if series.kind != "dots" and len(across):
        across, down = _joined(across, down, series.kind, cells * 2)
    np.bitwise_or.at(canvas, (down >> 2, across >> 1), _DOTS[down & 3, across & 1])
    owners[down >> 2, across >> 1] = number


def _joined(
    across: NDArray[np.int64], down: NDArray[np.int64], kind: str, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The dots between the points: one for every column, and the vertical part of every step."""
    columns = np.arange(across[0], (width if kind == "steps" else int(across[-1]) + 1))
    if kind == "steps":
        held = down[np.searchsorted(across, columns, side="right") - 1]
    else:
        held = np.interp(columns, across, down).round().astype(np.int64)
    xs, ys = [columns], [held]
    for at in np.flatnonzero(np.abs(np.diff(held)) > 1).tolist():
        top, bottom = sorted((int(held[at]), int(held[at + 1])))
        riser = np.arange(top, bottom + 1)
        xs.append(np.full(len(riser), columns[at + 1]))
        ys.append(riser)
    return np.concatenate(xs), np.concatenate(ys)
