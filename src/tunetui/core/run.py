"""The fold: from the journal's records to the state of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec

from tunetui.core.attendance import came, hosts_priced, is_there
from tunetui.core.draft import Draft
from tunetui.core.events import (
    AgentPlaced,
    HostsPriced,
    ProvenanceRecorded,
    Record,
    RunFinished,
    RunPlanned,
    RunResumed,
    TrialsDealt,
    TrialsQueued,
    TrialsStaled,
    UnknownEvent,
)
from tunetui.core.found import FOUND
from tunetui.core.loaded import LOADED
from tunetui.core.packing import NAN
from tunetui.core.snapshot import (
    LOOKS_KEPT,
    MEASURED,
    NOTICES_KEPT,
    QUEUED,
    RUNNING,
    STALE,
    TELEMETRY_KEPT,
    Agent,
    Counts,
    Happening,
    Look,
    Notice,
    Placed,
    Progress,
    Race,
    Row,
    Run,
    Telemetry,
    problem_key,
)
from tunetui.core.statistics import interval_ranks
from tunetui.core.steered import STEERED
from tunetui.core.visiting import note_visit
from tunetui_agent.messages import (
    AgentStarted,
    BuildFinished,
    BuildStarted,
    CommandAccepted,
    DriftNoticed,
    NoticeRaised,
    RaceEnded,
    RaceProgressed,
    RaceStarted,
    RunEnded,
    TelemetrySampled,
    TrialExamined,
    TrialFailed,
    TrialMeasured,
    TrialProgressed,
    TrialStarted,
    Visit,
)

__all__ = ["MEASURED", "QUEUED", "RUNNING", "STALE", "Counts", "Notice", "Row", "Run", "apply", "fold", "problem_key"]

DRIFTED = "drifted"
"""The tag of rows that were measured while the device changed."""


def apply(run: Run, record: Record) -> Run:
    """The run after one more record."""
    return fold(run, (record,))


def fold(run: Run, records: Iterable[Record]) -> Run:
    """The run after these records, in order; equal to applying them one by one, and faster."""
    draft = Draft(run)
    for record in records:
        draft.updated = record.t
        _HANDLERS[type(record.event)](draft, record, record.event)
    return draft.finish()


# ---------------------------------------------------------------------------------- the app's events


def _run_planned(draft: Draft, record: Record, event: RunPlanned) -> None:
    draft.drop_running(draft.running)  # an agent serves one plan
    draft.changes |= {"races": {}, "raced": {}}
    draft.plan_number += 1
    draft.statuses = dict.fromkeys(draft.statuses, 0)
    draft.best.clear()
    draft.unsure.clear()
    draft.changes["plan"] = event
    draft.value("suffixes").update(event.models)
    draft.confidence = float(event.method.get("confidence_percent", 95.0)) / 100.0
    if draft.value("started") is None:
        draft.changes["started"] = record.t
    _begin(draft, record)
    draft.say(record, f"planned {event.trials} trials")


def _run_resumed(draft: Draft, record: Record, event: RunResumed) -> None:
    if not event.attached:
        draft.drop_running(draft.running)
        draft.changes |= {"building": {}, "races": {}}
    _begin(draft, record)
    draft.say(record, "re-attached" if event.attached else "resumed")


def _begin(draft: Draft, record: Record) -> None:
    draft.changes |= {"resumed": record.t, "ended": None, "ended_at": None}
    draft.finished, draft.first_finished_at = 0, None


def _provenance_recorded(draft: Draft, _record: Record, event: ProvenanceRecorded) -> None:
    draft.value("provenances")[event.id] = event.fields


def _trials_queued(draft: Draft, _record: Record, event: TrialsQueued) -> None:
    draft.value("suffixes").update(event.models)
    for ref in event.trials:
        old = draft.rows.get(ref.id)
        if old is not None and old.status in {MEASURED, STALE}:  # its figures stay in view until there are new ones
            draft.put(old.but(plan=draft.plan_number))
        else:
            draft.put(draft.row_of(ref, status=QUEUED, plan=draft.plan_number))
    for trial in event.kept:
        if (old := draft.rows.get(trial)) is not None:
            draft.put(old.but(plan=draft.plan_number))


def _agent_placed(draft: Draft, record: Record, event: AgentPlaced) -> None:
    placed = Placed(host=event.host, device=event.device, model=event.model, alone=event.alone, t=record.t)
    draft.value("placed")[event.agent] = placed


def _trials_dealt(_draft: Draft, _record: Record, _event: TrialsDealt) -> None:
    """Whose they are is a matter of the session; to the run they are queued."""


def _trials_staled(draft: Draft, record: Record, event: TrialsStaled) -> None:
    for trial, reason in event.reasons.items():
        if (old := draft.rows.get(trial)) is not None:
            draft.put(old.but(status=STALE, cause=reason))
    draft.say(record, f"{len(event.reasons)} rows are stale")


def _run_finished(draft: Draft, record: Record, event: RunFinished) -> None:
    draft.changes |= {"ended": event, "ended_at": record.t}
    draft.say(record, f"{event.reason}: {event.detail}" if event.detail else event.reason)


def _unknown_event(draft: Draft, _record: Record, _event: UnknownEvent) -> None:
    draft.changes["unknown"] = draft.value("unknown") + 1


# ---------------------------------------------------------------------------------- the agent's events


def _agent_started(draft: Draft, record: Record, event: AgentStarted) -> None:
    came(draft, record)
    draft.drop_running((record.source,))
    draft.value("races").pop(record.source, None)
    draft.value("agents")[record.source] = Agent(
        source=record.source,
        epoch=event.epoch,
        host=event.host,
        platform=event.platform,
        python=event.python,
        version=event.version,
        started=record.t,
    )
    draft.say(record, f"agent {event.version} on {event.host}")


def _command_accepted(_draft: Draft, _record: Record, _event: CommandAccepted) -> None:
    """A matter between agent and session; the state of the run is the same."""


def _build_started(draft: Draft, _record: Record, event: BuildStarted) -> None:
    building = draft.value("building")
    building[event.implementation] = building.get(event.implementation, 0) + len(event.artifacts)


def _build_finished(draft: Draft, record: Record, event: BuildFinished) -> None:
    outcome = "failed" if not event.ok else "cached" if event.cached else "finished"
    builds, building = draft.value("builds"), draft.value("building")
    builds[outcome] = builds.get(outcome, 0) + 1
    building[event.implementation] = max(building.get(event.implementation, 0) - 1, 0)
    if not event.ok:
        draft.say(record, f"{event.implementation}: build failed")


def _trial_started(draft: Draft, record: Record, event: TrialStarted) -> None:
    draft.running.pop(record.source, None)  # so that the trial begun last stands last
    draft.running[record.source] = Progress(trial=event.trial.id, started=record.t, stage=event.stage)
    old = draft.rows.get(event.trial.id)
    if old is None or old.status not in {MEASURED, STALE}:  # figures stay in view until there are new ones
        draft.put(draft.row_of(event.trial, status=RUNNING))


def _trial_progressed(draft: Draft, record: Record, event: TrialProgressed) -> None:
    progress = draft.running.get(record.source)
    if progress is not None and progress.trial == event.trial:
        draft.running[record.source] = msgspec.structs.replace(
            progress, samples=event.samples, median_ns=event.median_ns, half_width_percent=event.half_width_percent
        )


def _trial_measured(draft: Draft, record: Record, event: TrialMeasured) -> None:
    draft.running.pop(record.source, None)
    draft.log.append(Happening(t=record.t, kind="TrialMeasured", text=event.stage, trial=event.trial.id))
    ordered = sorted(event.samples_ns)
    n = len(ordered)
    low, high = interval_ranks(n, 0.5, draft.confidence)
    median_ns = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    ci_low_ns = None if low is None else float(ordered[low])
    ci_high_ns = None if high is None else float(ordered[high])
    if event.stage == "sentinel":  # watches for drift beside the sweep; the row keeps the sweep's figures
        look = Look(t=record.t, trial=event.trial.id, median_ns=median_ns, ci_low_ns=ci_low_ns, ci_high_ns=ci_high_ns)
        looks, board = draft.value("sentinels"), (problem_key(event.trial.problem), draft.device_of(record.source))
        looks[board] = (*looks.get(board, ())[1 - LOOKS_KEPT :], look)
        return
    if event.stage == "revisit":  # tells what a second visit changes; the row keeps the figures of its first
        if ci_low_ns is not None and ci_high_ns is not None:
            note_visit(draft, event.trial.id, Visit(median_ns, ci_low_ns, ci_high_ns, event.process))
        return
    if event.stage == "sweep":
        draft.value("visits").pop(event.trial.id, None)
        draft.value("loads").pop(event.trial.id, None)
    ends = (NAN if ci_low_ns is None else ci_low_ns, NAN if ci_high_ns is None else ci_high_ns)
    draft.put_measured(record, event, (median_ns, *ends))
    if event.stage == "sweep":  # a race begins when no trial is missing: it says nothing of what remains
        draft.count_finished(record.t)


def _trial_failed(draft: Draft, record: Record, event: TrialFailed) -> None:
    draft.running.pop(record.source, None)
    draft.say(record, f"{event.status}: {event.cause}", event.trial.id)
    if event.stage != "sweep" and event.status != "wrong":  # the figure that the row has was verified: it stands
        return
    row = draft.row_of(
        event.trial,
        status=event.status,
        device=draft.device_of(record.source),
        quality=event.quality,
        build_seconds=event.build_seconds,
        seconds=event.seconds,
        artifact=event.artifact,
        cause=event.cause,
        detail=event.detail,
        measured_at=record.t,
        told_at=record.at,
    )
    draft.put(row)
    if event.stage == "sweep":
        draft.count_finished(record.t)


def _trial_examined(draft: Draft, record: Record, event: TrialExamined) -> None:
    draft.running.pop(record.source, None)
    row = draft.rows.get(event.trial)
    if row is None or row.status != MEASURED:
        return
    known = row.evidence
    figures = {"resources": {**known.resources, **event.resources}, "telemetry": {**known.telemetry, **event.telemetry}}
    draft.put(row.but(**figures))
    draft.log.append(Happening(t=record.t, kind="TrialExamined", text=event.what, trial=event.trial))


def _race_started(draft: Draft, record: Record, event: RaceStarted) -> None:
    draft.value("races")[record.source] = Race(
        problem=event.problem, trials=event.trials, limit_seconds=event.seconds, started=record.t
    )
    draft.say(record, f"{len(event.trials)} finalists race")


def _race_progressed(draft: Draft, record: Record, event: RaceProgressed) -> None:
    races = draft.value("races")
    if record.source in races:
        race = races[record.source]
        races[record.source] = msgspec.structs.replace(race, samples=event.samples, seconds=event.seconds)


def _race_ended(draft: Draft, record: Record, event: RaceEnded) -> None:
    race = draft.value("races").pop(record.source, None)
    if race is not None:
        draft.value("raced")[problem_key(race.problem)] = event.settled_by
    draft.say(record, f"race of {len(event.raced)} finalists, settled by {event.settled_by}")


def _drift_noticed(draft: Draft, _record: Record, event: DriftNoticed) -> None:
    for trial in event.trials:
        row = draft.rows.get(trial)
        if row is not None and row.status == MEASURED and DRIFTED not in row.tags:
            draft.put(row.but(tags=[*row.tags, DRIFTED]))
    sentinels = draft.value("sentinels")
    for board, looks in sentinels.items():
        if board[0] == problem_key(event.trial.problem) and looks[-1].trial == event.trial.id:
            sentinels[board] = (*looks[:-1], msgspec.structs.replace(looks[-1], drifted=True))


def _telemetry_sampled(draft: Draft, record: Record, event: TelemetrySampled) -> None:
    is_there(draft, record)
    reasons = event.throttle_reasons
    sample = Telemetry(t=record.t, source=record.source, figures=event.figures, throttle_reasons=reasons)
    draft.changes["telemetry"] = (*draft.value("telemetry")[1 - TELEMETRY_KEPT :], sample)


def _notice_raised(draft: Draft, record: Record, event: NoticeRaised) -> None:
    notices: tuple[Notice, ...] = draft.value("notices")
    times = 1
    for notice in notices:
        if (notice.code, notice.text, notice.source) == (event.code, event.text, record.source):
            times = notice.times + 1
            notices = tuple(other for other in notices if other is not notice)
            break
    said = Notice(code=event.code, text=event.text, source=record.source, t=record.t, times=times)
    draft.changes["notices"] = (*notices[1 - NOTICES_KEPT :], said)
    draft.say(record, event.text)


def _run_ended(draft: Draft, record: Record, event: RunEnded) -> None:
    is_there(draft, record)
    draft.drop_running((record.source,))
    draft.value("races").pop(record.source, None)
    draft.changes["paused"] = tuple(p for p in draft.value("paused") if p != record.source)
    agents = draft.value("agents")
    if record.source in agents:
        agents[record.source] = msgspec.structs.replace(agents[record.source], ended=event.reason)
    draft.say(record, f"agent ended: {event.reason}" + (f": {event.detail}" if event.detail else ""))


_HANDLERS = cast(
    "dict[type[Any], Callable[[Draft, Record, Any], None]]",
    {
        RunPlanned: _run_planned,
        RunResumed: _run_resumed,
        ProvenanceRecorded: _provenance_recorded,
        TrialsQueued: _trials_queued,
        TrialsStaled: _trials_staled,
        AgentPlaced: _agent_placed,
        TrialsDealt: _trials_dealt,
        HostsPriced: hosts_priced,
        RunFinished: _run_finished,
        UnknownEvent: _unknown_event,
        AgentStarted: _agent_started,
        **FOUND,
        CommandAccepted: _command_accepted,
        BuildStarted: _build_started,
        BuildFinished: _build_finished,
        TrialStarted: _trial_started,
        TrialProgressed: _trial_progressed,
        TrialMeasured: _trial_measured,
        TrialFailed: _trial_failed,
        TrialExamined: _trial_examined,
        RaceStarted: _race_started,
        RaceProgressed: _race_progressed,
        RaceEnded: _race_ended,
        DriftNoticed: _drift_noticed,
        TelemetrySampled: _telemetry_sampled,
        NoticeRaised: _notice_raised,
        RunEnded: _run_ended,
        **STEERED,
        **LOADED,
    },
)
