"""Which trials are examined once their times stand: the fastest of every implementation, for each problem; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui_agent.examined import COUNTERS, ENERGY, EXAMINATIONS
from tunetui_agent.sentinels import problem_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunetui_agent.backlog import Entry
    from tunetui_agent.finalists import Standing
    from tunetui_agent.messages import RunSpec, Trial

EVERY_TRIAL = "all"
"""Not the leaders alone are examined, but every trial that was measured."""


def wanted_by(spec: RunSpec) -> dict[str, str]:
    """Examination to whose, as a run asks for them."""
    asked = {ENERGY: spec.method.energy, COUNTERS: spec.profile}
    return {what: whose for what, whose in asked.items() if whose not in ("", "none")}


@dataclass
class Leader:
    """One trial at the top of its implementation."""

    standing: Standing
    entry: Entry | None  # None: of an earlier start, not built in this one
    is_new: bool  # measured by this agent

    @property
    def trial(self) -> Trial:
        """What it is."""
        return self.standing.trial


class Leaders:
    """Keeps the best of each, and knows which of them still wait for what."""

    def __init__(self, wanted: dict[str, str]) -> None:
        """``wanted`` is examination to whose: "leaders" or `EVERY_TRIAL`."""
        self._wanted = {what: wanted[what] for what in EXAMINATIONS if what in wanted}
        self._best: dict[tuple[str, str], dict[str, Leader]] = {}  # (problem, implementation) to trial id
        self._done: set[tuple[str, str]] = set()  # (examination, trial id)

    def saw(self, standing: Standing, entry: Entry | None, *, is_new: bool) -> None:
        """A trial has this standing; ``entry`` is there where it is built."""
        if not self._wanted:
            return
        trial = standing.trial
        known = self._best.setdefault((problem_key(trial.problem), trial.implementation), {})
        known[trial.id] = Leader(standing, entry, is_new)
        if EVERY_TRIAL not in self._wanted.values():
            # A race can turn two of them around, and drift any: some are remembered behind the first.
            for behind in sorted(known.values(), key=lambda each: each.standing.order)[_KEPT:]:
                del known[behind.trial.id]

    def built(self, entry: Entry) -> None:
        """A trial of an earlier start is ready to be run again."""
        for known in self._best.values():
            if entry.trial.id in known:
                known[entry.trial.id].entry = entry

    def withdraw(self, trial: Trial) -> None:
        """It is none any more: its output was wrong, or it cannot be built."""
        self._best.get((problem_key(trial.problem), trial.implementation), {}).pop(trial.id, None)

    def next_group(self) -> tuple[str, list[Leader]] | None:
        """The next examination and the trials that wait for it: of one problem for energy, all of them for counters."""
        for what, whose in self._wanted.items():
            waiting = [
                (problem, leader)
                for (problem, _), known in self._best.items()
                for leader in _first(known.values(), whose)
                if (what, leader.trial.id) not in self._done and (leader.is_new or what != ENERGY)
            ]
            if waiting:  # the profiler takes long to start, and reads the counters of them all in one go
                first = waiting[0][0]
                return what, [leader for problem, leader in waiting if what == COUNTERS or problem == first]
        return None

    def give_up(self, what: str) -> None:
        """Nobody is examined so: the device cannot, and its description says why."""
        self._wanted.pop(what, None)

    def examined(self, what: str, trials: Iterable[Trial]) -> None:
        """Once is enough, whatever came of it."""
        self._done.update((what, trial.id) for trial in trials)


_KEPT = 32


def _first(leaders: Iterable[Leader], whose: str) -> list[Leader]:
    ordered = sorted(leaders, key=lambda each: each.standing.order)
    return ordered if whose == EVERY_TRIAL else ordered[:1]
