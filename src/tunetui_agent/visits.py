"""How far the medians of two visits to one trial lie apart beyond what their samples say; pure.

A visit is one measurement from loading the kernel to its last sample.  What differs from visit to visit (where buffers lie,
which process, what the device did before) is the same for all samples of one visit, so no interval made of them
contains it.  It is estimated from trials that were visited more than once, as the between-groups component of variance
of the one-way random-effects model, by the method of moments: S. R. Searle, G. Casella and C. E. McCulloch, Variance
Components (1992), chapter 3; the known variance within each visit is subtracted as in R. DerSimonian and N. Laird,
Controlled Clinical Trials 7 (1986) 177.  What an interval contains is its upper confidence bound: the mean square between
visits over the chi-square quantile, less the variance within (the same book's section 3.5 for a known denominator).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, hypot, lgamma, log, sqrt

LEAST_FREEDOM = 6
"""Second visits that an estimate needs: from fewer it would be noise, far too wide or 0 by chance."""
BOUND_PERCENT = 70.0
PRIOR_FREEDOM = 8.0
"""Visits that those to other problems count for, all together: as many as a problem has at least of its own."""
PLACE_SD = "placement_sd_percent"
"""Telemetry of a row: by how much its median may be off because its arrays lay at no more places (`tunetui_agent.places`)."""


@dataclass(frozen=True)
class Visit:
    """One visit's median, in any unit, with the interval that its own samples give it."""

    median: float
    low: float
    high: float
    process: int = 0
    """Which fresh process made it, from 1; 0: the sweep's own, or nobody told."""


@dataclass(frozen=True)
class Spread:
    """What visits of comparable trials showed of their medians' logarithms."""

    squares: float  # summed squares of the distances from each trial's own mean
    expected: float  # what of these sums the visits' own samples explain
    degrees_of_freedom: float  # visits less trials
    trials: int
    processes: int = 0  # fresh ones that made the second visits; 0: nobody told

    @property
    def relative_sd(self) -> float:
        """Standard deviation of a visit's median beyond its own samples, as a share of the median; 0 where they explain all."""
        return sqrt(max(0.0, self.squares - self.expected) / self.degrees_of_freedom)

    @property
    def relative_sd_bound(self) -> float:
        """What that is at most, at `BOUND_PERCENT` one-sided confidence.

        All visits by one process share what it holds by chance: there are no more independent ones than processes.
        """
        independent = min(self.degrees_of_freedom, self.processes or self.degrees_of_freedom)
        factor = independent / chi_square_quantile(independent, 1.0 - BOUND_PERCENT / 100.0)
        return sqrt(max(0.0, factor * self.squares - self.expected) / self.degrees_of_freedom)

    @property
    def is_enough(self) -> bool:
        """Whether that many visits say anything."""
        return self.degrees_of_freedom >= LEAST_FREEDOM

    def half_width(self, confidence_percent: float) -> float:
        """Half of what an interval at this confidence must contain for it, as a share of the median.

        From the bound, not from the estimate: an estimate from few visits is often 0 by chance.  At `BOUND_PERCENT` the
        bound is also wider than Student's quantile would make an interval that contains nothing else.
        """
        return self.relative_sd_bound * _normal_quantile(confidence_percent)


def spread_of(trials: Iterable[Sequence[Visit]], confidence_percent: float) -> Spread | None:
    """The spread between visits, from trials with the visits of each; None where none has a second one.

    ``confidence_percent`` is that of the visits' intervals.
    """
    z = _normal_quantile(confidence_percent)
    squares = expected = 0.0
    freedom = count = 0
    processes: set[int] = set()
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
        processes.update(visit.process for visit in visits if visit.process)
    if not freedom:
        return None
    return Spread(squares, expected, float(freedom), count, len(processes))


def best_known(own: Spread | None, of_all: Spread | None) -> Spread | None:
    """What is known of one problem: its own spread moderated by the others', or where its visits are too few that of all.

    ``of_all`` contains ``own``.  None where both are too few.
    """
    if own is None or not own.is_enough:
        return of_all if of_all is not None and of_all.is_enough else None
    elsewhere = of_all.degrees_of_freedom - own.degrees_of_freedom if of_all is not None else 0.0
    if of_all is None or elsewhere <= 0.0:
        return own
    weight = min(PRIOR_FREEDOM, elsewhere) / elsewhere
    return Spread(
        own.squares + weight * (of_all.squares - own.squares),
        own.expected + weight * (of_all.expected - own.expected),
        own.degrees_of_freedom + weight * elsewhere,
        own.trials,
        max(own.processes, of_all.processes),
    )


def widened(visit: Visit, share: float) -> Visit:
    """The interval that contains both: each side's distance and ``share``, added as independent errors of the median's logarithm.

    What is off by as much as itself is twice as much or half, and never nothing.
    """
    if not share:
        return visit
    low = visit.median * exp(-hypot(log(visit.median / visit.low), share)) if visit.low > 0 else 0.0
    return Visit(visit.median, low, visit.median * exp(hypot(log(visit.high / visit.median), share)))


@lru_cache(maxsize=1024)
def chi_square_quantile(freedom: float, probability: float) -> float:
    """The value that a chi-square variable stays below with this probability: the chance of `_chi_square_below`, bisected."""
    low, high = 0.0, freedom + 10.0 * sqrt(2.0 * freedom) + 20.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _chi_square_below(middle, freedom) < probability else (low, middle)
    return (low + high) / 2.0


def _chi_square_below(value: float, freedom: float) -> float:
    """The regularised lower incomplete gamma function by its power series (Abramowitz and Stegun 6.5.29)."""
    if value <= 0.0:
        return 0.0
    half, shape = value / 2.0, freedom / 2.0
    term = total = 1.0 / shape
    place = shape
    while term > total * 1e-15:
        place += 1.0
        term *= half / place
        total += term
    return total * exp(shape * log(half) - half - lgamma(shape))


def _normal_quantile(confidence_percent: float) -> float:
    from statistics import NormalDist  # loaded late: this module is, by every process of the agent

    return NormalDist().inv_cdf(0.5 + confidence_percent / 200.0)
