"""Which trials are examined once their times stand: the fastest of each implementation, or of each problem; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui_agent.examined import COUNTERS, ENERGY, EXAMINATIONS
from tunetui_agent.reliability import RELIABILITY
from tunetui_agent.sentinels import problem_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tunetui_agent.backlog import Entry
    from tunetui_agent.finalists import Standing
    from tunetui_agent.messages import RunSpec, Trial

EVERY_TRIAL = "all"
"""Not the leaders alone are examined, but every trial that was measured."""
WINNERS = "winners"
"""The fastest of each problem, whatever its implementation is."""


def wanted_by(spec: RunSpec) -> dict[str, str]:
    """Examination to whose, as a run asks for them."""
    load = WINNERS if spec.reliability.seconds else ""
    asked = {ENERGY: spec.method.energy, COUNTERS: spec.profile, RELIABILITY: load}
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
        """``wanted`` is examination to whose: "leaders", `EVERY_TRIAL` or `WINNERS`."""
        self._wanted = {what: wanted[what] for what in EXAMINATIONS if what in wanted}
        self._best: dict[tuple[str, str], dict[str, Leader]] = {}  # (problem, implementation) to trial id
        self._done: set[tuple[str, str]] = set()  # (examination, trial id)
        self._won_here: set[str] | None = None  # problems whose winner is run under load here; None: of all

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

    def knew(self, standing: Standing, *, is_loaded: bool) -> None:
        """A trial of an earlier start has this standing; ``is_loaded``: it was run under load, and need not be again."""
        self.saw(standing, None, is_new=False)
        if is_loaded:
            self._done.add((RELIABILITY, standing.trial.id))

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
            if whose == WINNERS:
                if (winner := next(self._winners(what), None)) is not None:
                    return what, [winner]
                continue
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

    def win_only(self, problems: set[str]) -> None:
        """The winners of other problems are another device's."""
        self._won_here = problems

    def _winners(self, what: str) -> Iterator[Leader]:
        """Those of each problem that wait for this examination."""
        fields: dict[str, list[Leader]] = {}
        for (problem, _), known in self._best.items():
            if self._won_here is None or problem in self._won_here:
                fields.setdefault(problem, []).extend(known.values())
        for field in fields.values():
            winner = min(field, key=lambda each: each.standing.order, default=None)
            if winner is not None and (what, winner.trial.id) not in self._done:
                yield winner

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
