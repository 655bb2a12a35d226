"""Runs under load: kept from records, read out of bins, cut short, and judged."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.journals import agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.events import Record, TrialsQueued
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.load_publishing import POINTS
from tunetui.core.loads import interval_ns, load_words, quantile_ns
from tunetui.core.publishing import build_leaderboard
from tunetui.core.readiness import readiness
from tunetui.core.records import RecordError
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.core.statistics import interval_ranks
from tunetui_agent.messages import RunEnded, TrialFailed, TrialStarted
from tunetui_agent.messages import reliability as load

TRIAL = ref(1).id
GRID = {"name": "quick", "reliability": {"seconds": 300.0}, "targets": {"reliability_p99_ms": "< 2"}}


def stretch(seconds: float, times_ns: dict[int, int], **changes: Any) -> load.ReliabilitySampled:
    fields: dict[str, Any] = {
        "trial": TRIAL, "asked_seconds": 300.0, "seconds": seconds, "executions": 2 * sum(times_ns.values()),
        "executing_seconds": 0.9, "bins": [load.bin_of(t) for t in times_ns], "counts": list(times_ns.values()),
        "worst_ns": max(times_ns, default=0), "verified": 3,
        "telemetry": {"clock_mhz": 2000.0 + seconds, "temperature_c": 40.0 + seconds, "noise": "steal"},
    }  # fmt: skip
    return load.ReliabilitySampled(**(fields | changes))


def run_of(*events: Any, grid: dict[str, Any] = GRID) -> Run:
    start = [
        app(0, planned(grid=grid)), app(1, TrialsQueued(trials=[ref(1)])), agent(0, agent_started()),
        agent(1, device_found()), agent(2, measured(1, [1_000_000 + i for i in range(30)])),
        agent(3, TrialStarted(trial=ref(1), stage="reliability")),
    ]  # fmt: skip
    records: list[Record] = [*start, *(agent(4 + place, event) for place, event in enumerate(events))]
    return fold(Run(), records)


def board_of(*events: Any, grid: dict[str, Any] = GRID) -> Leaderboard:
    return build_leaderboard(run_of(*events, grid=grid))


DONE = load.ReliabilityEnded(trial=TRIAL, reason="done")
GOOD = [stretch(float(second), {1_000_000: 900, 1_500_000: 90, 1_900_000: 1}) for second in range(1, 4)]


def test_stretches_add_up_to_one_run_under_load() -> None:
    (board,) = board_of(*GOOD, DONE).boards
    (part,) = board.reliability
    assert (part.complete, part.reason, part.trial) == (True, "", TRIAL)
    assert (part.executions, part.timed, part.verified) == (6 * 991, 3 * 991, 9)
    assert part.p50_ms == pytest.approx(1.0, rel=0.002)
    assert part.p99_ms == pytest.approx(1.5, rel=0.002)
    assert part.worst_ms == 1.9
    assert [(point.seconds, point.clock_mhz, point.temperature_c) for point in part.series] == [
        (1.0, 2001.0, 41.0), (2.0, 2002.0, 42.0), (3.0, 2003.0, 43.0),
    ]  # fmt: skip
    assert {verdict.metric: verdict.verdict for verdict in board.targets} == {
        "reliability_p99_ms": "met", "reliability_failures": "met",
    }  # fmt: skip


def test_one_that_somebody_ended_is_cut_short_and_decides_only_what_cannot_get_better() -> None:
    grid = {
        **GRID,
        "targets": {"reliability_worst_ms": "< 1", "reliability_p99_ms": "< 2", "reliability_errors": "< 2"},
    }
    stopped = load.ReliabilityEnded(trial=TRIAL, reason="stopped", cause="somebody asked for the end")
    shown = board_of(*GOOD, stopped, grid=grid)
    (board,) = shown.boards
    assert board.reliability[0].reason == "cut short after 3 of 300 s: somebody asked for the end"
    assert [verdict.verdict for verdict in board.targets] == ["missed", "undecided", "undecided", "undecided"]
    assert "cut short" in board.targets[1].reason
    assert readiness(shown, board) == (
        "not ready: reliability_worst_ms missed, reliability_p99_ms undecided, reliability_errors undecided, "
        "reliability_failures undecided"
    )


def test_one_whose_agent_died_or_was_cancelled_is_cut_short_too() -> None:
    run = run_of(*GOOD)
    assert load_words(run.loads, TRIAL).startswith("under load: 3 of 300 s, 5,946 executions, p99 1.50 ms, no failure")
    assert build_leaderboard(run).boards[0].reliability[0].reason == "still under way, 3 of 300 s"
    cancelled = board_of(*GOOD, RunEnded(reason="cancelled")).boards[0].reliability[0]
    assert (cancelled.complete, cancelled.reason) == (False, "cut short after 3 of 300 s: the agent was cancelled")
    others = [agent(9, agent_started(epoch="e2"))]
    died = build_leaderboard(fold(run, others)).boards[0].reliability[0]
    assert died.reason == "cut short after 3 of 300 s: its agent was gone"


def test_a_later_run_under_load_begins_anew_and_a_new_measurement_forgets_it() -> None:
    again = [*GOOD, stretch(1.0, {5_000_000: 10})]
    (part,) = board_of(*again).boards[0].reliability
    assert (part.executions, part.worst_ms) == (20, 5.0)
    assert board_of(*GOOD, DONE, measured(1, [5, 6, 7])).boards[0].reliability == []


def test_a_crash_is_an_error_and_a_wrong_result_costs_the_rank() -> None:
    crashed = load.ReliabilityEnded(trial=TRIAL, reason="failed", cause="killed by SIGSEGV", errors=1)
    (board,) = board_of(*GOOD, crashed).boards
    assert [(verdict.metric, verdict.verdict) for verdict in board.targets][1] == ("reliability_failures", "missed")
    wrong = [
        stretch(4.0, {}, wrong=1, causes=["wrong: off by 1"]),
        TrialFailed(trial=ref(1), status="wrong", cause="under load: off by 1", stage="reliability"),
    ]
    (board,) = board_of(*GOOD, *wrong).boards
    assert (board.winner, board.rows[0].status, board.reliability[0].wrong) == ([], "wrong", 1)
    assert board.reliability[0].causes == ["wrong: off by 1"]


def test_a_row_that_was_not_run_under_load_is_not_ready() -> None:
    shown = board_of()
    assert readiness(shown, shown.boards[0]) == (
        "not ready: reliability_p99_ms undecided, reliability_failures undecided"
    )
    assert shown.boards[0].targets[0].reason == "n/a: it was not run under load"


def test_a_long_series_is_thinned_without_losing_what_went_wrong() -> None:
    many = [stretch(float(n), {1_000_000: 5}, errors=int(n == 77), worst_ns=1_000_000 + n) for n in range(1, 301)]
    (part,) = board_of(*many, DONE).boards[0].reliability
    assert len(part.series) == POINTS
    assert (sum(point.errors for point in part.series), part.errors) == (1, 1)
    assert sum(point.executions for point in part.series) == part.executions
    assert part.series[-1].worst_ms == part.worst_ms == 1.0003


def test_a_quantiles_interval_is_that_of_its_ranks_and_of_very_many_executions_nearly_so() -> None:
    times = {load.bin_of(1e6 * 1.01**n): 100 for n in range(100)}
    low, high = interval_ns(times, 0.99, 0.95)
    ranks = interval_ranks(10_000, 0.99, 0.95)
    assert ranks[0] is not None
    assert ranks[1] is not None
    assert low == pytest.approx(1e6 * 1.01 ** (ranks[0] // 100), rel=0.003)
    assert high == pytest.approx(1e6 * 1.01 ** (ranks[1] // 100), rel=0.003)
    many = {number: 10_000 * count for number, count in times.items()}
    assert quantile_ns(many, 0.99) == quantile_ns(times, 0.99)
    wide = interval_ns(many, 0.99, 0.95)
    ends = [low, *wide, high]
    assert None not in ends
    assert ends == sorted(end for end in ends if end is not None), "many executions leave less to doubt"
    assert (quantile_ns({}, 0.5), interval_ns({}, 0.5, 0.95)) == (None, (None, None))


@pytest.mark.parametrize(
    "wrong",
    [
        {"bins": [1, 2]}, {"counts": [0]}, {"bins": [10**9]}, {"bins": [-1]}, {"executions": -1}, {"executing_seconds": -1.0},
        {"worst_ns": -5}, {"errors": -1},
    ],
)  # fmt: skip
def test_a_stretch_that_no_agent_writes_is_refused(wrong: dict[str, Any]) -> None:
    assert agent(0, stretch(1.0, {1_000: 3})).event
    with pytest.raises(RecordError, match="ReliabilitySampled"):
        agent(0, stretch(1.0, {1_000: 3}, **wrong))
