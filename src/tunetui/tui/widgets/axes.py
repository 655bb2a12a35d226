"""Numbers for axes: round steps, short labels, and where a value falls between two ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def round_step(span: float, steps: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that divides ``span`` into at most ``steps`` parts."""
    if not span > 0 or not math.isfinite(span):
        return 1.0
    rough = span / max(steps, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough * (1 - 1e-9)), 10 * power)


def ticks(low: float, high: float, count: int) -> list[float]:
    """At most ``count`` + 1 round values from ``low`` to ``high``."""
    step = round_step(high - low, count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [at * step for at in range(first, last + 1)]


def short_number(value: float, digits: int = 3) -> str:
    """``value`` in about ``digits`` significant digits, with k, M, G, T for thousands: 0.0123, 4.56, 12.3k."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    for factor, prefix in _PREFIXES:
        if size >= factor * (1 if prefix != "k" else 10):
            return f"{value / factor:.{digits}g}{prefix}"
    if size >= 10**digits or value == int(value):
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def bounds(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The smallest and the largest of the finite ``values``, never equal; (0, 1) where there are none."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        pad = abs(low) * 0.05 or 0.5
        return low - pad, high + pad
    return low, high
