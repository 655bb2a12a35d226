"""Second visits in the fold and in a board."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.core.journals import agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.events import Record, TrialsQueued
from tunetui.core.publishing import build_leaderboard
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui_agent.messages import TrialFailed
from tunetui_agent.visits import chi_square_quantile

OPENING = [
    app(0, planned(grid={"name": "quick", "targets": {"latency_ms.median": "< 1.02"}})),
    app(1, TrialsQueued(trials=[ref(1), ref(2), ref(3)])),
    agent(0, agent_started()),
    agent(1, device_found()),
]


def around(centre: int) -> list[int]:
    """Thirty samples whose median's interval is a few parts in a million wide."""
    return [centre + i for i in range(-15, 15)]


SWEPT = [agent(2, measured(1, around(1_000_000))), agent(3, measured(2, around(1_010_000)))]


def run_of(*more: Any) -> Run:
    records: list[Record] = [*OPENING, *SWEPT, *(agent(9 + n, event) for n, event in enumerate(more))]
    return fold(Run(), records)


def again(number: int, centre: int) -> Any:
    return measured(number, around(centre), stage="revisit")


def scattered(number: int = 1, centre: int = 1_000_000, by: int = 10_000) -> list[Any]:
    """Six second visits, whose medians lie 1 % to either side of the first."""
    return [again(number, centre + side * by) for side in (-1, 1) * 3]


def test_a_second_visit_leaves_the_row_as_it_is() -> None:
    assert run_of(again(1, 1_020_000)).rows == run_of().rows
    visits = run_of(again(1, 1_020_000)).visits[ref(1).id]
    assert [visit.median for visit in visits] == [999_999.5, 1_019_999.5]


def test_without_second_visits_intervals_are_those_of_the_samples_and_the_board_says_so() -> None:
    leaderboard = build_leaderboard(run_of())
    (board,) = leaderboard.boards
    assert (board.visits, leaderboard.method.visits) == ([], "")
    assert [row.rank for row in board.rows] == ["1", "2"]
    assert all(row.latency_ms and row.latency_ms.visit_low is None for row in board.rows)
    assert [verdict.verdict for verdict in board.targets] == ["met"]


def test_every_interval_contains_what_second_visits_showed_and_its_own_is_kept_beside() -> None:
    leaderboard = build_leaderboard(run_of(*scattered(), again(2, 1_010_000)))
    (board,) = leaderboard.boards
    (visits,) = board.visits
    squares = 6 * 0.01**2  # six visits 1 % from their mean, and a row whose two visits agree
    assert (visits.implementation, visits.rows, visits.revisits, visits.scope) == ("numpy", 2, 7, "problem")
    assert visits.sd_percent == pytest.approx(100 * (squares / 7) ** 0.5, rel=0.01)
    half_width = 1.96 * (squares / chi_square_quantile(7, 0.3)) ** 0.5
    assert visits.half_width_percent == pytest.approx(100 * half_width, rel=0.01)
    first = board.rows[0].latency_ms
    assert first
    assert first.ci_low is not None
    assert first.visit_low is not None
    assert -math.log(first.ci_low) == pytest.approx(half_width, rel=0.01)
    assert 1 - first.visit_low < 1e-4
    assert "7 second visits to 2 rows" in leaderboard.method.visits


def test_too_few_second_visits_widen_nothing_and_both_board_and_method_say_so() -> None:
    leaderboard = build_leaderboard(run_of(again(1, 1_200_000)))
    (board,) = leaderboard.boards
    (visits,) = board.visits
    assert (visits.sd_percent, visits.half_width_percent, visits.revisits) == (None, None, 1)
    assert visits.reason == "n/a: only 1 second visit, and an estimate needs 6"
    assert all(row.latency_ms and row.latency_ms.visit_low is None for row in board.rows)
    assert [row.rank for row in board.rows] == ["1", "2"]
    assert "of numpy there are fewer than 6" in leaderboard.method.visits


def test_a_problem_with_too_few_takes_what_all_problems_of_the_implementation_showed() -> None:
    other = ref(7, problem={"corpus_size": 77})
    first = measured(7, around(500_000), trial=other)
    once = measured(7, around(502_000), trial=other, stage="revisit")
    queued = app(2, TrialsQueued(trials=[ref(1), ref(2), ref(3), other]))
    later = [agent(9 + n, event) for n, event in enumerate([first, once, *scattered()])]
    run = fold(Run(), [*OPENING, queued, *SWEPT, *later])
    board = {len(each.rows): each for each in build_leaderboard(run).boards}
    (own,), (pooled,) = board[2].visits, board[1].visits
    assert (own.scope, own.revisits) == ("problem", 6)
    assert (pooled.scope, pooled.revisits, pooled.rows) == ("implementation", 7, 2)
    assert pooled.half_width_percent
    (row,) = board[1].rows
    assert row.latency_ms
    assert row.latency_ms.visit_low is not None


def test_rows_that_a_second_visit_could_exchange_are_tied() -> None:
    (board,) = build_leaderboard(run_of(*scattered())).boards
    assert [row.rank for row in board.rows] == ["1=", "1="]


def test_a_target_is_judged_with_the_variation_between_visits() -> None:
    (board,) = build_leaderboard(run_of(*scattered(by=20_000))).boards
    assert [verdict.verdict for verdict in board.targets] == ["undecided"]


def test_what_visits_showed_of_one_implementation_widens_no_other() -> None:
    other = measured(3, around(1_005_000), trial=ref(3, implementation="mojo"))
    (board,) = build_leaderboard(run_of(other, *scattered())).boards
    (mojo,) = [row for row in board.rows if row.implementation == "mojo"]
    assert mojo.latency_ms
    assert mojo.latency_ms.visit_low is None


def test_a_row_measured_again_by_a_sweep_forgets_its_visits() -> None:
    assert run_of(again(1, 1_020_000), measured(1, around(1_000_000))).visits == {}


def test_a_second_visit_that_finds_the_output_wrong_takes_the_figure() -> None:
    wrong = TrialFailed(trial=ref(1), status="wrong", cause="off", stage="revisit")
    run = run_of(again(1, 1_020_000), wrong)
    assert run.rows[ref(1).id].status == "wrong"
    (board,) = build_leaderboard(run).boards
    assert board.visits == []


def test_a_second_visit_that_fails_otherwise_leaves_the_figure() -> None:
    crashed = TrialFailed(trial=ref(1), status="crashed", cause="SIGSEGV", stage="revisit")
    assert run_of(crashed).rows == run_of().rows


def latency_of(number: int, *more: Any, **telemetry: Any) -> Any:
    """A row's latency in the board, with telemetry of its own."""
    row = measured(number, around(1_000_000), telemetry=telemetry)
    (board,) = build_leaderboard(run_of(*more, row)).boards
    return next(entry.latency_ms for entry in board.rows if entry.trial == ref(number).id)


def test_a_row_whose_places_differ_more_than_visits_do_has_the_wider_interval() -> None:
    quiet, wide = latency_of(3), latency_of(3, placement_sd_percent=1.0)
    assert quiet.visit_high is None
    assert wide.ci_high - wide.median == pytest.approx(0.0196, rel=0.01)
    assert wide.visit_high == quiet.ci_high


def test_places_that_differ_less_than_visits_do_widen_nothing() -> None:
    assert latency_of(3, *scattered(), placement_sd_percent=0.01) == latency_of(3, *scattered())
