"""What second visits say of a figure: the estimate, its quantile, and the rows that are drawn for them."""

from __future__ import annotations

import random
from dataclasses import replace
from math import exp

import pytest

from tests.agent.agent_runs import trial
from tunetui_agent.backlog import Entry
from tunetui_agent.finalists import Standing
from tunetui_agent.messages import Method, TrialMeasured, reference_to
from tunetui_agent.revisits import LARGEST_SHARE, Revisits
from tunetui_agent.visits import Spread, Visit, spread_of, t_quantile, widened


def visit(median: float, relative_error: float) -> Visit:
    return Visit(median, median * (1 - 1.96 * relative_error), median * (1 + 1.96 * relative_error))


@pytest.mark.parametrize(
    ("freedom", "confidence", "quantile"),
    [(1, 95.0, 12.7062), (2, 95.0, 4.30265), (8, 95.0, 2.30600), (30, 99.0, 2.75000), (1000, 95.0, 1.96234), (1, 99.9, 636.619)],
)  # fmt: skip
def test_quantiles_are_those_of_the_tables(freedom: int, confidence: float, quantile: float) -> None:
    assert t_quantile(freedom, confidence) == pytest.approx(quantile, rel=1e-5)


def test_the_spread_between_visits_is_found_beside_the_samples_own_errors() -> None:
    draw, squares = random.Random(1), []
    for _ in range(300):
        trials = [
            [visit(level * exp(draw.gauss(0, 0.01) + draw.gauss(0, 0.004)), 0.004) for _ in range(2)]
            for level in (draw.uniform(10, 60) for _ in range(10))
        ]
        spread = spread_of(trials, 95.0)
        assert spread
        squares.append(spread.relative_sd**2)
    assert (sum(squares) / len(squares)) ** 0.5 == pytest.approx(0.01, rel=0.05)


def test_visits_that_differ_by_less_than_their_samples_say_have_no_spread() -> None:
    assert spread_of([[visit(100.0, 0.01), visit(100.5, 0.01)]], 95.0) == Spread(0.0, 1, 1)


def test_a_trial_visited_once_says_nothing() -> None:
    assert spread_of([[visit(100.0, 0.01)], []], 95.0) is None


def test_an_interval_takes_both_errors_in_quadrature_on_either_side() -> None:
    assert widened(Visit(100.0, 97.0, 104.0), 0.0) == Visit(100.0, 97.0, 104.0)
    wide = widened(Visit(100.0, 97.0, 104.0), 0.04)
    assert (wide.low, wide.high) == (95.0, pytest.approx(100 + 32**0.5))
    assert widened(Visit(1.0, 0.5, 2.0), 9.0).low == 0.0


def test_two_thirds_of_few_visits_make_a_wider_interval_than_of_many() -> None:
    assert Spread(0.01, 4, 1).half_width(95.0) > 1.3 * Spread(0.01, 40, 30).half_width(95.0)


# ---------------------------------------------------------------------------------- which rows


def measured(name: str, seconds: float = 0.1, samples: list[int] | None = None) -> tuple[Entry, TrialMeasured]:
    entry = Entry(trial(name))
    event = TrialMeasured(
        trial=reference_to(entry.trial), samples_ns=samples or [100] * 10, stopped_by="precision", warmups=1, quality={},
        build_seconds=None, seconds=seconds, sampling_seconds=seconds, verify_seconds=0.0,
    )  # fmt: skip
    return entry, event


def swept(revisits: Revisits, count: int, seconds: float = 0.1) -> Revisits:
    for number in range(count):
        revisits.saw(*measured(str(number), seconds))
    return revisits


def drawn(revisits: Revisits, seconds: float = 0.0) -> list[str]:
    found = []
    while revisits.next():
        entry = revisits.take()
        revisits.revisited(entry, measured(str(entry.trial.configuration["how"]), seconds)[1])
        found.append(entry.trial.id)
    return found


@pytest.mark.parametrize(("rows", "visits"), [(1, 4), (2, 8), (5, 8), (8, 8), (100, 8), (400, 20), (2000, 32)])
def test_as_many_rows_are_visited_again_as_an_estimate_needs(rows: int, visits: int) -> None:
    assert len(drawn(swept(Revisits(Method()), rows))) == visits


def test_the_same_seed_draws_the_same_rows_and_another_seed_others() -> None:
    first, again = (drawn(swept(Revisits(Method(seed=1)), 200)) for _ in range(2))
    assert first == again
    assert set(drawn(swept(Revisits(Method(seed=2)), 200))) != set(first)


def test_nothing_is_visited_again_where_nobody_asked_for_it() -> None:
    assert drawn(swept(Revisits(Method(revisit_percent=0.0)), 200)) == []


def test_second_visits_end_with_their_share_of_the_sweep() -> None:
    visits = drawn(swept(Revisits(Method()), 400, seconds=1.0), seconds=25.0)
    assert len(visits) == 3, "60 s are free: the third visit exceeds them"
    assert 400 * LARGEST_SHARE == 60


def test_a_row_without_a_figure_is_not_visited_again() -> None:
    revisits = swept(Revisits(Method()), 3)
    revisits.withdraw(trial("1"))
    assert trial("1").id not in drawn(revisits)


def test_a_row_that_turned_out_wrong_leaves_the_queue() -> None:
    revisits = swept(Revisits(Method()), 2)
    assert revisits.next()
    revisits.withdraw(trial("0"))
    assert set(drawn(revisits)) == {trial("1").id}


def test_a_row_measured_again_by_the_sweep_begins_anew() -> None:
    revisits = swept(Revisits(Method()), 1)
    revisits.saw(*measured("0", samples=[200] * 10))
    drawn_entry, event = measured("0", samples=[200] * 10)
    revisits.revisited(drawn_entry, event)
    assert revisits.spread(drawn_entry.trial) == Spread(0.0, 1, 1)


def test_contenders_of_a_race_are_widened_by_what_visits_showed() -> None:
    revisits = swept(Revisits(Method()), 1)
    entry, event = measured("0", samples=[110] * 10)
    standing = Standing(entry.trial, 100.0, 99.0, 101.0)
    assert revisits.widen([standing]) == [standing]
    revisits.revisited(entry, event)
    (wide,) = revisits.widen([standing])
    assert wide.low < 99.0
    assert wide.high > 101.0
    assert replace(wide, low=99.0, high=101.0) == standing
