"""How much each axis matters: the variance of log latency over the measured rows, taken apart exactly.

Functional analysis of variance, as F. Hutter, H. Hoos and K. Leyton-Brown (ICML 2014) use it for parameters, but on the
measured grid itself: where every row is measured, a mean over rows is the marginal, and no random forest has to guess it.  With holes
(constraints, failures) axes depend on each other and variances of single axes and pairs no longer add up; what each axis
contributes to everything is therefore its Shapley value, which always does (A. B. Owen, SIAM/ASA J. Uncertainty
Quantification 2 (2014) 245; E. Song, B. L. Nelson and J. Staum, the same 4 (2016) 1060).

What the rows' own uncertainty adds to every variance is subtracted; intervals come from redrawing every row within
it.  They say nothing of configurations that were not measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import msgspec
import numpy as np
from numpy.typing import NDArray

from tunetui.core.leaderboard import Entry
from tunetui.core.noise import Z95
from tunetui_agent.messages import Value

MOST_AXES = 8
"""Taken apart; of more, those that matter most alone."""

METHOD = (
    "functional ANOVA of log latency over the measured rows; part: Shapley value of the explained variance; "
    "intervals: 95 %, rows redrawn within their own"
)

_MOST_VALUES = 16
"""Of a numeric axis; more are put into so many bands of equally many rows."""
_FEWEST_ROWS = 4
_DRAWS, _FEWEST_DRAWS = 200, 30
_MOST_SUMS = 2e7
"""Rows x subsets of axes x draws: about a quarter of a second."""
_SEED = 1

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share of the variance in percent, with its 95 % interval."""

    percent: float
    low: float
    high: float


class AtValue(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one value of an axis (or of a band of values)."""

    value: Value
    """The value; the smallest of a band."""
    upto: Value | None = None
    """The largest of a band; absent where it is one value."""
    rows: int
    best_ms: float
    over_best_percent: float
    """How much slower its best row is than the best of all."""
    tied: bool
    """Whether their intervals overlap."""
    typical_percent: float
    """The geometric mean of its rows over that of all rows, less one."""


class AxisShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one axis explains."""

    axis: str
    alone: Share
    """The variance of its values' means: the main effect."""
    part: Share
    """Its part of everything, interactions shared out; the parts of all axes make 100 %."""
    values: list[AtValue]


class PairShare(msgspec.Struct, frozen=True, kw_only=True):
    """What two axes explain only together."""

    axes: tuple[str, str]
    together: Share
    """Beyond the sum of each alone; below 0 where constraints make both tell the same."""


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """One implementation on one board."""

    implementation: str
    rows: int
    grid: int
    """Combinations of the values that occur: with more than ``rows``, the grid has holes."""
    span: float
    """The slowest median over the fastest."""
    noise_percent: float
    """Of the variance between rows, what their own uncertainty explains."""
    axes: list[AxisShare] = []
    """Largest part first."""
    pairs: list[PairShare] = []
    """Largest first; of three axes or more, only pairs of which every combination has two rows on average."""
    left_out: list[str] = []
    """Axes beyond `MOST_AXES`."""
    reason: str = ""
    """Why nothing can be said."""


def importance_of(implementation: str, rows: Sequence[Entry], z: float = Z95) -> Importance | None:
    """Take the variance between an implementation's measured rows apart; None where it has no axis to be set.

    ``rows`` are measured rows with a median above 0; ``z`` is the normal quantile of their intervals.
    """
    names = [
        axis
        for axis in dict.fromkeys(axis for row in rows for axis in row.configuration)
        if all(axis in row.configuration for row in rows) and len({repr(row.configuration[axis]) for row in rows}) > 1
    ]
    medians = np.array([row.latency_ms.median if row.latency_ms else math.nan for row in rows], np.float64)
    if not names or not (medians > 0).all():
        return None
    logs = np.log(medians)
    known = [_variance(row, z) for row in rows]
    split = {name: _Axis.of([row.configuration[name] for row in rows]) for name in names}
    whole = Importance(
        implementation=implementation,
        rows=len(rows),
        grid=math.prod(len(axis.first) for axis in split.values()),
        span=float(medians.max() / medians.min()),
        noise_percent=0.0,
    )
    if len(rows) < _FEWEST_ROWS:
        return msgspec.structs.replace(whole, reason=f"{len(rows)} measured rows are too few")
    variances = np.array([0.0 if each is None else each for each in known])
    names, left_out = _leading(names, split, logs)
    taken = _Variances([split[name].codes for name in names], logs, variances)
    noise = 100.0 * min(1.0, taken.noise / taken.observed) if taken.observed > 0 else 100.0
    whole = msgspec.structs.replace(whole, noise_percent=noise, left_out=left_out)
    if taken.least <= 0:
        return msgspec.structs.replace(whole, reason="what the rows differ by lies within their intervals")
    axes = [
        AxisShare(
            axis=name, alone=taken.alone(at), part=taken.part(at), values=_values(split[name], rows, logs, medians)
        )
        for at, name in enumerate(names)
    ]
    pairs = [
        PairShare(axes=(names[a], names[b]), together=taken.together(a, b))
        for a, b in combinations(range(len(names)), 2)
        if len(names) == 2 or 2 * taken.cells((a, b)) <= len(rows)
    ]
    return msgspec.structs.replace(
        whole,
        axes=sorted(axes, key=lambda each: -each.part.percent),
        pairs=sorted(pairs, key=lambda each: -each.together.percent),
    )


class _Axis(msgspec.Struct, frozen=True):
    """An axis as a code for every row, with the first and last value of each code, in order."""

    codes: Codes
    first: list[Value]
    last: list[Value]

    @classmethod
    def of(cls, values: Sequence[Value]) -> _Axis:
        numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        distinct = sorted(set(values), key=lambda value: value if numeric else str(value))
        place = {repr(value): at for at, value in enumerate(distinct)}
        codes = np.array([place[repr(value)] for value in values], np.intp)
        if not numeric or len(distinct) <= _MOST_VALUES:
            return cls(codes, distinct, distinct)
        counts = np.cumsum(np.bincount(codes, minlength=len(distinct)))
        bands = np.minimum((counts - 1) * _MOST_VALUES // len(values), _MOST_VALUES - 1)
        _, bands = np.unique(bands, return_inverse=True)
        edges = [np.flatnonzero(bands == band) for band in range(int(bands.max()) + 1)]
        return cls(bands[codes], [distinct[each[0]] for each in edges], [distinct[each[-1]] for each in edges])


class _Variances:
    """The variance that every subset of axes explains, less what noise adds; of the rows and of their redrawings."""

    def __init__(self, codes: Sequence[Codes], logs: Floats, variances: Floats) -> None:
        self.count = len(codes)
        subsets = 2**self.count
        draws = int(min(_DRAWS, max(_FEWEST_DRAWS, _MOST_SUMS / (len(logs) * subsets))))
        noise = np.random.default_rng(_SEED).standard_normal((len(logs), draws)) * np.sqrt(variances)[:, None]
        drawn = np.concatenate((logs[:, None], logs[:, None] + noise), axis=1)
        drawn -= drawn.mean(axis=0)
        self.explained = np.zeros((subsets, draws + 1))  # the first column is of the rows themselves
        self.sizes = [1] * subsets
        grand = float(variances.sum()) / len(logs) ** 2
        groups = np.zeros(len(logs), np.intp)
        for subset in range(1, subsets):
            groups = _grouped([codes[at] for at in range(self.count) if subset >> at & 1])
            order = np.argsort(groups, kind="stable")
            starts = np.flatnonzero(np.concatenate(([True], np.diff(groups[order]) > 0)))
            sizes = np.diff(np.append(starts, len(order)))
            sums = np.add.reduceat(drawn[order], starts, axis=0)
            between = (sums**2 / sizes[:, None]).sum(axis=0) / len(logs)
            added = float((np.add.reduceat(variances[order], starts) / sizes).sum()) / len(logs) - grand
            between[0] -= added
            between[1:] -= 2.0 * added  # redrawn rows have their noise twice
            self.explained[subset] = between
            self.sizes[subset] = len(starts)
        self.noise = added
        self.observed = float(self.explained[-1][0]) + added
        self.least = min(float(self.explained[-1][0]), float(np.quantile(self.explained[-1][1:], 0.025)))

    def cells(self, axes: Sequence[int]) -> int:
        """Combinations of these axes' values that occur."""
        return self.sizes[sum(1 << at for at in axes)]

    def alone(self, at: int) -> Share:
        return self._share(self.explained[1 << at])

    def together(self, a: int, b: int) -> Share:
        return self._share(self.explained[1 << a | 1 << b] - self.explained[1 << a] - self.explained[1 << b], -100.0)

    def part(self, at: int) -> Share:
        """The Shapley value: what the axis adds, over all orders in which axes may come to be known."""
        total = np.zeros(self.explained.shape[1])
        for subset in range(len(self.explained)):
            if not subset >> at & 1:
                others = subset.bit_count()
                weight = 1.0 / (self.count * math.comb(self.count - 1, others))
                total += weight * (self.explained[subset | 1 << at] - self.explained[subset])
        return self._share(total)

    def _share(self, variance: Floats, least: float = 0.0) -> Share:
        shares = 100.0 * variance / np.maximum(self.explained[-1], 1e-300)
        shares = np.clip(shares, least, 100.0)
        low, high = np.quantile(shares[1:], (0.025, 0.975))
        return Share(
            percent=float(shares[0]), low=min(float(low), float(shares[0])), high=max(float(high), float(shares[0]))
        )


def _grouped(codes: Sequence[Codes]) -> Codes:
    """One code for every combination of several axes' codes."""
    found = codes[0]
    for each in codes[1:]:
        _, found = np.unique(found * (int(each.max()) + 1) + each, return_inverse=True)
    return found


def _leading(names: list[str], split: dict[str, _Axis], logs: Floats) -> tuple[list[str], list[str]]:
    """At most `MOST_AXES`, those whose values' means lie furthest apart, in their old order; and the others."""
    if len(names) <= MOST_AXES:
        return names, []

    def alone(name: str) -> float:
        codes = split[name].codes
        counts = np.bincount(codes)
        sums = np.bincount(codes, weights=logs - logs.mean())
        return float((sums**2 / np.maximum(counts, 1)).sum())

    kept = sorted(names, key=alone, reverse=True)[:MOST_AXES]
    return [name for name in names if name in kept], [name for name in names if name not in kept]


def _values(axis: _Axis, rows: Sequence[Entry], logs: Floats, medians: Floats) -> list[AtValue]:
    best = int(medians.argmin())
    found = []
    for code, (first, last) in enumerate(zip(axis.first, axis.last, strict=True)):
        own = np.flatnonzero(axis.codes == code)
        fastest = int(own[medians[own].argmin()])
        found.append(
            AtValue(
                value=first,
                upto=None if repr(first) == repr(last) else last,
                rows=len(own),
                best_ms=float(medians[fastest]),
                over_best_percent=100.0 * (float(medians[fastest] / medians[best]) - 1.0),
                tied=fastest == best or overlap(rows[fastest], rows[best]),
                typical_percent=100.0 * math.expm1(float(logs[own].mean() - logs.mean())),
            )
        )
    return found


def overlap(one: Entry, other: Entry) -> bool:
    """Whether two rows' intervals overlap; a row without one cannot be told from anything."""
    ends = [(row.latency_ms.ci_low, row.latency_ms.ci_high) if row.latency_ms else (None, None) for row in (one, other)]
    (low, high), (other_low, other_high) = ends
    if low is None or high is None or other_low is None or other_high is None:
        return True
    return low <= other_high and other_low <= high


def _variance(row: Entry, z: float) -> float | None:
    """Of the log median, from half the width of its interval."""
    found = row.latency_ms
    if found is None or found.ci_low is None or found.ci_high is None or not 0 < found.ci_low <= found.ci_high:
        return None
    return (math.log(found.ci_high / found.ci_low) / (2.0 * z)) ** 2
