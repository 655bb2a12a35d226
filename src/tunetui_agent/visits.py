"""How far the medians of two visits to one trial lie apart beyond what their samples say; pure.

A visit is one measurement from loading the kernel to its last sample.  What differs from visit to visit (where buffers lie,
which process, what the device did before) is the same for all samples of one visit, so no interval made of them
contains it.  It is estimated from trials that were visited more than once, as the between-groups component of variance
of the one-way random-effects model, by the method of moments: S. R. Searle, G. Casella and C. E. McCulloch, Variance
Components (1992), chapter 3; the known variance within each visit is subtracted as in R. DerSimonian and N. Laird,
Controlled Clinical Trials 7 (1986) 177.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import cos, exp, lgamma, log, pi, sqrt, tan
from statistics import NormalDist


@dataclass(frozen=True)
class Visit:
    """One visit's median, in any unit, with the interval that its own samples give it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """What visits of comparable trials showed."""

    relative_sd: float  # of a visit's median beyond its own samples, as a share of the median
    degrees_of_freedom: int  # visits less trials
    trials: int

    def half_width(self, confidence_percent: float) -> float:
        """Half of what an interval at this confidence must contain for it, as a share of the median."""
        return self.relative_sd * t_quantile(self.degrees_of_freedom, confidence_percent)


def spread_of(trials: Iterable[Sequence[Visit]], confidence_percent: float) -> Spread | None:
    """The spread between visits, from trials with the visits of each; None where none has a second one.

    ``confidence_percent`` is that of the visits' intervals.
    """
    z = NormalDist().inv_cdf(0.5 + confidence_percent / 200.0)
    squares = expected = 0.0
    freedom = count = 0
    for visits in trials:
        if len(visits) < 2 or min(visit.median for visit in visits) <= 0:
            continue
        logs = [log(visit.median) for visit in visits]
        mean = sum(logs) / len(logs)
        squares += sum((each - mean) ** 2 for each in logs)
        within = [((visit.high - visit.low) / (2 * z * visit.median)) ** 2 for visit in visits]
        expected += (len(visits) - 1) * sum(within) / len(within)
        freedom += len(visits) - 1
        count += 1
    if not freedom:
        return None
    return Spread(sqrt(max(0.0, squares - expected) / freedom), freedom, count)


def widened(visit: Visit, share: float) -> Visit:
    """The interval that contains both: each side's distance and ``share`` of the median, added as independent errors."""
    beyond = share * visit.median
    low = visit.median - sqrt((visit.median - visit.low) ** 2 + beyond**2)
    high = visit.median + sqrt((visit.high - visit.median) ** 2 + beyond**2)
    return Visit(visit.median, max(0.0, low), high)


@lru_cache(maxsize=1024)
def t_quantile(freedom: int, confidence_percent: float) -> float:
    """The two-sided quantile of Student's t with 1 degree of freedom or more.

    With t = sqrt(freedom) tan(angle) the density becomes a power of the cosine, whose integral (Simpson's rule) is bisected.
    """
    wanted = confidence_percent / 200.0
    scale = exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2)) / sqrt(pi)
    low, high = 0.0, pi / 2
    for _ in range(50):
        middle = (low + high) / 2.0
        below = scale * _cosine_integral(middle, freedom - 1) < wanted
        low, high = (middle, high) if below else (low, middle)
    return sqrt(freedom) * tan((low + high) / 2.0)


_STEPS = 200  # even


def _cosine_integral(end: float, power: int) -> float:
    step = end / _STEPS
    weights = ((1 if i in (0, _STEPS) else 4 if i % 2 else 2) * cos(i * step) ** power for i in range(_STEPS + 1))
    return sum(weights) * step / 3.0
