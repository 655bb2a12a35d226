from __future__ import annotations

import pytest

from tests.core.journals import PROBLEM, agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.decoding import decode_grid, grid_to_dict
from tunetui.core.definitions import Compare
from tunetui.core.errors import InputError
from tunetui.core.events import PlannedKernel, ProvenanceRecorded, Record, RunFinished, TrialsQueued, TrialsStaled
from tunetui.core.leaderboard import CLAIM_NOTE, FIRST_VERSION, THIRD_VERSION
from tunetui.core.publishing import build_leaderboard
from tunetui.core.run import fold
from tunetui.core.snapshot import LOOKS_KEPT, Run
from tunetui_agent.messages import (
    DriftNoticed,
    NoticeRaised,
    RaceEnded,
    RaceStarted,
    TrialExamined,
    TrialFailed,
    TrialStarted,
)

FAST, SLOW = [1_000_000 + i for i in range(30)], [2_000_000 + i for i in range(30)]

RECORDS = [
    app(0, planned(grid={"name": "quick", "targets": {"latency_ms.p95": "< 50"}, "budget": {"usd": None}})),
    app(1, ProvenanceRecorded(id="p" * 16, fields={"compiler": "1.0", "driver": None})),
    app(2, TrialsQueued(trials=[ref(n) for n in range(1, 6)])),
    agent(0, agent_started()),
    agent(1, device_found()),
    agent(2, measured(2, SLOW)),
    agent(3, measured(1, FAST)),
    agent(4, TrialFailed(trial=ref(3), status="wrong", cause="recall 0.2\nmore", quality={"recall": 0.2})),
    agent(5, measured(4, [3, 4])),
    agent(6, NoticeRaised(code="noisy", text="load 4")),
    app(3, RunFinished(reason="done"), 2000.0),
]


def run_of(records: list[Record] | None = None) -> Run:
    return fold(Run(), RECORDS if records is None else records)


def test_rows_are_ranked_first_and_failures_stand_below_with_their_cause() -> None:
    (board,) = build_leaderboard(run_of()).boards
    # two samples are apart from nobody, so the row leads a group of its own with all that it cannot be told from
    assert [(row.trial[-1], row.rank, row.status) for row in board.rows] == [
        ("4", "1=", "measured"),
        ("1", "1=", "measured"),
        ("2", "1=", "measured"),
        ("3", None, "wrong"),
    ]
    wrong = board.rows[-1]
    assert (wrong.cause, wrong.tie_group, wrong.latency_ms) == ("recall 0.2\nmore", None, None)
    assert wrong.unavailable == {"latency_ms": "n/a: recall 0.2"}


def test_a_clear_winner_is_alone_in_its_group() -> None:
    records = [r for r in RECORDS if r.event != RECORDS[8].event]
    (board,) = build_leaderboard(run_of(records)).boards
    assert board.winner == [ref(1).id]
    assert [row.rank for row in board.rows] == ["1", "2", None]


def test_of_equal_medians_the_smaller_id_stands_first_whatever_order_they_came_in() -> None:
    for trials in ((1, 2), (2, 1)):
        records = [*RECORDS[:5], *(agent(2 + place, measured(trial, FAST)) for place, trial in enumerate(trials))]
        (board,) = build_leaderboard(run_of(records)).boards
        assert [row.trial[-1] for row in board.rows] == ["1", "2"], trials


def test_figures_are_in_their_units_and_computed_from_the_median() -> None:
    (board,) = build_leaderboard(run_of()).boards
    row = next(row for row in board.rows if row.trial == ref(2).id)
    assert row.latency_ms is not None
    assert (row.latency_ms.median, row.latency_ms.min, row.latency_ms.n) == (2.0000145, 2.0, 30)
    assert (row.latency_ms.ci_low, row.latency_ms.ci_high) == (2.000009, 2.00002)
    assert row.metrics["throughput_vectors_per_s"] == pytest.approx(1000 / 2.0000145e-3)
    assert row.samples_ns == SLOW
    assert row.figures["latency_ms.median"] == 2.0000145
    assert row.figures["quality.recall"] == 1.0
    assert row.figures["tile_rows"] == 2


def test_the_method_says_what_was_raced_and_what_looking_for_drift_showed() -> None:
    assert (build_leaderboard(run_of()).method.race, build_leaderboard(run_of()).method.drift) == ("", "")
    looks = [agent(7, measured(1, FAST, stage="sentinel")), agent(8, measured(1, SLOW, stage="sentinel"))]
    drift = DriftNoticed(trial=ref(1), reference_ns=1e6, median_ns=2e6, since=1000.0, trials=[ref(2).id])
    race = [
        agent(10, RaceStarted(problem=PROBLEM, trials=[ref(1).id, ref(2).id], seconds=10.0)),
        agent(11, measured(1, FAST, stage="finalists")),
        agent(12, measured(2, SLOW, stage="finalists")),
        agent(13, RaceEnded(settled_by="order", raced=[ref(1).id, ref(2).id])),
    ]
    method = build_leaderboard(run_of([*RECORDS, *looks, agent(9, drift), *race])).method
    assert method.race == (
        "2 finalists measured again in turns, in one race for each problem; those samples alone are theirs; "
        "1 settled when every interval was apart from the leader's"
    )
    assert method.drift == "sentinels measured again 2 times, medians within 100 % of each other; 1 drift noticed"


def test_more_looks_than_are_kept_are_not_counted_as_fewer() -> None:
    looks = [agent(7 + n, measured(1, FAST, stage="sentinel")) for n in range(LOOKS_KEPT + 1)]
    method = build_leaderboard(run_of([*RECORDS, *looks])).method
    assert method.drift.startswith(f"sentinels measured again at least {LOOKS_KEPT} times")


def test_looks_at_different_sentinels_are_not_compared_with_each_other() -> None:
    looks = [agent(7, measured(1, FAST, stage="sentinel")), agent(8, measured(2, SLOW, stage="sentinel"))]
    method = build_leaderboard(run_of([*RECORDS, *looks])).method
    assert method.drift == "sentinels measured again 2 times, medians within 0 % of each other; no drift noticed"


def test_a_figure_that_does_not_exist_is_absent_with_its_reason() -> None:
    (board,) = build_leaderboard(run_of()).boards
    row = board.rows[0]
    assert row.latency_ms is not None
    assert row.latency_ms.ci_low is None
    assert row.unavailable["latency_ms.ci_low"] == "n/a: an interval needs at least 6 samples, has 2"


def test_a_formula_that_cannot_be_computed_is_not_a_number() -> None:
    kernel = planned().kernel
    metrics = {"odd": "1 / (tile_rows - 1)", "none": "mystery + 1", "fine": "1.0 / seconds"}
    changed = planned(kernel=type(kernel)(name="k", metrics=metrics))
    (board,) = build_leaderboard(run_of([app(0, changed), *RECORDS[1:]])).boards
    rows = {row.trial[-1]: row for row in board.rows}
    assert set(rows["1"].metrics) == {"fine"}
    assert "division by zero" in rows["1"].unavailable["metrics.odd"]
    assert rows["2"].metrics["odd"] == 1.0
    assert "mystery" in rows["2"].unavailable["metrics.none"]


def test_every_figure_that_cannot_be_computed_has_its_own_reason() -> None:
    metrics = {"odd": "1e308 * 1e308 if tile_rows == 2 else 1 // (tile_rows - 1)"}
    changed = planned(kernel=type(planned().kernel)(name="k", metrics=metrics))
    (board,) = build_leaderboard(run_of([app(0, changed), *RECORDS[1:]])).boards
    reasons = {row.trial[-1]: row.unavailable.get("metrics.odd", "") for row in board.rows}
    assert "division by zero" in reasons["1"]
    assert reasons["2"] == "n/a: not a finite number"


ENERGY_PER_QUERY = {"energy_mj_per_query": "energy_mj / queries", "queries_per_s": "queries / seconds"}


def with_energy(**telemetry: float | str) -> list[Record]:
    kernel = PlannedKernel(name="search", source_hashes={}, metrics=ENERGY_PER_QUERY)
    return [
        app(0, planned(kernel=kernel, grid={"name": "quick", "targets": {"energy_mj_per_query": "< 5"}})),
        app(1, TrialsQueued(trials=[ref(1), ref(2)])),
        agent(0, agent_started()),
        agent(1, device_found()),
        agent(2, measured(1, FAST)),
        agent(3, measured(2, SLOW)),
        agent(4, TrialExamined(trial=ref(1).id, what="energy", telemetry=dict(telemetry))),
    ]


def test_a_metric_of_the_energy_is_there_for_rows_that_were_examined_and_has_its_reason_elsewhere() -> None:
    (board,) = build_leaderboard(run_of(with_energy(energy_mj=3.5))).boards
    first, second = board.rows
    assert first.metrics["energy_mj_per_query"] == 3.5
    assert first.latency_ms is not None
    assert first.latency_ms.n == len(FAST)
    assert "energy_mj_per_query" not in second.metrics
    assert second.unavailable["metrics.energy_mj_per_query"] == (
        "n/a: its energy was not measured (method.energy says whose is)"
    )
    assert "queries_per_s" in second.metrics
    assert [verdict.verdict for verdict in board.targets] == ["met"]


def test_why_the_energy_of_a_row_could_not_be_measured_is_said() -> None:
    (board,) = build_leaderboard(run_of(with_energy(energy_reason="n/a: it did not move"))).boards
    assert board.rows[0].unavailable["metrics.energy_mj_per_query"] == "n/a: it did not move"
    assert board.targets[0].verdict == "undecided"
    assert board.targets[0].reason == "n/a: it did not move"


def test_the_parts_around_the_boards_say_where_it_comes_from() -> None:
    leaderboard = build_leaderboard(run_of())
    assert leaderboard.boards[0].judged, "several lead: that says which of them was judged, since version 3"
    assert (leaderboard.schema_version, leaderboard.generator) == (THIRD_VERSION, "tunetui 0.1.0")
    alone = build_leaderboard(run_of(), targets=[])
    assert alone.schema_version == FIRST_VERSION
    assert (leaderboard.run.ended, leaderboard.run.finished) == ("done", "1970-01-01T00:33:20.000Z")
    assert (leaderboard.run.trials_planned, leaderboard.run.trials_measured, leaderboard.run.trials_failed) == (5, 3, 1)
    assert leaderboard.run.grid["budget"] == {}
    assert leaderboard.success_rate == 0.75
    (device,) = leaderboard.devices
    assert (device.id, device.host, device.compilers) == ("cpu", "here", {"python": "3.11.9"})
    assert leaderboard.method.eviction == "64 MiB"
    assert leaderboard.provenances == {"p" * 16: {"compiler": "1.0"}}
    assert [(n.code, n.text) for n in leaderboard.notices] == [("noisy", "load 4")]


def test_targets_are_judged_for_every_problem_also_one_without_a_measurement() -> None:
    other = PROBLEM | {"corpus_size": 2000}
    records = [app(0, planned(problems=[other, PROBLEM], grid=RECORDS[0].event.grid)), *RECORDS[1:]]  # type: ignore[union-attr]
    boards = build_leaderboard(run_of(records)).boards
    assert [board.problem["corpus_size"] for board in boards] == [2000, 1000]
    assert [board.targets[0].verdict for board in boards] == ["undecided", "undecided"]
    assert boards[0].targets[0].reason == "n/a: nothing was measured for this problem"
    assert "needs at least 72 samples" in boards[1].targets[0].reason


def test_a_comparison_is_labelled_as_a_claim() -> None:
    claim = Compare(label="V1", simulated=True, latency_ms=2.99, facts={"corpus_size": 3651})
    (compare,) = build_leaderboard(run_of(), compare=[claim]).compare
    assert (compare.label, compare.simulated, compare.latency_ms, compare.note) == ("V1", True, 2.99, CLAIM_NOTE)


def test_a_claim_of_the_grid_keeps_every_fact_that_its_author_stated() -> None:
    text = 'name = "g"\nkernel = "k"\n[compare]\nlabel = "V1"\nsimulated = true\nlatency_ms = 2.99\ncorpus_size = 3651\ndims = 128\n'
    grid = grid_to_dict(decode_grid(text, "g.toml"))
    (claim,) = build_leaderboard(run_of([app(0, planned(grid=grid)), *RECORDS[1:]])).compare
    assert (claim.label, claim.simulated, claim.latency_ms) == ("V1", True, 2.99)
    assert claim.facts == {"corpus_size": 3651, "dims": 128}


def test_stale_rows_stand_below_the_board_of_their_problem_and_are_not_tried_trials() -> None:
    reason = "device changed: A -> B"
    records = [*RECORDS[:8], app(4, TrialsStaled(reasons={ref(1).id: reason}))]
    leaderboard = build_leaderboard(run_of(records))
    (board,) = leaderboard.boards
    assert [(row.trial[-1], row.rank, row.cause) for row in board.rows if row.status == "stale"] == [
        ("1", None, reason)
    ]
    assert board.success_rate == 0.5


def test_a_trial_still_at_work_is_no_row() -> None:
    (board,) = build_leaderboard(run_of([*RECORDS[:5], agent(2, TrialStarted(trial=ref(1)))])).boards
    assert (board.rows, board.success_rate, board.winner) == ([], None, [])


def test_the_same_journal_gives_the_same_leaderboard() -> None:
    assert build_leaderboard(run_of()) == build_leaderboard(run_of())


def test_a_run_without_a_plan_has_no_leaderboard() -> None:
    with pytest.raises(InputError, match="no plan"):
        build_leaderboard(Run())
