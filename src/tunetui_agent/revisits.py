"""Which rows of a sweep are visited a second time at its end, so that it shows what a second visit changes; no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from heapq import heapify, heappush, heappushpop
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING

from tunetui_agent.sentinels import problem_key
from tunetui_agent.stopping import median_interval
from tunetui_agent.visits import LEAST_FREEDOM, Spread, Visit, best_known, spread_of, widened

if TYPE_CHECKING:
    from tunetui_agent.backlog import Entry
    from tunetui_agent.finalists import Standing
    from tunetui_agent.messages import Method, Trial, TrialFailed, TrialMeasured

FEWEST, MOST = 8, 32
"""Revisits of one implementation's rows on one problem: what an estimate needs, and what is enough for one."""
MOST_OF_ONE_ROW = 8
"""Where there are few rows, each is visited more often, at most so many times more."""
FEWEST_TURNS, MOST_TURNS = 2, 4
"""Fresh processes, each for an equal part of the visits: what a process holds by chance is drawn as often."""
SECONDS_PER_TURN = 8.0
"""That many processes as the sweep's measuring time has such stretches: starting one takes a second or two."""
AT_ONCE = 2
"""Visits of one implementation on one problem before the next problem, whose inputs may have to be made."""
FREE_SECONDS, LARGEST_SHARE = 5.0, 0.25
"""Revisits end after this share of the sweep's measuring time, or after `FREE_SECONDS` where those are more,"""
CAP_SECONDS, CAP_SHARE = 15.0, 0.3
"""and after these, for implementations whose visits are still too few for an estimate."""
DEAREST_START = 0.2
"""Where starting a process takes more than this share of the time, one is enough."""
MOST_SECONDS = 0.3
"""Of sampling in one second visit: what its median lacks in precision is known and subtracted."""


def second_look(method: Method) -> Method:
    """The method of a second visit."""
    return replace(method, max_seconds=min(method.max_seconds, MOST_SECONDS))


@dataclass
class _Group:
    """One implementation on one problem."""

    rows: int = 0
    is_baseline: bool = False
    chosen: list[tuple[int, str]] = field(default_factory=list)  # a heap: those with the smallest draw, largest first
    entries: dict[str, Entry] = field(default_factory=dict)
    visits: dict[str, list[Visit]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Planned:
    """A second visit to come."""

    turn: int  # from 1: which fresh process makes it
    entry: Entry


class Revisits:
    """Draws the rows while the sweep goes on, from its seed; then gives one after the other."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._groups: dict[tuple[str, str], _Group] = {}
        self._sweep_seconds = self._seconds = 0.0
        self._queue: list[_Planned] | None = None  # None: the sweep still goes on
        self._turn, self._start_seconds = 0, 0.0
        self.process = 0  # fresh ones so far
        self._renewed: float | None = None  # when a fresh process was sent for, until it is ready

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
        group.is_baseline = "baseline" in event.tags
        draw = self._draw(trial)
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
        group, visit = self._groups.get(_group_of(entry.trial)), self._visit(event, self.process)
        if group and visit and entry.trial.id in group.visits:
            group.visits[entry.trial.id].append(visit)

    def failed(self, event: TrialFailed) -> None:
        """If that was a second visit, it took its time and has no figure."""
        self._seconds += event.seconds if event.stage == "revisit" else 0.0

    def process_ready(self, now: float) -> None:
        """A process can measure; that it had to start counts as time of the visits if it is theirs."""
        if self._renewed is not None:
            self._start_seconds, self._renewed = now - self._renewed, None
            self._seconds += self._start_seconds

    def withdraw(self, trial: Trial) -> None:
        """It has no figure any more."""
        group = self._groups.get(_group_of(trial))
        if group and trial.id in group.entries:
            group.chosen = [each for each in group.chosen if each[1] != trial.id]
            heapify(group.chosen)
            del group.entries[trial.id], group.visits[trial.id]
        if self._queue is not None:
            self._queue = [each for each in self._queue if each.entry.trial.id != trial.id]

    def next(self) -> Entry | None:
        """The next row to visit again, once the sweep is over; None where there is none, or no time left."""
        if self._queue is None:
            self._queue = self._drawn()
        if self._seconds > max(CAP_SECONDS, CAP_SHARE * self._sweep_seconds):
            self._queue = []
        elif self._seconds > self._limit():
            scarce = {name for _, name in self._groups if self._visits_of(name) < LEAST_FREEDOM}
            self._queue = [each for each in self._queue if each.entry.trial.implementation in scarce]
        return self._queue[0].entry if self._queue else None

    def take(self) -> Entry:
        """What `next` tells, removed."""
        if not self._queue:
            raise LookupError("nothing is to be visited again")
        return self._queue.pop(0).entry

    def begins_turn(self, now: float) -> bool:
        """Whether a fresh process, to be sent for ``now`` (seconds), shall make the next visit; told once for each."""
        if not self._queue or self._queue[0].turn <= self._turn:
            return False
        is_first, self._turn = not self._turn, self._queue[0].turn
        if is_first or self._start_seconds <= DEAREST_START * self._limit():
            self._renewed = now
            self.process += 1
        return self._renewed is not None

    def spread(self, trial: Trial) -> Spread | None:
        """What is known of this trial's implementation on its problem; None where the visits so far are too few.

        Moderated by all kernels on all problems; a library's calls differ too much from these and tell of themselves alone.
        """
        group = self._groups.get(_group_of(trial))
        own = spread_of(group.visits.values(), self._method.confidence_percent) if group else None
        moderates = own is not None and own.is_enough and not (group and group.is_baseline)
        of_all = [
            each.visits.values()
            for (_, name), each in self._groups.items()
            if name == trial.implementation or (moderates and not each.is_baseline)
        ]
        return best_known(own, spread_of(chain.from_iterable(of_all), self._method.confidence_percent))

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

    def _limit(self) -> float:
        return max(FREE_SECONDS, LARGEST_SHARE * self._sweep_seconds)

    def _visits_of(self, implementation: str) -> int:
        groups = (group for (_, name), group in self._groups.items() if name == implementation)
        return sum(max(0, len(visits) - 1) for group in groups for visits in group.visits.values())

    def _draw(self, text: str) -> int:
        return int.from_bytes(blake2b(f"{self._method.seed} {text}".encode(), digest_size=8).digest(), "big")

    def _drawn(self) -> list[_Planned]:
        """In rounds over the problems and their implementations, so that each has some should the time end.

        Problems come in a random order: where only some are reached, they stand for all.  Baselines come last, since a
        library may take seconds to load.
        """
        problems = list(dict.fromkeys(problem for problem, _ in self._groups))
        place = {problem: self._draw(problem) for problem in problems}
        turns = max(FEWEST_TURNS, min(MOST_TURNS, int(self._sweep_seconds / SECONDS_PER_TURN)))
        found: list[tuple[tuple[bool, int, int, int], int, _Planned]] = []
        for (problem, _), group in self._groups.items():
            entries = self._of_group(group)
            for number, entry in enumerate(entries):
                turn = turns if group.is_baseline else 1 + number * turns // len(entries)
                order = (group.is_baseline, turn, number // AT_ONCE, place[problem])
                found.append((order, number, _Planned(turn, entry)))
        return [planned for *_, planned in sorted(found, key=lambda each: each[:2])]

    def _of_group(self, group: _Group) -> list[Entry]:
        wanted = min(MOST, max(FEWEST, ceil(group.rows * self._method.revisit_percent / 100.0)))
        ordered = [group.entries[trial] for _, trial in sorted(group.chosen, reverse=True)][:wanted]
        times = min(MOST_OF_ONE_ROW, ceil(wanted / max(1, len(ordered))))
        return (ordered * times)[: max(wanted, len(ordered))]

    def _visit(self, event: TrialMeasured, process: int = 0) -> Visit | None:
        interval = median_interval(event.samples_ns, self._method.confidence_percent)
        return Visit(interval.median, interval.low, interval.high, process) if interval else None


def _group_of(trial: Trial) -> tuple[str, str]:
    return problem_key(trial.problem), trial.implementation
