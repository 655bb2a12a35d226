"""How far apart two medians are, how surely, and what that is called."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from tunetui.core.leaderboard import Entry
from tunetui.core.noise import Z95, Noise, Part, satterthwaite
from tunetui.core.statistics import mann_whitney
from tunetui.core.student import quantile, two_sided, upper_tail
from tunetui_agent.messages import PLACE_SD, Value, Visit, widened

SAME, FASTER, SLOWER, UNDECIDED = "same", "faster", "slower", "undecided"

FAMILY_ERROR = 0.05
"""Chance of even one false FASTER or SLOWER among all rows of a comparison; of one false SAME for each row."""

METHOD = (
    "faster or slower: disjoint intervals, and both Welch's t-test of the log medians, with the variance between "
    "visits, and a two-sided Mann-Whitney U test of the samples reject at 5 % after Holm's correction over all rows; "
    "same: two one-sided t-tests (TOST) place the ratio within the margin at 5 %; otherwise undecided"
)

_LEAST_SE = 1e-9
_PARTS_OF_A_CELL = 16
_OF_THE_OTHERS = 10.0
"""Samples that the other rows' precision counts for in a row's own (a moderated variance: G. K. Smyth 2004)."""


class Side(msgspec.Struct, frozen=True):
    """A measured row as one side of a comparison: milliseconds, and nanoseconds of its samples."""

    median: float
    low: float
    high: float
    """The interval that this visit's own samples give."""
    own_se: float
    """Standard error of the log median as this visit's own samples tell it."""
    samples_ns: Sequence[int]
    places: Part = (0.0, 0.0)
    """The variance of the log median that the places of its inputs show, an upper bound, and its degrees of freedom."""

    @classmethod
    def of(cls, entry: Entry) -> Side | None:
        """The row; None where it has no samples or no interval."""
        latency = entry.latency_ms
        if latency is None or latency.ci_low is None or latency.ci_high is None or not entry.samples_ns:
            return None
        low = latency.ci_low if latency.visit_low is None else latency.visit_low
        high = latency.ci_high if latency.visit_high is None else latency.visit_high
        if not 0 < low <= latency.median <= high or not math.isfinite(high) or min(entry.samples_ns) <= 0:
            return None
        places = _of_places(entry.telemetry)
        return cls(latency.median, low, high, se_of_log_median(entry.samples_ns), entry.samples_ns, places)

    def between(self, visits: Part) -> Part:
        """The variance between visits to this row: what its implementation's rows show, or more where its own places do."""
        return max(visits, self.places)

    def widened(self, variance: float) -> tuple[float, float]:
        """Both ends of the 95 % interval with a variance between visits in it, as leaderboards have it."""
        wide = widened(Visit(self.median, self.low, self.high), Z95 * math.sqrt(variance))
        return wide.low, wide.high

    @property
    def dispersion(self) -> float:
        """The variance of the log median times the number of samples: what one sample tells."""
        return self.own_se**2 * len(self.samples_ns)

    def own_part(self, typical: float, dispersion: float) -> Part:
        """The variance that the row's own samples tell, not below what ``dispersion`` says, moderated by its fellows' ``typical``.

        Few samples that lie close by chance end a measurement early: alone they would make it look too precise.
        """
        freedom = len(self.samples_ns) - 1.0
        own = max(self.own_se**2, dispersion / len(self.samples_ns))
        if typical <= 0:
            return own, freedom
        pooled = freedom + _OF_THE_OTHERS
        return (freedom * own + _OF_THE_OTHERS * typical) / pooled, pooled


def _of_places(telemetry: Mapping[str, Value]) -> Part:
    percent, places = telemetry.get(PLACE_SD), telemetry.get("placements")
    if not isinstance(percent, int | float) or not isinstance(places, int):
        return 0.0, 0.0
    return (percent / 100.0) ** 2, places - 1.0


def _shared_dispersion(first: Side, second: Side) -> tuple[float, float]:
    """What both visits to one configuration say of a sample, for the one that has fewer: luck may have ended it early."""
    ours, theirs = len(first.samples_ns) - 1, len(second.samples_ns) - 1
    both = (ours * first.dispersion + theirs * second.dispersion) / max(1, ours + theirs)
    return (both if ours < theirs else 0.0), (both if theirs < ours else 0.0)


def se_of_log_median(samples_ns: Sequence[int]) -> float:
    """The standard error of the logarithm of the samples' median (Maritz and Jarrett 1978).

    The weights are the chances that each order statistic is the median of a sample drawn again from these.
    """
    ordered = np.log(np.sort(np.asarray(samples_ns, np.float64)))
    weights = _median_weights(len(ordered))
    mean = float(weights @ ordered)
    return math.sqrt(max(0.0, float(weights @ (ordered - mean) ** 2)))


@lru_cache(maxsize=2048)
def _median_weights(n: int) -> NDArray[np.float64]:
    """Beta((n + 1) / 2, (n + 1) / 2) over n equal cells of 0 to 1, by midpoints."""
    cells = (np.arange(n * _PARTS_OF_A_CELL) + 0.5) / (n * _PARTS_OF_A_CELL)
    logs = (n - 1) / 2.0 * (np.log(cells) + np.log1p(-cells))
    density = np.exp(logs - logs.max()).reshape(n, _PARTS_OF_A_CELL).sum(axis=1)
    return np.asarray(density / density.sum())


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The second median over the first, minus one, in percent: positive is slower."""

    percent: float
    low_percent: float | None = None
    high_percent: float | None = None
    """Its 95 % interval, for this row alone; absent where the variation between visits is unknown."""
    log_ratio: float
    se: float
    """Standard error of the log ratio, variation between visits included."""
    degrees_of_freedom: float
    """0 where the variation between visits is unknown: nothing is decided then."""
    disjoint: bool
    p: float
    """The larger p-value of the two tests that there is no difference."""
    adjusted_p: float = 1.0
    """After Holm's correction over all rows of the comparison."""


def measure(first: Side, second: Side, of_first: Noise, of_second: Noise, *, alike: bool = True) -> Difference:
    """The difference between two rows, before correction for how many are compared; ``alike`` where they are one configuration."""
    dispersions = _shared_dispersion(first, second) if alike else (0.0, 0.0)
    ratio = math.log(second.median / first.median)
    between = first.between(of_first.first), second.between(of_second.second)
    parts = [
        first.own_part(of_first.typical[0], dispersions[0]),
        second.own_part(of_second.typical[1], dispersions[1]),
        *between,
    ]
    se = max(math.sqrt(sum(variance for variance, _ in parts)), _LEAST_SE)
    if not (of_first.first[1] and of_second.second[1]):
        return Difference(
            percent=_percent(ratio), log_ratio=ratio, se=se, degrees_of_freedom=0.0, disjoint=False, p=1.0
        )
    ours, theirs = first.widened(between[0][0]), second.widened(between[1][0])
    disjoint = theirs[0] > ours[1] or theirs[1] < ours[0]
    freedom = satterthwaite(parts)
    half = quantile(0.975, round(freedom, 2)) * se
    p = two_sided(ratio / se, freedom)
    if p <= FAMILY_ERROR:  # otherwise the larger of the two is too large already
        p = max(p, mann_whitney(first.samples_ns, second.samples_ns))
    return Difference(
        percent=_percent(ratio), low_percent=_percent(ratio - half), high_percent=_percent(ratio + half),
        log_ratio=ratio, se=se, degrees_of_freedom=freedom, disjoint=disjoint, p=p,
    )  # fmt: skip


def decide(difference: Difference, margin_percent: float) -> tuple[str, str]:
    """What the difference is called, and where it is undecided, why."""
    if not difference.degrees_of_freedom:
        return UNDECIDED, "nobody knows how far two visits are apart: no second visits, too few rows"
    if surely_within(difference, margin_percent) and surely_within(difference, -margin_percent):
        return SAME, ""
    if difference.adjusted_p <= FAMILY_ERROR and difference.disjoint:
        return (SLOWER if difference.log_ratio > 0 else FASTER), ""
    if difference.p > FAMILY_ERROR:
        return UNDECIDED, "the difference lies within the noise, and the noise is wider than the margin"
    return UNDECIDED, "too likely by chance, among so many rows" if difference.disjoint else "the intervals overlap"


def surely_within(difference: Difference, bound_percent: float) -> bool:
    """Whether a one-sided t-test at 5 % shows a slowdown smaller than the bound (a speed-up, where that is negative)."""
    if not difference.degrees_of_freedom:
        return False
    sign = 1.0 if bound_percent >= 0 else -1.0
    room = math.log1p(abs(bound_percent) / 100.0) - sign * difference.log_ratio
    return upper_tail(room / difference.se, difference.degrees_of_freedom) <= FAMILY_ERROR


def p_of_more_than(difference: Difference, bound_percent: float) -> float:
    """The one-sided p-value against a slowdown of at most ``bound_percent``."""
    if not difference.degrees_of_freedom:
        return 1.0
    beyond = difference.log_ratio - math.log1p(bound_percent / 100.0)
    return upper_tail(beyond / difference.se, difference.degrees_of_freedom)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979): each times how many are left, never below one that is smaller."""
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, p_values[index] * (len(p_values) - place)))
        adjusted[index] = reached
    return adjusted


def smallest_found_percent(differences: Sequence[Difference], comparisons: int) -> float | None:
    """The slowdown that the t-test would find half of the time in a row of usual precision, all rows corrected for."""
    known = [each for each in differences if each.degrees_of_freedom]
    if not known:
        return None
    usual = sorted(known, key=lambda each: each.se)[len(known) // 2]
    level = 1.0 - FAMILY_ERROR / (2.0 * max(1, comparisons))
    return _percent(quantile(level, round(usual.degrees_of_freedom, 2)) * usual.se)


def _percent(log_ratio: float) -> float:
    return 100.0 * math.expm1(min(log_ratio, 500.0))
