"""Which rows of a sweep are visited a second time at its end, so that it shows what a second visit changes; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from heapq import heapify, heappush, heappushpop
from math import ceil
from typing import TYPE_CHECKING

from tunetui_agent.sentinels import problem_key
from tunetui_agent.stopping import median_interval
from tunetui_agent.visits import Spread, Visit, spread_of, widened

if TYPE_CHECKING:
    from tunetui_agent.backlog import Entry
    from tunetui_agent.finalists import Standing
    from tunetui_agent.messages import Method, Trial, TrialMeasured

FEWEST, MOST = 8, 32
"""Revisits of one implementation's rows on one problem: what an estimate needs, and what is enough for one."""
MOST_OF_ONE_ROW = 4
"""Where there are few rows, each is visited more often, at most so many times more."""
FREE_SECONDS = 5.0
LARGEST_SHARE = 0.15
"""Revisits end after this share of the sweep's measuring time, or after `FREE_SECONDS` where those are more."""


@dataclass
class _Group:
    """One implementation on one problem."""

    rows: int = 0
    chosen: list[tuple[int, str]] = field(default_factory=list)  # a heap: those with the smallest draw, largest first
    entries: dict[str, Entry] = field(default_factory=dict)
    visits: dict[str, list[Visit]] = field(default_factory=dict)


class Revisits:
    """Draws the rows while the sweep goes on, from its seed; then gives one after the other."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._groups: dict[tuple[str, str], _Group] = {}
        self._sweep_seconds = self._seconds = 0.0
        self._queue: list[Entry] | None = None  # None: the sweep still goes on

    def saw(self, entry: Entry, event: TrialMeasured) -> None:
        """A row of the sweep was measured (again)."""
        if not self._method.revisit_percent:
            return
        self._sweep_seconds += event.seconds
        group = self._groups.setdefault(_group_of(entry.trial), _Group())
        trial = entry.trial.id
        visit = self._visit(event)
        if trial in group.entries:  # a drift, or somebody, had it measured again
            group.visits[trial] = [visit] if visit else []
            return
        group.rows += 1
        draw = int.from_bytes(blake2b(f"{self._method.seed} {trial}".encode(), digest_size=8).digest(), "big")
        dropped = None
        if len(group.chosen) < MOST:
            heappush(group.chosen, (-draw, trial))
        else:
            dropped = heappushpop(group.chosen, (-draw, trial))[1]
        if dropped != trial:
            group.entries[trial], group.visits[trial] = entry, [visit] if visit else []
        if dropped in group.entries:
            del group.entries[dropped], group.visits[dropped]

    def revisited(self, entry: Entry, event: TrialMeasured) -> None:
        """A second visit was made."""
        self._seconds += event.seconds
        group, visit = self._groups.get(_group_of(entry.trial)), self._visit(event)
        if group and visit and entry.trial.id in group.visits:
            group.visits[entry.trial.id].append(visit)

    def withdraw(self, trial: Trial) -> None:
        """It has no figure any more."""
        group = self._groups.get(_group_of(trial))
        if group and trial.id in group.entries:
            group.chosen = [each for each in group.chosen if each[1] != trial.id]
            heapify(group.chosen)
            del group.entries[trial.id], group.visits[trial.id]
        if self._queue is not None:
            self._queue = [entry for entry in self._queue if entry.trial.id != trial.id]

    def next(self) -> Entry | None:
        """The next row to visit again, once the sweep is over; None where there is none, or no time left."""
        if self._queue is None:
            self._queue = self._drawn()
        if not self._queue or self._seconds > max(FREE_SECONDS, LARGEST_SHARE * self._sweep_seconds):
            self._queue = []
            return None
        return self._queue[0]

    def take(self) -> Entry:
        """What `next` tells, removed."""
        if not self._queue:
            raise LookupError("nothing is to be visited again")
        return self._queue.pop(0)

    def spread(self, trial: Trial) -> Spread | None:
        """What the visits so far say of this trial's implementation on its problem."""
        group = self._groups.get(_group_of(trial))
        return spread_of(group.visits.values(), self._method.confidence_percent) if group else None

    def widen(self, standings: Iterable[Standing]) -> list[Standing]:
        """The same with intervals that contain what second visits have shown."""
        found, shares = [], dict[tuple[str, str], float]()
        for standing in standings:
            key = _group_of(standing.trial)
            if key not in shares:
                spread = self.spread(standing.trial)
                shares[key] = spread.half_width(self._method.confidence_percent) if spread else 0.0
            wide = widened(Visit(standing.median, standing.low, standing.high), shares[key])
            found.append(replace(standing, low=wide.low, high=wide.high))
        return found

    def _drawn(self) -> list[Entry]:
        """In rounds over the groups, so that each has some should the time end."""
        rounds = [self._of_group(group) for group in self._groups.values()]
        longest = max(map(len, rounds), default=0)
        return [entries[place] for place in range(longest) for entries in rounds if place < len(entries)]

    def _of_group(self, group: _Group) -> list[Entry]:
        wanted = min(MOST, max(FEWEST, ceil(group.rows * self._method.revisit_percent / 100.0)))
        ordered = [group.entries[trial] for _, trial in sorted(group.chosen, reverse=True)][:wanted]
        times = min(MOST_OF_ONE_ROW, ceil(wanted / max(1, len(ordered))))
        return (ordered * times)[: max(wanted, len(ordered))]

    def _visit(self, event: TrialMeasured) -> Visit | None:
        interval = median_interval(event.samples_ns, self._method.confidence_percent)
        return Visit(interval.median, interval.low, interval.high) if interval else None


def _group_of(trial: Trial) -> tuple[str, str]:
    return problem_key(trial.problem), trial.implementation
