"""What samples say and how surely: percentiles, distribution-free intervals, and one rank test.

Nothing here assumes a distribution.  Latencies are skewed and have tails, so the centre is the median, its
interval comes from order statistics, and two rows are compared by ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

PERCENTILE_METHOD = "linear interpolation between closest ranks (Hyndman and Fan's type 7)"
INTERVAL_METHOD = "distribution-free order-statistic interval of the binomial distribution"
TEST_METHOD = "two-sided Mann-Whitney U test"

_EXACT_PAIRS = 2_500
"""Largest product of sample sizes for which the U distribution is counted out rather than approximated."""


class Interval(msgspec.Struct, frozen=True):
    """Where a quantile lies at the asked confidence; a side that too few samples cannot give is None."""

    low: float | None
    high: float | None
    reason: str = ""
    """Why a side is missing; empty when both are there."""

    @property
    def complete(self) -> bool:
        """Whether both sides are known."""
        return self.low is not None and self.high is not None


def percentile(ordered: Sequence[int] | Sequence[float], q: float) -> float:
    """The ``q``-quantile (0 to 1) of samples sorted ascending, by `PERCENTILE_METHOD`.

    Raises:
        ValueError: no samples, or ``q`` outside 0 to 1.
    """
    if not ordered or not 0.0 <= q <= 1.0:
        raise ValueError("a percentile needs samples and a quantile between 0 and 1")
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    low = ordered[below]
    high = ordered[min(below + 1, len(ordered) - 1)]
    return float(low + (high - low) * (place - below))


def percentiles(ordered: NDArray[np.int64], q: float) -> NDArray[np.float64]:
    """As `percentile`, to the last bit, of many rows with equally many samples: ``ordered[rank, row]``, ascending ranks."""
    place = q * (len(ordered) - 1)
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    found: NDArray[np.float64] = low + (high - low) * (place - below)
    return found


def median(ordered: Sequence[int] | Sequence[float]) -> float:
    """The middle of samples sorted ascending; the mean of the two middle ones where their number is even."""
    return percentile(ordered, 0.5)


@lru_cache(maxsize=4096)
def interval_ranks(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    """Zero-based ranks (l, u) of sorted samples whose values bound the ``q``-quantile.

    With B ~ Binomial(n, q) samples below the quantile, l is the largest rank with P(B <= l) <= a and u the
    smallest with P(B > u) <= a, for a = (1 - confidence) / 2: [x_l, x_u] covers the quantile with at least the
    asked confidence whatever the distribution (David and Nagaraja, Order Statistics, 7.1).  A rank that does
    not exist is None.
    """
    tail = (1.0 - confidence) / 2.0
    cumulative = _binomial_cumulative(n, q)
    low = int(np.searchsorted(cumulative, tail, side="right")) - 1
    high = int(np.searchsorted(cumulative, 1.0 - tail, side="left"))
    return (low if low >= 0 else None), (high if high < n else None)


@lru_cache(maxsize=256)
def samples_needed(q: float, confidence: float, *, side: str = "both") -> int:
    """The fewest samples that give the ``low``, the ``high`` or ``both`` sides of a quantile's interval."""
    tail = (1.0 - confidence) / 2.0
    low, high = (math.ceil(math.log(tail) / math.log(p)) for p in (1.0 - q, q))
    return {"low": low, "high": high, "both": max(low, high)}[side]


def interval(ordered: Sequence[int] | Sequence[float], q: float, confidence: float = 0.95) -> Interval:
    """The order-statistic interval of the ``q``-quantile (0 < q < 1) of samples sorted ascending."""
    n = len(ordered)
    low, high = interval_ranks(n, q, confidence)
    reason = ""
    if low is None or high is None:
        side = "both" if low is None and high is None else "low" if low is None else "high"
        needed = samples_needed(q, confidence, side=side)
        reason = f"{_quantile_name(q)} needs at least {needed} samples, has {n}"
    return Interval(
        None if low is None else float(ordered[low]),
        None if high is None else float(ordered[high]),
        reason,
    )


def relative_half_width_percent(centre: float, bounds: Interval) -> float | None:
    """Half the interval's width as a percentage of ``centre``; None where a side is missing or centre is 0."""
    if bounds.low is None or bounds.high is None or centre == 0:
        return None
    return 50.0 * (bounds.high - bounds.low) / centre


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p-value of the Mann-Whitney U test that neither sample tends to be larger.

    Exact where the samples share no value and are small or do not overlap at all; otherwise the normal
    approximation with correction for ties and continuity (Mann and Whitney 1947; Lehmann, Nonparametrics, 1.4).

    Raises:
        ValueError: a sample is empty.
    """
    a, b = np.sort(np.asarray(first, np.float64)), np.sort(np.asarray(second, np.float64))
    if not len(a) or not len(b):
        raise ValueError("a rank test needs samples on both sides")
    above, equal = pairs_above(a, b, np.array([0]))
    ties = tie_term(np.concatenate((a, b)))
    return float(p_values(len(a), np.array([len(b)]), above, equal, np.array([ties]))[0])


def pairs_above(
    first: NDArray[Any], others: NDArray[Any], starts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """For each of several samples: in how many pairs it exceeds ``first``, equal pairs counting half.

    ``first`` is sorted; ``others`` holds the samples end to end, ``starts`` where each begins.  The second
    result says which samples share a value with ``first``.
    """
    below = np.searchsorted(first, others, side="left")
    up_to = np.searchsorted(first, others, side="right")
    pairs = np.add.reduceat((below + up_to) * 0.5, starts)
    return pairs, np.add.reduceat(up_to - below, starts) > 0


def p_values(
    n: int,
    sizes: NDArray[np.intp],
    pairs: NDArray[np.float64],
    shared: NDArray[np.bool_],
    ties: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Two-sided p-values of one sample of ``n`` against several of ``sizes``, given their `pairs_above`.

    ``ties`` is each pair's sum of t^3 - t over groups of equal values; 0 never makes a p-value smaller.
    """
    total = n * sizes
    smaller = np.minimum(pairs, total - pairs)
    count = n + sizes
    variance = total / 12.0 * (count + 1 - ties / np.maximum(count * (count - 1.0), 1.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(variance > 0, np.maximum(total / 2.0 - smaller - 0.5, 0.0) / np.sqrt(variance), 0.0)
    p = _two_sided(z)
    for m in sorted(set(sizes[~shared & ((total <= _EXACT_PAIRS) | (smaller == 0))].tolist())):
        which = ~shared & (sizes == m) & ((total <= _EXACT_PAIRS) | (smaller == 0))
        p[which] = _exact(n, m, smaller[which])
    return np.minimum(p, 1.0)


def separation_p(n: int, m: int) -> float:
    """The exact p-value of two samples that do not overlap: one arrangement on either side."""
    return math.exp(math.log(2.0) + math.lgamma(n + 1) + math.lgamma(m + 1) - math.lgamma(n + m + 1))


def critical_z(p: float) -> float:
    """The distance from 0 beyond which a standard normal has two-sided probability ``p`` (0 < p < 1)."""
    return -NormalDist().inv_cdf(p / 2.0)


def _exact(n: int, m: int, smaller: NDArray[np.float64]) -> NDArray[np.float64]:
    if n * m > _EXACT_PAIRS:  # only complete separation comes here
        return np.full(len(smaller), separation_p(n, m))
    return 2.0 * _u_cumulative(min(n, m), max(n, m))[smaller.astype(np.intp)]


@lru_cache(maxsize=512)
def _u_cumulative(n: int, m: int) -> NDArray[np.float64]:
    """P(U <= u) for u = 0 .. n*m without ties: partial sums of the Gaussian binomial over its total."""
    counts = np.zeros(n * m + 1)
    counts[0] = 1.0
    for i in range(1, n + 1):  # multiply by (1 - x^(m + i)) / (1 - x^i)
        step = m + i
        if step <= n * m:
            counts[step:] = counts[step:] - counts[:-step]
        for begin in range(i):
            counts[begin::i] = np.cumsum(counts[begin::i])
    return np.asarray(np.cumsum(counts) / math.comb(n + m, n))


def _two_sided(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([math.erfc(value / math.sqrt(2.0)) for value in z.tolist()])


def tie_term(pooled: NDArray[Any]) -> float:
    """The sum of t^3 - t over the groups of equal values in two samples laid together."""
    counts = np.unique(pooled, return_counts=True)[1].astype(np.float64)
    return float(np.sum(counts**3 - counts))


@lru_cache(maxsize=1024)
def _binomial_cumulative(n: int, q: float) -> NDArray[np.float64]:
    """P(B <= k) for k = 0 .. n and B ~ Binomial(n, q)."""
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.float64)))))
    k = np.arange(n + 1)
    mass = np.exp(logs[n] - logs[k] - logs[n - k] + k * math.log(q) + (n - k) * math.log1p(-q))
    return np.asarray(np.cumsum(mass))


def _quantile_name(q: float) -> str:
    return "the median's interval" if q == 0.5 else f"p{q * 100:g}'s interval"
