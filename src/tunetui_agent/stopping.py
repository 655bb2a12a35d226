"""Decides when a trial has enough samples: the interval of the median from order statistics, and the stop rule.

The interval is distribution-free.  The number of samples below the true median is binomial(n, 1/2), so the
interval from the j-th smallest to the j-th largest sample misses it with probability 2 P(B < j).  Sources: W. J. Conover,
Practical Nonparametric Statistics, 3rd ed. (1999), section 3.2; H. A. David and H. N. Nagaraja, Order Statistics,
3rd ed. (2003), section 7.1.  docs/measuring.md says what looking repeatedly costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, lgamma, log
from statistics import median

from tunetui_agent.messages import Method

GROWTH = 1.25
"""Each check waits for this many times the samples of the one before, so that there are few chances to stop early."""


@dataclass(frozen=True)
class Interval:
    """Median with an interval, in the unit of the samples."""

    median: float
    low: float
    high: float

    @property
    def half_width_percent(self) -> float:
        """Half the interval's width as a share of the median."""
        return 50.0 * (self.high - self.low) / self.median if self.median else 0.0


@lru_cache(maxsize=4096)
def interval_rank(n: int, confidence_percent: float) -> int | None:
    """The largest j for which [j-th smallest, j-th largest] of n samples holds the median at this confidence.

    Counted from 1; None where even the whole range does not reach it (5 samples or fewer at 95 %).
    """
    allowed = (1.0 - confidence_percent / 100.0) / 2.0
    below, rank = 0.0, 0
    for count in range(n // 2 + 1):
        below += exp(lgamma(n + 1) - lgamma(count + 1) - lgamma(n - count + 1) - n * log(2.0))
        if below > allowed:
            break
        rank = count + 1
    return rank or None


def median_interval(samples: Sequence[float], confidence_percent: float) -> Interval | None:
    """The median and its interval; None where there are too few samples for the confidence asked."""
    rank = interval_rank(len(samples), confidence_percent)
    if rank is None:
        return None
    ordered = sorted(samples)
    return Interval(float(median(ordered)), float(ordered[rank - 1]), float(ordered[len(ordered) - rank]))


def next_check(n: int, method: Method) -> int:
    """At how many samples to look next, having looked at n (0: not yet)."""
    first = max(1, method.min_samples)
    return min(max(1, method.max_samples), first if n < first else max(n + 1, ceil(n * GROWTH)))


@lru_cache(maxsize=64)
def fewest_samples(confidence_percent: float) -> int:
    """The fewest samples whose median has an interval at this confidence (6 at 95 %): a row with fewer says nothing."""
    n = 1
    while interval_rank(n, confidence_percent) is None:
        n += 1
    return n


def time_is_up(count: int, method: Method, seconds: float) -> bool:
    """Whether ``max_seconds`` ends the sampling: not before the median has an interval, however slow the kernel."""
    return seconds >= method.max_seconds and count >= fewest_samples(method.confidence_percent)


def stop_reason(samples: Sequence[float], method: Method, seconds: float) -> str | None:
    """Why sampling ends now: ``precision``, ``max_samples`` or ``max_seconds``; None to go on.

    ``seconds`` is the wall time of sampling so far, eviction included, warm-up not.  Call it at the checks of `next_check` only.
    """
    if len(samples) >= method.min_samples:
        interval = median_interval(samples, method.confidence_percent)
        if interval is not None and interval.half_width_percent <= method.precision_percent:
            return "precision"
    if len(samples) >= method.max_samples:
        return "max_samples"
    return "max_seconds" if time_is_up(len(samples), method, seconds) else None
