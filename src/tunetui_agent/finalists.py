"""Who is raced at the end of a sweep, and when a race is settled; pure.

A sweep measures one configuration after the other, so that whatever changes on the device meanwhile falls on some of
them and not on others.  The ones that could be the best are therefore measured again side by side, in turns.  Others
do the same: Helion's ``interleaved_bench`` (pytorch/helion, ``helion/autotuner``) before it names a winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from tunetui_agent.messages import Contender, Method, Trial
from tunetui_agent.stopping import Interval, median_interval

TURN_SAMPLES = 5
"""Samples of one finalist before the next has its turn."""
MOST_KEPT_PER_PLACE = 4
"""Rows remembered of each problem for every place in its race: one measured again may fall behind."""
REACH = 2.0**0.5
"""A race is another process: the interval for another run's median is so many times as wide as that of the median."""


@dataclass(frozen=True)
class Standing:
    """A measured trial as a candidate; times in nanoseconds."""

    trial: Trial
    median: float
    low: float
    high: float
    raced: bool = False  # its figures come from a race already

    def elsewhere(self, end: float) -> float:
        """Where this end of the interval may lie in another process, by ratios: far from the median, times are skewed."""
        return self.median * float((max(0.0, end) / self.median) ** REACH)

    @property
    def order(self) -> tuple[float, str]:
        """Sort key: the id settles equal medians."""
        return self.median, self.trial.id


def standing_of(trial: Trial, samples_ns: Sequence[int], confidence_percent: float, *, raced: bool) -> Standing:
    """Where too few samples give no interval, their whole range stands for it."""
    interval = median_interval(samples_ns, confidence_percent)
    if interval is None:
        ordered = sorted(samples_ns)
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        interval = Interval(middle, float(ordered[0]), float(ordered[-1]))
    return Standing(trial, interval.median, interval.low, interval.high, raced)


def standing_before(contender: Contender) -> Standing:
    """A row of an earlier start."""
    c = contender
    return Standing(c.trial, c.median_ns, c.low_ns, c.high_ns, c.raced)


def keep_best(standings: Iterable[Standing], method: Method) -> list[Standing]:
    """The only ones worth remembering: a row behind that many others cannot be picked."""
    return sorted(standings, key=lambda each: each.order)[: MOST_KEPT_PER_PLACE * method.finalists]


def pick(standings: Iterable[Standing], method: Method) -> list[Standing]:
    """Who is raced, best median first: the leader and those whom another process might measure as fast, or nobody.

    That are all whose interval for another run overlaps its own; whoever is left out is compared by the sweep alone.
    No race is worth its time with fewer than two of them, or where all of them were raced before.  Of more than
    ``method.finalists`` the slowest are left out, and as many as needed for every finalist to get its least samples
    within ``method.finalists_seconds``.
    """
    ordered = sorted(standings, key=lambda each: each.order)
    if not ordered or method.finalists < 2:
        return []
    reached = ordered[0].elsewhere(ordered[0].high)
    chosen = [each for each in ordered if each.elsewhere(each.low) <= reached][: method.finalists]
    executions = method.min_samples + ceil(method.min_samples / TURN_SAMPLES)
    while chosen and executions * sum(each.median for each in chosen) > method.finalists_seconds * 1e9:
        chosen.pop()
    return chosen if len(chosen) > 1 and not all(each.raced for each in chosen) else []


def settled_by(samples: Sequence[Sequence[int]], seconds: float, method: Method) -> str | None:
    """Why a race ends now: ``order``, ``precision``, ``max_samples`` or ``max_seconds``; None to go on.

    The order is settled when every interval is apart from the leader's, the one with the smallest median.  To be asked
    after whole rounds at growing counts only (`stopping.next_check`): every look is a chance to stop too early.
    """
    fewest = min(map(len, samples))
    if fewest >= method.min_samples:
        intervals = [median_interval(taken, method.confidence_percent) for taken in samples]
        known = sorted((each for each in intervals if each), key=lambda each: each.median)
        if len(known) == len(intervals):
            if all(other.low > known[0].high for other in known[1:]):
                return "order"
            if all(each.half_width_percent <= method.precision_percent for each in known):
                return "precision"
    if fewest >= method.max_samples:
        return "max_samples"
    return "max_seconds" if seconds >= method.finalists_seconds else None
