"""What a run measures next: a trial of the sweep, a sentinel once more, or the finalists of a problem."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tunetui_agent import clock
from tunetui_agent.backlog import Entry
from tunetui_agent.finalists import Standing, keep_best, pick, standing_before, standing_of
from tunetui_agent.leaders import Leaders
from tunetui_agent.load_outcomes import LoadOutcomes
from tunetui_agent.messages import (
    Contender,
    DriftNoticed,
    NoticeRaised,
    RaceEnded,
    RaceStarted,
    TrialFailed,
    TrialMeasured,
    TrialStarted,
    reference_to,
)
from tunetui_agent.reliability import RELIABILITY
from tunetui_agent.revisits import Revisits
from tunetui_agent.sentinels import Drift, Sentinels, problem_key
from tunetui_agent.worker_seat import Job, RaceReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tunetui_agent.backlog import Backlog
    from tunetui_agent.messages import Method, Trial, Value


class Stages:
    """Decides from what was measured so far; says what it decides."""

    def __init__(
        self,
        method: Method,
        backlog: Backlog,
        folders: Mapping[str, str],
        say: Callable[[Any], None],
        leaders: Leaders | None = None,
    ) -> None:
        """``folders`` is artifact name to its folder, as far as they are built; ``leaders`` says who is examined."""
        self._method, self._backlog, self._folders, self._say = method, backlog, folders, say
        self._sentinels = Sentinels(method)
        self._repeated: set[str] = set()  # trials measured again because of a drift
        self._standings: dict[str, dict[str, Standing]] = {}  # problem to trial id to its standing
        self._ready: dict[str, Entry] = {}  # trials that could be raced, with their artifacts
        self._wanted: set[str] | None = None  # problems that are raced at the end; None: all
        self._early: list[str] = []  # problems that somebody wants raced before the end
        self._is_early = False  # of the present race
        self._racing: list[Standing] = []
        self._raced: list[str] = []
        self.leaders = leaders or Leaders({})
        self.revisits = Revisits(method)
        self.load = LoadOutcomes(say, self._withdraw)

    def consider(self, contenders: Iterable[Contender]) -> None:
        """Rows of earlier starts that may be among the finalists."""
        for contender in contenders:
            standing = standing_before(contender)
            self._stand(standing)
            self.leaders.knew(standing, is_loaded=contender.loaded)

    def next_measurement(self, *, in_order: bool) -> Job | None:
        """The next trial, or before it the sentinel of its problem; begun as soon as it is asked for."""
        while (entry := self._backlog.take_ready(in_order=in_order)) is not None:
            if entry.for_race:
                self._ready[entry.trial.id] = entry
                self.leaders.built(entry)
                continue
            sentinel = self._sentinels.due(entry.trial)
            if sentinel is not None:
                self._backlog.put_back(entry)
                return self._started("sentinel", sentinel)
            return self._started("sweep" if entry.precision_percent is None else "remeasured", entry)
        return None

    def race_only(self, problems: Iterable[dict[str, Value]]) -> None:
        """At the end, race the finalists of these problems alone: another device takes the others."""
        self._wanted = {problem_key(problem) for problem in problems}
        self.leaders.win_only(self._wanted)

    def race_now(self) -> None:
        """Race what can be raced of every problem as soon as the device is free."""
        self._early = list(self._standings)

    @property
    def races_left(self) -> bool:
        """Whether a problem has finalists that were not raced."""
        return any(pick(standings, self._method) for standings in self._fields())

    def next_race(self) -> Job | None:
        """The next race, once the sweep is over; None where there is none, or builds have to come first.

        A row of an earlier start goes through the backlog once more, which then is no longer empty.
        """
        for standings in self._fields():
            chosen = pick(standings, self._method)
            if not chosen:
                continue
            unbuilt = [each.trial for each in chosen if each.trial.id not in self._ready]
            if unbuilt:
                self._backlog.add_for_race(unbuilt)
                return None
            return self._race(chosen, is_early=False)
        return None

    def next_early_race(self) -> Job | None:
        """The next race that somebody asked for; None where there is none, or builds have to come first."""
        while self._early:
            chosen = pick(self._standings.get(self._early[0], {}).values(), self._method)
            unbuilt = [each.trial for each in chosen if each.trial.id not in self._ready]
            self._backlog.add_for_race(unbuilt, first=True)
            if any(self._backlog.is_built_for_race(each.trial.id) for each in chosen):
                return None
            del self._early[0]
            # One that waits to be measured again has no artifact at hand, and races at the end.
            chosen = [each for each in chosen if each.trial.id in self._ready]
            if len(chosen) > 1:
                return self._race(chosen, is_early=True)
        return None

    def _fields(self) -> list[list[Standing]]:
        """Of every problem that is raced here at the end, with intervals that contain the variation between visits."""
        fields = (s for key, s in self._standings.items() if self._wanted is None or key in self._wanted)
        return [self.revisits.widen(standings.values()) for standings in fields]

    def _race(self, chosen: list[Standing], *, is_early: bool) -> Job:
        self._racing, self._raced, self._is_early = chosen, [], is_early
        ids = [each.trial.id for each in chosen]
        self._say(RaceStarted(problem=chosen[0].trial.problem, trials=ids, seconds=self._method.finalists_seconds))
        return self._job("finalists", [self._ready[each] for each in ids])

    def next_revisit(self) -> Job:
        return self._started("revisit", self.revisits.take())

    def next_examination(self) -> Job | None:
        """The next look at rows whose times stand; None where there is none, or builds have to come first."""
        group = self.leaders.next_group()
        if group is None:
            return None
        what, leaders = group
        unbuilt = [leader.trial for leader in leaders if leader.entry is None]
        if unbuilt:
            self._backlog.add_for_race(unbuilt)
            return None
        self._say(TrialStarted(trial=reference_to(leaders[0].trial), stage=what))
        return self._job(what, [leader.entry for leader in leaders if leader.entry is not None])

    def examination_over(self, job: Job, broken: str) -> None:
        """Every trial of the group was looked at, unless ``broken`` says why not."""
        self.leaders.examined(job.stage, [entry.trial for entry in job.entries])
        if job.stage == RELIABILITY:
            self.load.over(job.entries[0].trial, broken)
        elif broken:
            text = f"not every row's {job.stage} could be looked at: {broken}"
            self._say(NoticeRaised(code="examination-failed", text=text))

    def report_refused(self) -> None:
        """Say which trials can never be measured; a row of an earlier start that cannot be built again is not raced."""
        for entry in self._backlog.take_refused():
            if entry.refusal is None:
                continue
            status, cause, detail = entry.refusal
            if entry.for_race:
                self._withdraw(entry.trial)
                text = f"{_label(entry.trial)} is not raced, and its earlier figure stands: {cause}"
                self._say(NoticeRaised(code="finalist-dropped", text=text))
                continue
            self._say(
                TrialFailed(
                    trial=reference_to(entry.trial),
                    status=status,
                    cause=cause,
                    detail=detail,
                    build_seconds=self._backlog.build_seconds(entry),
                    stage="sweep" if entry.precision_percent is None else "remeasured",
                    artifact=entry.artifact or "",
                )
            )

    def outcome(self, entry: Entry, event: TrialMeasured | TrialFailed) -> None:
        """What became of a trial, of a sentinel, or of one finalist."""
        event = replace(event, build_seconds=self._backlog.build_seconds(entry), artifact=entry.artifact or "")
        if isinstance(event, TrialMeasured) and event.stage == "revisit":
            event = replace(event, process=self.revisits.process)
        self._say(event)
        if isinstance(event, TrialMeasured):
            self._measured(entry, event)
        else:
            self._failed(entry, event)

    def race_over(self, report: RaceReport, seconds: float) -> None:
        """The outcomes of the finalists, if there are any, were journaled before."""
        field, self._racing = self._racing, []
        self._say(RaceEnded(settled_by=report.settled_by, raced=self._raced, rounds=report.rounds, seconds=seconds))
        if report.broken:
            text = f"the race of {len(field)} finalists was given up, and the sweep's figures stand: {report.broken}"
            self._say(NoticeRaised(code="race-failed", text=text))
        for trial, cause in report.dropped.items():
            label = next((_label(each.trial) for each in field if each.trial.id == trial), trial)
            text = f"{label} was left out of the race, and its figure from the sweep stands: {cause}"
            self._say(NoticeRaised(code="finalist-dropped", text=text))
        if not self._is_early:  # once is enough; after an early one the end decides whether another is worth it
            for each in field:
                self._standings.pop(problem_key(each.trial.problem), None)

    def _measured(self, entry: Entry, event: TrialMeasured) -> None:
        beside = {"sentinel": self._looked, "revisit": self.revisits.revisited}.get(event.stage)
        if beside:
            beside(entry, event)
            return
        raced = event.stage == "finalists"
        if event.stage == "sweep":
            self.revisits.saw(entry, event)
        if self._method.finalists:
            self._ready[entry.trial.id] = entry
        standing = standing_of(entry.trial, event.samples_ns, self._method.confidence_percent, raced=raced)
        self._stand(standing)
        self.leaders.saw(standing, entry, is_new=True)
        if raced:
            self._raced.append(entry.trial.id)
        else:
            self._sentinels.saw(entry, event, clock.now())

    def _failed(self, entry: Entry, event: TrialFailed) -> None:
        if event.stage == "sentinel":
            self._sentinels.forget(entry.trial)
            text = f"the sentinel could not be measured again, another takes its place: {event.status}: {event.cause}"
            self._say(NoticeRaised(code="sentinel-failed", text=text))
        self.revisits.failed(event)
        if event.stage == "sweep" or event.status == "wrong":
            self._withdraw(entry.trial)

    def _started(self, stage: str, entry: Entry) -> Job:
        self._say(TrialStarted(trial=reference_to(entry.trial), stage=stage))
        return self._job(stage, [entry])

    def _job(self, stage: str, entries: list[Entry]) -> Job:
        folders = [self._folders[entry.artifact] if entry.artifact else None for entry in entries]
        return Job(stage, entries, folders)

    def _stand(self, standing: Standing) -> None:
        if not self._method.finalists:
            return
        standings = self._standings.setdefault(problem_key(standing.trial.problem), {})
        standings[standing.trial.id] = standing
        if len(standings) > 2 * len(kept := keep_best(standings.values(), self._method)):
            self._keep(standings, kept)

    def _keep(self, standings: dict[str, Standing], kept: list[Standing]) -> None:
        for trial in standings.keys() - {each.trial.id for each in kept}:
            del standings[trial]
            self._ready.pop(trial, None)

    def _withdraw(self, trial: Trial) -> None:
        self._standings.get(problem_key(trial.problem), {}).pop(trial.id, None)
        self._ready.pop(trial.id, None)
        self.leaders.withdraw(trial)
        self.revisits.withdraw(trial)

    def _looked(self, entry: Entry, event: TrialMeasured) -> None:
        drift = self._sentinels.looked(entry, event, clock.now())
        if drift is None:
            return
        again = [each for each in drift.entries if each.trial.id not in self._repeated]
        self._say(
            DriftNoticed(
                trial=event.trial,
                reference_ns=drift.reference.median,
                median_ns=drift.found.median,
                since=drift.since,
                trials=[each.trial.id for each in drift.entries],
            )
        )
        self._say(NoticeRaised(code="drift", text=_drift_text(entry.trial, drift, len(again))))
        self._repeated.update(each.trial.id for each in again)
        self._backlog.repeat(again)


def _drift_text(trial: Trial, drift: Drift, again: int) -> str:
    before, now = drift.reference.median / 1e6, drift.found.median / 1e6
    percent = 100.0 * (now - before) / before
    begin, end = (time.strftime("%H:%M:%S", time.gmtime(t)) for t in (drift.since, clock.now()))
    rows = (
        "no row was"
        if not drift.entries
        else "1 row was"
        if len(drift.entries) == 1
        else f"{len(drift.entries)} rows were"
    )
    return (
        f"drift: {_label(trial)} took {before:.6g} ms and now takes {now:.6g} ms ({percent:+.1f} %), changed between "
        f"{begin} and {end} UTC; {rows} measured meanwhile and marked, {again or 'none'} to be measured again"
    )


def _label(trial: Trial) -> str:
    return " ".join([trial.implementation, *(f"{name}={value}" for name, value in trial.configuration.items())])
