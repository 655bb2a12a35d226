"""Tie groups: who leads, and who cannot be told from the leader."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tunetui.core.statistics import critical_z, p_values, pairs_above, separation_p, tie_term

SIGNIFICANCE = 0.05
"""Family-wise error rate of all comparisons with one leader."""

TIE_PERCENT = 1.0
"""A median that is behind by no more than that is not apart, however sure: what `tunetui compare` calls the same by default."""

RANKING_METHOD = (
    "a row is apart from the leader when its median is more than 1 % behind, their intervals are disjoint and a two-sided "
    "Mann-Whitney U test rejects at 5 % after Holm's correction over all rows left to compare; all others share the leader's tie "
    "group.  Rows of one race are compared by the intervals of their samples and places: what its process holds by chance is "
    "the same for all of them"
)

_BLOCK = 256
_DECILES = 10


class Contender(msgspec.Struct, frozen=True, gc=False):
    """What a row brings to the ranking: its samples in nanoseconds, and the interval of their median if it has one."""

    samples_ns: Sequence[int]
    median_ns: float
    ci_low_ns: float | None
    ci_high_ns: float | None


class Place(msgspec.Struct, frozen=True, gc=False):
    """Where a contender stands: ``index`` into the contenders, tie group from 1, competition rank ("3", "1=")."""

    index: int
    tie_group: int
    rank: str


def rank(contenders: Sequence[Contender]) -> list[Place]:
    """The contenders in order of tie group, then median.

    The leader is the smallest median of what is left.  Its group takes every remaining row that is not apart from
    it (`RANKING_METHOD`), also a noisy one far behind; then the next leader is found among the others.  A row
    without an interval (too few samples) is apart from nobody.
    """
    if not contenders:
        return []
    groups = _Field(contenders).groups()
    places: list[Place] = []
    for number, members in enumerate(groups, start=1):
        first = len(places) + 1
        text = f"{first}=" if len(members) > 1 else str(first)
        members.sort(key=lambda index: (contenders[index].median_ns, index))
        places += [Place(index, number, text) for index in members]
    return places


class _Field:
    """All contenders as columns, in the order of their intervals' lower ends.

    Testing every row against every leader would take hours at 100,000 rows.  Rows that overlap the leader's
    interval are a prefix of this order.  The rest is looked at in blocks: the smallest deciles of a block bound
    every one of its rows' U from below, and where that bound alone rejects, no row of the block is tested.
    """

    def __init__(self, contenders: Sequence[Contender]) -> None:
        lows = np.array([-np.inf if c.ci_low_ns is None else c.ci_low_ns for c in contenders])
        medians = np.array([c.median_ns for c in contenders])
        self.order = np.lexsort((medians, lows))
        self.lows = lows[self.order]
        self.highs = np.array([np.inf if c.ci_high_ns is None else c.ci_high_ns for c in contenders])[self.order]
        self.by_median = np.lexsort((self.order, medians[self.order]))
        self.sorted_medians = medians[self.order][self.by_median]
        self.samples = [np.sort(np.asarray(contenders[i].samples_ns, np.int64)) for i in self.order.tolist()]
        self.sizes = np.array([len(s) for s in self.samples])
        tenths = np.arange(_DECILES)
        self.deciles = np.array([s[tenths * len(s) // _DECILES] for s in self.samples])
        self.alive = np.ones(len(self.order), np.bool_)
        self.bounds = [self._bound(block) for block in range(-(-len(self.order) // _BLOCK))]

    def groups(self) -> list[list[int]]:
        """Tie groups as indices into the contenders, best first."""
        groups = []
        for place, leader in enumerate(self.by_median.tolist()):
            if self.alive[leader]:
                members = self._members(leader, self._near(place))
                self.alive[members] = False
                for block in sorted(set((members // _BLOCK).tolist())):
                    self.bounds[block] = self._bound(block)
                groups.append(self.order[members].tolist())
        return groups

    def _bound(self, block: int) -> tuple[NDArray[np.int64], int] | None:
        """The smallest of every decile, and the smallest sample size, among the living rows of a block."""
        rows = slice(block * _BLOCK, (block + 1) * _BLOCK)
        alive = self.alive[rows]
        if not alive.any():
            return None
        return self.deciles[rows][alive].min(axis=0), int(self.sizes[rows][alive].min())

    def _near(self, place: int) -> NDArray[np.intp]:
        """The living rows whose medians are within `TIE_PERCENT` of the leader's, which stands at ``place`` among all medians."""
        limit = self.sorted_medians[place] * (1.0 + TIE_PERCENT / 100.0)
        near = self.by_median[place : int(np.searchsorted(self.sorted_medians, limit, side="right"))]
        return near[self.alive[near]]

    def _members(self, leader: int, near: NDArray[np.intp]) -> NDArray[np.intp]:
        """The living rows that are not apart from ``leader``, itself included."""
        overlapping = int(np.searchsorted(self.lows, self.highs[leader], side="right"))
        tied = np.union1d(np.flatnonzero(self.alive[:overlapping]), near)
        comparisons = int(self.alive.sum()) - 1
        if comparisons < 1:
            return tied
        rows = np.setdiff1d(self._undecided(leader, overlapping, comparisons), near)
        if not len(rows):
            return tied
        p = self._p_values(leader, rows, SIGNIFICANCE / comparisons)
        ahead = comparisons + 1 - len(tied) - len(rows)  # rejected already, at the strictest of Holm's levels
        by_p = np.argsort(p, kind="stable")
        passed = p[by_p] <= SIGNIFICANCE / (comparisons - ahead - np.arange(len(rows)))
        rejected = len(rows) if passed.all() else int(np.argmin(passed))
        return np.concatenate((tied, rows[by_p[rejected:]]))

    def _undecided(self, leader: int, begin: int, comparisons: int) -> NDArray[np.intp]:
        """Living rows from ``begin`` on, except those of blocks whose bound rejects at the strictest level."""
        own = self.samples[leader]
        level = SIGNIFICANCE / comparisons
        critical = critical_z(level)
        found = []
        for block in range(begin // _BLOCK, len(self.bounds)):
            bound = self.bounds[block]
            if bound is None or _surely_apart(own, *bound, critical, level):
                continue
            first = max(begin, block * _BLOCK)
            found.append(first + np.flatnonzero(self.alive[first : (block + 1) * _BLOCK]))
        return np.concatenate(found) if found else np.empty(0, np.intp)

    def _p_values(self, leader: int, rows: NDArray[np.intp], level: float) -> NDArray[np.float64]:
        own, sizes = self.samples[leader], self.sizes[rows]
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        pairs, shared = pairs_above(own, np.concatenate([self.samples[row] for row in rows.tolist()]), starts)
        p = p_values(len(own), sizes, pairs, shared)
        # without its correction for ties a p-value is too large, never too small: correct those that it may matter to
        close = np.flatnonzero(shared & (p > level))
        if len(close):
            ties = np.array([tie_term(np.concatenate((own, self.samples[row]))) for row in rows[close].tolist()])
            p[close] = p_values(len(own), sizes[close], pairs[close], shared[close], ties)
        return p


def _surely_apart(own: NDArray[np.int64], deciles: NDArray[np.int64], size: int, critical: float, level: float) -> bool:
    """Whether every row with at least these deciles and samples tests as slower than ``own`` at ``level``.

    The share of pairs in which the row is slower is at least the mean, over its deciles, of the share of ``own``
    below that decile; without the ties, whose correction only narrows it, the variance is the largest possible.
    """
    n = len(own)
    if deciles[0] > own[-1]:
        return separation_p(n, size) <= level
    share = float(np.searchsorted(own, deciles, side="left").mean()) / n
    pairs = n * size
    return bool((share - 0.5) * pairs - 0.5 > critical * np.sqrt(pairs * (n + size + 1) / 12.0))
