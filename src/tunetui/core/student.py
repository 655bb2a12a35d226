"""Student's t distribution with any number of degrees of freedom: tails and quantiles."""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_PRECISE = 1e-14
_MOST_STEPS = 400
_LIKE_NORMAL = 1e7
"""Beyond so many degrees of freedom the normal distribution is the same to double precision's use here."""


def upper_tail(t: float, freedom: float) -> float:
    """P(T > t) for ``freedom`` > 0 degrees of freedom."""
    if freedom > _LIKE_NORMAL:
        return 0.5 * math.erfc(t / math.sqrt(2.0))
    half = 0.5 * _beta_share(freedom / (freedom + t * t), freedom / 2.0, 0.5)
    return half if t >= 0 else 1.0 - half


def two_sided(t: float, freedom: float) -> float:
    """P(|T| > |t|)."""
    return 2.0 * upper_tail(abs(t), freedom)


@lru_cache(maxsize=4096)
def quantile(probability: float, freedom: float) -> float:
    """The t that T stays below with ``probability`` (0.5 <= probability < 1), found by bisection."""
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > 1.0 - probability:
        high *= 2.0
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if upper_tail(middle, freedom) > 1.0 - probability else (low, middle)
    return (low + high) / 2.0


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b) by its continued fraction (Lentz; Press et al., 6.4)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1.0 / _kept(1.0 - (a + b) * x / (a + 1.0))
    product = d
    for m in range(1, _MOST_STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _kept(1.0 + term * d)
            c = _kept(1.0 + term / c)
            product *= c * d
        if abs(c * d - 1.0) < _PRECISE:
            break
    return product


def _kept(value: float) -> float:
    """A divisor that is never 0."""
    return value if abs(value) > _TINY else _TINY
