"""How far two visits to one row lie apart when nothing changed: what a comparison of two runs knows of that.

Two things tell it: second visits within each run, and how the rows that both runs have scatter around their common
shift.  Either is an upper bound at `BOUND_PERCENT`, as in the intervals of leaderboards: an estimate from few is often 0
by chance, and nobody should rely on that 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, median

import msgspec
import numpy as np

from tunetui.core.leaderboard import VisitsPart

BOUND_PERCENT = 70.0
"""One-sided confidence of a bound on a variance between visits; that of `tunetui_agent.visits` too."""

Z95 = NormalDist().inv_cdf(0.975)

FEWEST_ROWS = 8
"""So many shared rows tell what scatters between two runs."""

UNKNOWN = "unknown: no second visits, and fewer than 8 rows that both have"
VISITS = "second visits of both runs"
SCATTER = "what scatters between the rows of the two runs"
OTHERS = "how far the implementation's other rows moved, although nothing that is recorded changed"

_QN_TO_SD = 2.2219
_QN_EFFICIENCY = 0.82
"""Of Qn against the standard deviation, for normal errors: its degrees of freedom."""
_QN_ROWS = 2000
"""Beyond so many rows every k-th is looked at: more degrees of freedom than that decide nothing."""

Part = tuple[float, float]
"""A variance of a logarithm and its degrees of freedom; 0 of the latter means unknown."""


class Noise(msgspec.Struct, frozen=True):
    """The variance between visits of each side's log median, and how well it is known; unknown by default."""

    first: Part = (0.0, 0.0)
    second: Part = (0.0, 0.0)
    typical: tuple[float, float] = (0.0, 0.0)
    """Of each side, the median over its rows of the squared standard error that a row's own samples give."""
    source: str = UNKNOWN
    shift: float | None = None
    """By what all rows moved together, as a logarithm; absent where too few rows tell."""

    @property
    def known(self) -> bool:
        """Whether both sides have it."""
        return self.first[1] > 0 and self.second[1] > 0

    @property
    def ratio_sd(self) -> float:
        """Standard deviation of the log ratio of two visits."""
        return math.sqrt(self.first[0] + self.second[0])

    @property
    def bound_percent(self) -> float | None:
        """At which one-sided confidence that is an upper bound; None where it is an estimate."""
        return None if self.source == OTHERS else BOUND_PERCENT

    @property
    def samples_sd(self) -> float:
        """What the samples of a row of usual precision add to that standard deviation."""
        return math.sqrt(sum(self.typical))

    @property
    def freedom(self) -> float:
        """Degrees of freedom of that."""
        return satterthwaite([self.first, self.second])


class Pair(msgspec.Struct, frozen=True):
    """A row that both runs measured."""

    ratio: float
    """Logarithm of the second median over the first."""
    own: tuple[float, float]
    """Squared standard errors of the log medians, as each visit's own samples tell them."""


def noise_of(
    pairs: Sequence[Pair], first: VisitsPart | None, second: VisitsPart | None, confidence: tuple[float, float], *, repeated: bool
) -> Noise:  # fmt: skip
    """The variation between visits of one implementation's rows on one problem.

    What scatters is used where there are enough rows; where something that is recorded changed, it may hold real
    changes, and second visits take its place if they say less.  ``repeated``: nothing that is recorded changed.
    ``confidence`` (0 to 1) is that of each leaderboard's intervals.
    """
    typical = (median([p.own[0] for p in pairs]), median([p.own[1] for p in pairs])) if pairs else (0.0, 0.0)
    visits = [_from_visits(part, level) for part, level in zip((first, second), confidence, strict=True)]
    told = Noise()
    if visits[0] is not None and visits[1] is not None:
        told = Noise(visits[0], visits[1], typical, VISITS)
    if len(pairs) < FEWEST_ROWS:
        return told
    ratios = [pair.ratio for pair in pairs]
    shift = median(ratios)
    beyond, freedom = _scatter(ratios, sum(typical))
    if told.known:  # as much of the common shift as second visits explain is noise of every row
        beyond += min(shift**2, told.ratio_sd**2)
        if not repeated and told.ratio_sd**2 < beyond:
            return msgspec.structs.replace(told, shift=shift)
    half = (beyond / 2.0, freedom / 2.0)  # one estimate for both sides: together they have its degrees of freedom
    return Noise(half, half, typical, SCATTER, shift)


def beside_others(noise: Noise, others: Sequence[float]) -> Noise:
    """For a repeated run's row among few: at least what the log ratios of the implementation's ``others`` show.

    Rows so few do not tell a common shift from scatter.  Where nothing changed, either is noise.
    """
    if not others:
        return noise
    square = sum(ratio**2 for ratio in others) / len(others)
    if square <= noise.ratio_sd**2 + sum(noise.typical):
        return noise
    half = (square / 2.0, len(others) / 2.0)
    return Noise(half, half, noise.typical, OTHERS, noise.shift)


def satterthwaite(parts: Sequence[Part]) -> float:
    """Degrees of freedom of a sum of independent variances, given each with its own (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    if total <= 0:
        return min((freedom for _, freedom in parts), default=0.0)
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts if variance > 0)


def robust_sd(values: Sequence[float]) -> float:
    """The scale Qn of Rousseeuw and Croux (1993): the first quartile of all distances; half of the values may be wild."""
    ordered = np.sort(np.asarray(values, np.float64))
    ordered = ordered[:: -(-len(ordered) // _QN_ROWS)]
    n = len(ordered)
    if n < 2:
        return 0.0
    distances = (ordered[None, :] - ordered[:, None])[np.triu_indices(n, 1)]
    h = n // 2 + 1
    rank = h * (h - 1) // 2
    for_small = n / (n + 1.4) if n % 2 else n / (n + 3.8)
    return _QN_TO_SD * for_small * float(np.partition(distances, rank - 1)[rank - 1])


def _from_visits(part: VisitsPart | None, confidence: float) -> Part | None:
    """The upper bound that the leaderboard's own intervals contain."""
    if part is None or part.half_width_percent is None or part.half_width_percent < 0 or part.revisits < 1:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    return (part.half_width_percent / 100.0 / z) ** 2, float(part.revisits)


def _scatter(ratios: Sequence[float], explained: float) -> Part:
    """The bound on the variance of log ratios around their median, less what samples explain; a wild few do not move it."""
    freedom = _QN_EFFICIENCY * (len(ratios) - 1)
    return max(0.0, robust_sd(ratios) ** 2 * freedom / _chi_square(freedom) - explained), freedom


def _chi_square(freedom: float) -> float:
    """What a chi-square variable exceeds at `BOUND_PERCENT` (Wilson and Hilferty 1931); for 5 degrees and more."""
    z, part = NormalDist().inv_cdf(1.0 - BOUND_PERCENT / 100.0), 2.0 / (9.0 * freedom)
    return freedom * (1.0 - part + z * math.sqrt(part)) ** 3
