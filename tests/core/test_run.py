from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.journals import AGENT, PROBLEM, agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.events import (
    ProvenanceRecorded,
    Record,
    RunFinished,
    RunResumed,
    TrialsQueued,
    TrialsStaled,
    UnknownEvent,
)
from tunetui.core.run import apply, fold
from tunetui.core.snapshot import LOG_KEPT, NOTICES_KEPT, TELEMETRY_KEPT, Run
from tunetui_agent.messages import (
    FAILURES,
    BuildFinished,
    BuildStarted,
    DriftNoticed,
    NoticeRaised,
    RaceEnded,
    RaceProgressed,
    RaceStarted,
    RunEnded,
    TelemetrySampled,
    TrialFailed,
    TrialProgressed,
    TrialStarted,
)


def failed(number: int, status: str = "wrong", stage: str = "sweep") -> TrialFailed:
    return TrialFailed(trial=ref(number), status=status, cause="recall 0.2", seconds=0.1, stage=stage)


def race_started(members: list[int]) -> RaceStarted:
    return RaceStarted(problem=PROBLEM, trials=[ref(number).id for number in members], seconds=10.0)


def drift(number: int, members: list[int]) -> DriftNoticed:
    ids = [ref(each).id for each in members]
    return DriftNoticed(trial=ref(number), reference_ns=10.0, median_ns=20.0, since=1000.0, trials=ids)


OPENING = (
    app(0, planned()),
    app(1, TrialsQueued(trials=[ref(1), ref(2)])),
    agent(0, agent_started()),
    agent(1, device_found()),
)

numbers = st.integers(1, 5)
app_events = st.one_of(
    st.builds(planned),
    st.builds(
        TrialsQueued, trials=st.lists(st.builds(ref, numbers)), kept=st.lists(st.builds(lambda n: ref(n).id, numbers))
    ),
    st.builds(
        TrialsStaled, reasons=st.dictionaries(st.builds(lambda n: ref(n).id, numbers), st.just("compiler changed"))
    ),
    st.builds(RunResumed, tunetui_version=st.just("0.1.0"), command=st.just("x"), attached=st.booleans()),
    st.builds(RunFinished, reason=st.sampled_from(["done", "interrupted"])),
    st.just(ProvenanceRecorded(id="p" * 16, fields={"compiler": "1.0"})),
)
agent_events = st.one_of(
    st.builds(agent_started),
    st.builds(device_found),
    st.builds(TrialStarted, trial=st.builds(ref, numbers)),
    st.builds(
        TrialProgressed,
        trial=st.builds(lambda n: ref(n).id, numbers),
        samples=st.integers(0, 9),
        median_ns=st.just(5.0),
        half_width_percent=st.none(),
    ),
    st.builds(
        measured,
        numbers,
        st.lists(st.integers(1, 9), min_size=1, max_size=8),
        stage=st.sampled_from(["sweep", "finalists", "sentinel"]),
    ),
    st.builds(failed, numbers, st.sampled_from(FAILURES), st.sampled_from(["sweep", "finalists", "sentinel"])),
    st.builds(race_started, st.lists(numbers, min_size=2, max_size=3)),
    st.builds(RaceProgressed, samples=st.integers(0, 9), seconds=st.just(0.5)),
    st.builds(RaceEnded, settled_by=st.sampled_from(["order", "nothing"]), raced=st.just([])),
    st.builds(drift, numbers, st.lists(numbers, max_size=3)),
    st.builds(BuildStarted, implementation=st.just("mojo"), artifacts=st.just(["a", "b"])),
    st.builds(
        BuildFinished,
        implementation=st.just("mojo"),
        artifact=st.just("a"),
        ok=st.booleans(),
        seconds=st.just(0.5),
        cached=st.booleans(),
    ),
    st.builds(TelemetrySampled, figures=st.just({"load": 0.5})),
    st.builds(NoticeRaised, code=st.sampled_from(["noisy", "slow"]), text=st.just("text")),
    st.builds(RunEnded, reason=st.just("done")),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    events = draw(st.lists(st.one_of(app_events.map(lambda e: ("app", e)), agent_events.map(lambda e: (AGENT, e)))))
    records: list[Record] = []
    for number, (source, event) in enumerate(events):
        t = 1000.0 + number
        records.append(app(number, event, t) if source == "app" else agent(number, event, t))
    return [*OPENING, *records]


@given(journals(), st.data())
def test_replay_equals_live_however_the_records_are_batched(records: list[Record], data: st.DataObject) -> None:
    live = Run()
    for record in records:
        live = apply(live, record)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=4)))
    batched = Run()
    for begin, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        batched = fold(batched, records[begin:end])
    assert fold(Run(), records) == live
    assert batched == live


@given(journals())
def test_counts_and_best_are_what_a_look_at_all_rows_finds(records: list[Record]) -> None:
    run = fold(Run(), records)
    rows = run.current_rows()
    assert run.counts.total == len(rows)
    assert run.counts.measured == sum(row.status == "measured" for row in rows)
    assert run.counts.failed == sum(row.status in FAILURES for row in rows)
    assert run.counts.stale == sum(row.status == "stale" for row in rows)
    assert run.counts.running == sum(row.status == "running" for row in rows)
    for (problem, device), best in run.best.items():
        rivals = [r for r in rows if r.status == "measured" and (r.problem_key, r.device) == (problem, device)]
        assert run.rows[best].median_ns == min(r.median_ns for r in rivals if r.median_ns is not None)
    assert len({(r.problem_key, r.device) for r in rows if r.status == "measured"}) == len(run.best)


def test_the_snapshot_before_is_not_changed() -> None:
    before = fold(Run(), OPENING)
    rows, counts, agents = dict(before.rows), before.counts, dict(before.agents)
    after = apply(before, agent(2, measured(1, [5, 6, 7])))
    assert (before.rows, before.counts, before.agents) == (rows, counts, agents)
    assert after.rows[ref(1).id].status == "measured"
    assert before.rows[ref(1).id].status == "queued"


def test_a_measured_trial_has_its_figures_device_and_raw_samples() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [9, 4, 5, 6, 7, 8]), 1234.5)])
    row = run.rows[ref(1).id]
    assert list(row.samples_ns) == [9, 4, 5, 6, 7, 8]
    assert (row.median_ns, row.ci_low_ns, row.ci_high_ns) == (6.5, 4.0, 9.0)
    assert (row.device, row.measured_at, row.times_measured) == ("cpu", 1234.5, 1)
    assert run.best_row(PROBLEM, "cpu") == row


def test_five_samples_are_too_few_for_an_interval_and_the_row_does_not_claim_one() -> None:
    row = fold(Run(), [*OPENING, agent(2, measured(1, [1, 2, 3, 4, 5]))]).rows[ref(1).id]
    assert (row.ci_low_ns, row.ci_high_ns) == (None, None)


def test_a_row_measured_again_replaces_the_older_one() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6)), agent(3, measured(2, [20] * 6))])
    assert run.best_row(PROBLEM, "cpu") == run.rows[ref(1).id]
    run = apply(run, agent(4, measured(1, [30] * 6, stage="finalists")))
    assert run.rows[ref(1).id].median_ns == 30
    assert run.rows[ref(1).id].times_measured == 2
    assert run.best_row(PROBLEM, "cpu") == run.rows[ref(2).id]
    assert run.counts.measured == 2


def test_a_sentinel_does_not_touch_the_row_that_it_repeats() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6))])
    assert apply(run, agent(3, measured(1, [99] * 6, stage="sentinel"))).rows == run.rows


def test_looks_at_a_sentinel_are_kept_apart_and_the_one_that_drifted_is_marked() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6)), agent(3, measured(2, [20] * 6))])
    run = apply(run, agent(4, measured(1, [10] * 6, stage="sentinel")))
    run = fold(run, [agent(5, measured(1, [15] * 6, stage="sentinel"), 1300.0), agent(6, drift(1, [2]))])
    ((board, looks),) = run.sentinels.items()
    assert board == (run.rows[ref(1).id].problem_key, "cpu")
    assert [(look.median_ns, look.drifted) for look in looks] == [(10, False), (15, True)]
    assert (looks[1].t, looks[1].ci_low_ns, looks[1].ci_high_ns) == (1300.0, 15, 15)
    assert run.rows[ref(1).id].tags == []
    assert run.rows[ref(2).id].tags == ["drifted"]
    run = apply(run, agent(7, measured(2, [30] * 6)))
    assert run.rows[ref(2).id].tags == []


def test_a_race_is_in_view_while_it_goes_on_and_its_figures_replace_the_sweeps() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6)), agent(3, measured(2, [10] * 6))])
    assert (run.counts.done, run.finished_since_resumed, run.race) == (2, 2, None)
    run = fold(run, [agent(4, race_started([1, 2])), agent(5, RaceProgressed(samples=15, seconds=1.5))])
    assert run.race is not None
    assert (run.race.trials, run.race.samples, run.race.seconds) == ([ref(1).id, ref(2).id], 15, 1.5)
    raced = [agent(6, measured(1, [12] * 9, stage="finalists")), agent(7, measured(2, [11] * 9, stage="finalists"))]
    run = fold(run, [*raced, agent(8, RaceEnded(settled_by="order", raced=[ref(1).id, ref(2).id]))])
    assert [(row.stage, row.median_ns, row.times_measured) for row in run.rows.values()] == [
        ("finalists", 12, 2), ("finalists", 11, 2),
    ]  # fmt: skip
    assert (run.counts.done, run.counts.total, run.finished_since_resumed, run.race) == (2, 2, 2, None)
    assert run.best_row(PROBLEM, "cpu") == run.rows[ref(2).id]
    assert list(run.raced.values()) == ["order"]


def test_a_race_that_its_agent_did_not_end_is_over_when_the_agent_is() -> None:
    run = fold(Run(), [*OPENING, agent(2, race_started([1, 2]))])
    assert run.race is not None
    assert apply(run, agent(3, RunEnded(reason="cancelled"))).race is None
    assert apply(run, app(2, RunResumed(tunetui_version="0.1.0", command="x"))).race is None


@pytest.mark.parametrize("stage", ["finalists", "sentinel"])
def test_a_figure_stands_when_its_trial_cannot_be_measured_once_more_but_not_when_it_turns_out_wrong(
    stage: str,
) -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6))])
    assert apply(run, agent(3, failed(1, "crashed", stage))).rows == run.rows
    wrong = apply(run, agent(3, failed(1, "wrong", stage)))
    assert (wrong.rows[ref(1).id].status, wrong.rows[ref(1).id].median_ns, wrong.best) == ("wrong", None, {})
    assert wrong.finished_since_resumed == run.finished_since_resumed


def test_rows_of_an_earlier_plan_are_kept_but_not_current_until_the_new_plan_keeps_them() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6))])
    run = apply(run, app(2, planned()))
    assert (run.counts.total, run.best, list(run.rows)) == (0, {}, [ref(1).id, ref(2).id])
    run = apply(run, app(3, TrialsQueued(trials=[ref(3)], kept=[ref(1).id])))
    assert [row.trial for row in run.current_rows()] == [ref(1).id, ref(3).id]
    assert (run.counts.measured, run.counts.queued) == (1, 1)
    assert run.best_row(PROBLEM, "cpu") == run.rows[ref(1).id]


def test_a_stale_row_keeps_its_figures_in_view_where_the_agent_that_began_it_dies() -> None:
    stale = app(3, TrialsStaled(reasons={ref(1).id: "driver changed"}))
    before = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6)), stale])
    run = fold(before, [agent(3, TrialStarted(trial=ref(1))), app(4, planned()), app(5, TrialsQueued(trials=[ref(1)]))])
    assert run.present is None
    assert (run.rows[ref(1).id].status, run.rows[ref(1).id].median_ns) == ("stale", 10)


def test_a_stale_row_says_why_and_leaves_the_best_until_measured_again() -> None:
    run = fold(Run(), [*OPENING, agent(2, measured(1, [10] * 6))])
    run = apply(run, app(2, TrialsStaled(reasons={ref(1).id: "compiler changed: 1.0 -> 1.1"})))
    row = run.rows[ref(1).id]
    assert (row.status, row.cause, run.best) == ("stale", "compiler changed: 1.0 -> 1.1", {})
    run = apply(run, app(3, TrialsQueued(trials=[ref(1)])))
    assert run.rows[ref(1).id].status == "stale"
    run = apply(run, agent(3, measured(1, [12] * 6)))
    assert (run.rows[ref(1).id].status, run.counts.stale) == ("measured", 0)


@pytest.mark.parametrize("status", FAILURES)
def test_a_failed_trial_is_an_outcome_with_its_cause_and_never_the_best(status: str) -> None:
    run = fold(Run(), [*OPENING, agent(2, failed(1, status))])
    row = run.rows[ref(1).id]
    assert (row.status, row.cause, run.best) == (status, "recall 0.2", {})
    assert (run.counts.failed, run.counts.done) == (1, 1)


def test_live_progress_belongs_to_the_trial_on_the_device_and_ends_with_it() -> None:
    progressed = TrialProgressed(trial=ref(1).id, samples=31, median_ns=5.0, half_width_percent=1.8)
    run = fold(Run(), [*OPENING, agent(2, TrialStarted(trial=ref(1))), agent(3, progressed)])
    assert run.present is not None
    assert (run.present.samples, run.present.half_width_percent) == (31, 1.8)
    assert run.counts.running == 1
    assert apply(run, agent(4, measured(1, [5] * 6))).present is None


def test_a_trial_in_hand_when_tunetui_was_killed_is_queued_again_on_resume() -> None:
    run = fold(Run(), [*OPENING, agent(2, TrialStarted(trial=ref(1)))])
    attached = apply(run, app(2, RunResumed(tunetui_version="0.1.0", command="", attached=True)))
    assert attached.rows[ref(1).id].status == "running"
    resumed = apply(run, app(2, RunResumed(tunetui_version="0.1.0", command="")))
    assert (resumed.rows[ref(1).id].status, resumed.present) == ("queued", None)


def test_the_end_is_known_and_forgotten_when_the_run_goes_on() -> None:
    run = fold(Run(), [*OPENING, app(2, RunFinished(reason="interrupted", detail="Ctrl-C"), 1100.0)])
    assert run.ended == RunFinished(reason="interrupted", detail="Ctrl-C")
    assert run.ended_at == 1100.0
    assert apply(run, app(3, RunResumed(tunetui_version="0.1.0", command=""))).ended is None


def test_the_same_notice_is_kept_once_with_its_count() -> None:
    notice = NoticeRaised(code="noisy", text="load 4.2")
    run = fold(Run(), [agent(n, notice, 1000.0 + n) for n in range(3)])
    assert [(n.code, n.times, n.t) for n in run.notices] == [("noisy", 3, 1002.0)]


def test_a_flood_of_records_does_not_grow_the_snapshot_without_bound() -> None:
    flood: list[Any] = [agent(n, NoticeRaised(code="c", text=str(n))) for n in range(NOTICES_KEPT + 50)]
    flood += [agent(n, TelemetrySampled(figures={"load": 1.0})) for n in range(TELEMETRY_KEPT + 50)]
    run = fold(Run(), flood)
    assert (len(run.notices), len(run.telemetry), len(run.log)) == (NOTICES_KEPT, TELEMETRY_KEPT, LOG_KEPT)


def test_a_record_of_an_unknown_kind_is_counted_and_changes_nothing_else() -> None:
    run = fold(Run(), OPENING)
    after = apply(run, Record(AGENT, 9, run.updated or 0.0, UnknownEvent(kind="TrialTeleported")))
    assert after.unknown == 1
    assert after.rows == run.rows
