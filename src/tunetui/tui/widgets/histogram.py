"""How often values fall where: columns of eighth blocks, with marks under the values that matter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tunetui.tui.widgets.axes import bounds, short_number
from tunetui.tui.widgets.drawing import Drawing, Piece

_EIGHTHS = " ▁▂▃▄▅▆▇█"


class Histogram(Drawing):
    """One column of cells per bin.  Below: a caret for every mark, its name and value."""

    DEFAULT_CSS = "Histogram { color: $text-accent; }"

    def __init__(
        self,
        unit: str = "",
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._unit = unit
        self._values: NDArray[np.float64] = np.empty(0)
        self._marks: dict[str, float] = {}

    def show(self, values: NDArray[np.float64], marks: Mapping[str, float] | None = None) -> None:
        """``marks``: names of values to point out, such as the median."""
        values = np.asarray(values, float)
        self._values = values[np.isfinite(values)]
        self._marks = dict(marks or {})
        self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        muted = self.tones["muted"]
        if not len(self._values):
            return [[("no values", muted)]]
        low, high = bounds(np.append(self._values, list(self._marks.values())))
        counts, _ = np.histogram(self._values, bins=width, range=(low, high))
        rows = max(height - 3, 1)
        eighths = np.ceil(counts / max(counts.max(), 1) * rows * 8).astype(int)
        bars: list[list[Piece]] = []
        for row in range(rows):
            filled = np.clip(eighths - (rows - 1 - row) * 8, 0, 8)
            bars.append([("".join(_EIGHTHS[eighth] for eighth in filled.tolist()), None)])
        return [*bars, [(self._scale(low, high, width), muted)], *self._marked(low, high, width)]

    def _scale(self, low: float, high: float, width: int) -> str:
        left, right = short_number(low, 4), f"{short_number(high, 4)} {self._unit}".rstrip()
        count = f"n = {len(self._values)}"
        return left + count.center(max(width - len(left) - len(right), len(count))) + right

    def _marked(self, low: float, high: float, width: int) -> list[list[Piece]]:
        carets, names = [" "] * width, ""
        for name, value in sorted(self._marks.items(), key=lambda mark: mark[1]):
            at = round((value - low) / (high - low) * (width - 1))
            carets[at] = "^"
            names += f"{name} {short_number(value, 4)}  "
        return [[("".join(carets), None)], [(names, self.tones["muted"])]] if self._marks else []
