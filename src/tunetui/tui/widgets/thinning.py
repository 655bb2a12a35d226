"""Fewer points for a plot, with nothing lost that a terminal could show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_COLUMNS, _LINES = 1024, 256
"""Places on a plot that are told apart: more dots than there are on a terminal of 500 by 60."""
_FEW = 4096


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """One point of all those that fall on one place; of few points, all.  Finite ones only."""
    if len(x) <= _FEW:
        return x, y
    at = _places(y, _LINES) * _COLUMNS + _places(x, _COLUMNS)
    last = np.full(_LINES * _COLUMNS, -1, np.int32)
    last[at] = np.arange(len(x), dtype=np.int32)
    kept = last[last >= 0]
    return x[kept], y[kept]


def least_so_far(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The smallest y up to each x, ascending; of many points, up to the first of each of 1024 stretches.  Finite ones only."""
    if len(x) <= _FEW:
        order = np.argsort(x, kind="stable")
        return x[order], np.minimum.accumulate(y[order])
    at = _places(x, _COLUMNS)
    least, first = np.full(_COLUMNS, np.inf), np.full(_COLUMNS, np.inf)
    np.minimum.at(least, at, y)
    np.minimum.at(first, at, x)
    here = np.isfinite(first)
    return first[here], np.minimum.accumulate(least[here])


def _places(values: Floats, count: int) -> NDArray[np.intp]:
    low, high = float(values.min()), float(values.max())
    scale = (count - 1) / (high - low) if high > low else 0.0
    return ((values - low) * scale).astype(np.intp)
