"""The recent past of one figure as a line of little bars."""

from __future__ import annotations

import math
from collections import deque

from tunetui.tui.widgets.drawing import Drawing, Piece

BARS = "▁▂▃▄▅▆▇█"
_KEPT_VALUES = 512


def spark(values: list[float], low: float, high: float) -> str:
    """One bar per value between ``low`` and ``high``; a gap where a value is not known (NaN)."""
    scale = len(BARS) / (high - low) if high > low else 0.0
    return "".join(
        " " if math.isnan(value) else BARS[min(max(int((value - low) * scale), 0), len(BARS) - 1)] for value in values
    )


class Spark(Drawing):
    """The newest value is at the right.  Without given bounds the scale spans the values on show."""

    DEFAULT_CSS = "Spark { height: 1; width: 1fr; color: $text-accent; }"

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._low, self._high = low, high
        self._values: deque[float] = deque(maxlen=_KEPT_VALUES)

    def push(self, value: float | None) -> None:
        """Add the newest value; None: not known."""
        self._values.append(math.nan if value is None else value)
        self.redraw()

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        shown = list(self._values)[-width:]
        known = [value for value in shown if not math.isnan(value)] or [0.0]
        low = min(known) if self._low is None else self._low
        high = max(known) if self._high is None else self._high
        return [[(spark(shown, low, high).rjust(width), None)]]
