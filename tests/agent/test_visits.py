"""What second visits say of a figure: the estimate, its quantile, and the rows that are drawn for them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from math import exp
from typing import Any

import pytest

from tests.agent.agent_runs import trial
from tunetui_agent.backlog import Entry
from tunetui_agent.finalists import Standing
from tunetui_agent.messages import Method, TrialMeasured, reference_to
from tunetui_agent.revisits import CAP_SECONDS, CAP_SHARE, LARGEST_SHARE, MOST_SECONDS, Revisits, second_look
from tunetui_agent.visits import LEAST_FREEDOM, Spread, Visit, best_known, chi_square_quantile, spread_of, widened


def visit(median: float, relative_error: float) -> Visit:
    return Visit(median, median * (1 - 1.96 * relative_error), median * (1 + 1.96 * relative_error))


@pytest.mark.parametrize(
    ("freedom", "probability", "quantile"),
    [(1, 0.5, 0.45494), (6, 0.2, 3.07009), (10, 0.3, 7.26722), (24, 0.2, 18.0618), (100, 0.95, 124.342)],
)
def test_quantiles_are_those_of_the_tables(freedom: int, probability: float, quantile: float) -> None:
    assert chi_square_quantile(freedom, probability) == pytest.approx(quantile, rel=1e-5)


@pytest.mark.parametrize("trials", [6, 24])
@pytest.mark.parametrize("between", [0.0, 0.002, 0.004, 0.02])
def test_an_interval_holds_the_median_over_visits_as_often_as_it_says(trials: int, between: float) -> None:
    """Random numbers, to test the statistics: the true median of one more row, whose samples err by 0.4 %."""
    draw, held, rounds = random.Random(trials), 0, 1500

    def median() -> float:
        return exp(draw.gauss(0, between) + draw.gauss(0, 0.004))

    for _ in range(rounds):
        spread = spread_of([[visit(median(), 0.004), visit(median(), 0.004)] for _ in range(trials)], 95.0)
        assert spread
        wide = widened(visit(median(), 0.004), spread.half_width(95.0))
        held += wide.low <= 1.0 <= wide.high
    assert 0.935 <= held / rounds <= 0.99


def test_an_estimate_that_is_0_by_chance_has_a_bound_that_is_not() -> None:
    alike = [[visit(100.0, 0.01), visit(101.0, 0.01)] for _ in range(6)]
    spread = spread_of(alike, 95.0)
    assert spread
    assert spread.relative_sd == 0.0
    barely = [[visit(100.0, 0.01), visit(101.38, 0.01)] for _ in range(6)]
    spread = spread_of(barely, 95.0)
    assert spread
    assert spread.relative_sd == 0.0
    assert 0.004 < spread.half_width(95.0) / 1.96 < 0.01


def test_another_run_s_median_lies_in_an_interval_though_only_two_processes_tell_of_others() -> None:
    """Random numbers, to test the statistics: all rows of a process are off by what it holds, and by little beside."""
    draw, rounds = random.Random(4), 600
    held = {2: 0, 0: 0}
    for _ in range(rounds):
        own, *fresh, next_run = (draw.gauss(0, 0.005) for _ in range(4))

        def of(process: float, number: int = 0) -> Visit:
            return replace(visit(exp(process + draw.gauss(0, 0.001)), 0.001), process=number)

        told = [[of(own), of(fresh[row // 4], 1 + row // 4)] for row in range(8)]
        untold = [[replace(each, process=0) for each in visits] for visits in told]
        for visits in (told, untold):
            spread = spread_of(visits, 95.0)
            assert spread
            wide = widened(told[0][0], spread.half_width(95.0))
            held[spread.processes] += wide.low <= of(next_run).median <= wide.high
    assert held[2] / rounds > 0.87
    assert held[0] < held[2] - 0.05 * rounds


def test_what_is_known_of_a_problem_is_its_own_moderated_by_what_the_others_showed() -> None:
    own, others = Spread(8 * 0.0004, 0.0, 8.0, 8), Spread(16 * 0.0001, 0.0, 16.0, 16)
    of_all = Spread(own.squares + others.squares, 0.0, 24.0, 24)
    known = best_known(own, of_all)
    assert known
    assert known.relative_sd == pytest.approx(((0.0004 + 0.0001) / 2) ** 0.5), (
        "eight of its own, the others' sixteen as eight"
    )
    assert known.degrees_of_freedom == 16.0
    assert best_known(own, own) is own


def test_a_problem_with_too_few_visits_takes_those_of_all_or_nothing() -> None:
    few, many = (Spread(freedom * 0.0001, 0.0, freedom, 4) for freedom in (LEAST_FREEDOM - 1.0, 40.0))
    assert best_known(few, many) is many
    assert best_known(None, many) is many
    assert best_known(few, few) is None
    assert best_known(None, None) is None


@pytest.mark.parametrize("elsewhere", [0.5, 1.0, 2.0])
def test_intervals_hold_though_other_problems_scatter_half_or_twice_as_much(elsewhere: float) -> None:
    """Random numbers, to test the statistics: eight visits here, sixteen to other problems."""
    draw, held, rounds, between = random.Random(7), 0, 700, 0.008

    def pair(sd: float) -> list[Visit]:
        return [visit(exp(draw.gauss(0, sd) + draw.gauss(0, 0.004)), 0.004) for _ in range(2)]

    for _ in range(rounds):
        here = [pair(between) for _ in range(8)]
        known = best_known(
            spread_of(here, 95.0), spread_of(here + [pair(between * elsewhere) for _ in range(16)], 95.0)
        )
        assert known
        wide = widened(pair(between)[0], known.half_width(95.0))
        held += wide.low <= 1.0 <= wide.high
    assert held / rounds >= (0.91 if elsewhere < 1.0 else 0.935)


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
    alike = [[visit(100.0, 0.01), visit(100.5, 0.01)] for _ in range(8)]
    spread = spread_of(alike, 95.0)
    assert spread
    assert (spread.relative_sd, spread.half_width(95.0)) == (0.0, 0.0)


def test_a_trial_visited_once_says_nothing() -> None:
    assert spread_of([[visit(100.0, 0.01)], []], 95.0) is None


def test_an_interval_takes_both_errors_in_quadrature_on_either_side() -> None:
    assert widened(Visit(100.0, 97.0, 104.0), 0.0) == Visit(100.0, 97.0, 104.0)
    wide = widened(Visit(100.0, 100 * exp(-0.03), 100 * exp(0.04)), 0.04)
    assert [wide.low, wide.high] == pytest.approx([100 * exp(-0.05), 100 * exp(0.04 * 2**0.5)])
    assert widened(Visit(1.0, 0.0, 2.0), 0.1).low == 0.0


def test_what_may_be_off_by_more_than_itself_is_not_taken_for_nothing() -> None:
    library = widened(Visit(620.0, 610.0, 630.0), 1.09)
    assert library.low > 15.0, "or it would be tied with a kernel that is forty times as fast"
    assert library.high > 2 * 620.0


def test_few_visits_make_a_wider_interval_than_many() -> None:
    few, many = (spread_of([[visit(100.0, 0.001), visit(102.0, 0.001)]] * count, 95.0) for count in (6, 60))
    assert few
    assert many
    assert few.relative_sd == pytest.approx(many.relative_sd)
    assert few.half_width(95.0) > 1.15 * many.half_width(95.0)


# ---------------------------------------------------------------------------------- which rows


def measured(
    name: str,
    seconds: float = 0.1,
    samples: list[int] | None = None,
    *,
    tags: list[str] | None = None,
    place: dict[str, Any] | None = None,
) -> tuple[Entry, TrialMeasured]:
    entry = Entry(replace(trial(name), **(place or {})))
    event = TrialMeasured(
        trial=reference_to(entry.trial), samples_ns=samples or [100] * 10, stopped_by="precision", warmups=1, quality={},
        build_seconds=None, seconds=seconds, sampling_seconds=seconds, verify_seconds=0.0, tags=tags or [],
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


@pytest.mark.parametrize(("rows", "visits"), [(1, 8), (2, 8), (5, 8), (8, 8), (100, 8), (400, 20), (2000, 32)])
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
    assert 400 * LARGEST_SHARE == 100
    assert 400 * CAP_SHARE == 120
    assert len(visits) == 5, "too few for an estimate after 100 s, so they go on until 120 s are over"


def test_second_visits_end_earlier_where_there_are_enough_for_an_estimate() -> None:
    visits = drawn(swept(Revisits(Method()), 400, seconds=1.0), seconds=10.0)
    assert len(visits) == 11, "100 s are free: the eleventh visit exceeds them"


def several(seconds: float = 0.05, **method: Any) -> Revisits:
    """Two kernels with 20 rows and a library with one, on three problems; a row took ``seconds``."""
    revisits = Revisits(Method(**method))
    for n in (10, 20, 30):
        for name in ("cuda", "mojo"):
            for number in range(20):
                row = {"implementation": name, "problem": {"n": n}, "id": f"{name}{n}{number}"}
                revisits.saw(*measured("x", seconds, place=row))
        row = {"implementation": "cupy", "problem": {"n": n}, "id": f"cupy{n}"}
        revisits.saw(*measured("x", 0.5, tags=["baseline"], place=row))
    return revisits


def visited(revisits: Revisits, seconds: dict[str, float]) -> list[tuple[str, int]]:
    found = []
    while revisits.next():
        entry = revisits.take()
        name, problem = entry.trial.implementation, entry.trial.problem
        revisits.revisited(entry, measured("x", seconds[name])[1])
        found.append((name, int(problem["n"])))
    return found


CHEAP = {"cuda": 0.01, "mojo": 0.01, "cupy": 0.01}


def test_second_visits_go_round_problems_and_implementations_and_libraries_come_last() -> None:
    made = visited(several(), CHEAP)
    assert Counter(made) == {(name, n): 8 for name in CHEAP for n in (10, 20, 30)}
    assert Counter(made[:12]) == {(name, n): 2 for name in ("cuda", "mojo") for n in (10, 20, 30)}
    assert [name for name, _ in made[48:]] == ["cupy"] * 24


def test_a_slow_library_gets_what_an_estimate_needs_and_takes_nothing_from_the_kernels() -> None:
    made = Counter(name for name, _ in visited(several(), {**CHEAP, "cupy": 2.0}))
    assert made == {"cuda": 24, "mojo": 24, "cupy": LEAST_FREEDOM}
    assert 2.0 * LEAST_FREEDOM <= CAP_SECONDS


def test_a_problem_with_few_second_visits_is_judged_by_those_of_all_problems() -> None:
    revisits = several()
    for _ in range(12):
        assert revisits.next()
        entry = revisits.take()
        revisits.revisited(entry, measured("x", 0.01, [103] * 10)[1])
    cuda, cupy = (replace(trial("x"), implementation=name, problem={"n": 10}) for name in ("cuda", "cupy"))
    spread = revisits.spread(cuda)
    assert spread
    assert spread.degrees_of_freedom == 6
    assert revisits.spread(cupy) is None, "kernels say nothing of a library"


def starts(revisits: Revisits, seconds: float) -> list[int]:
    """Before which visits a fresh process was begun, where starting one takes so long."""
    found, count = list[int](), 0
    while revisits.next():
        if revisits.begins_turn(100.0):
            found.append(count)
            revisits.process_ready(100.0 + seconds)
        revisits.take()
        count += 1
    return found


def test_two_fresh_processes_share_the_second_visits_unless_starting_one_is_dear() -> None:
    assert starts(several(), 0.5) == [0, 24]
    assert starts(several(), 3.0) == [0]


@pytest.mark.parametrize(("row_seconds", "processes"), [(0.05, 2), (0.2, 3), (0.3, 4), (5.0, 4)])
def test_a_longer_sweep_has_more_fresh_processes_for_its_second_visits(row_seconds: float, processes: int) -> None:
    assert len(starts(several(row_seconds), 0.5)) == processes


def test_a_second_visit_is_short() -> None:
    assert second_look(Method(max_seconds=2.0)) == Method(max_seconds=MOST_SECONDS)
    assert second_look(Method(max_seconds=0.1)) == Method(max_seconds=0.1)


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
    for _ in range(LEAST_FREEDOM):
        assert revisits.spread(drawn_entry.trial) is None
        revisits.revisited(drawn_entry, event)
    assert revisits.spread(drawn_entry.trial) == Spread(0.0, 0.0, LEAST_FREEDOM, 1)


def test_contenders_of_a_race_are_widened_by_what_visits_showed() -> None:
    revisits = swept(Revisits(Method()), 1)
    entry, event = measured("0", samples=[110] * 10)
    standing = Standing(entry.trial, 100.0, 99.0, 101.0)
    for _ in range(LEAST_FREEDOM):
        assert revisits.widen([standing]) == [standing]
        revisits.revisited(entry, event)
    (wide,) = revisits.widen([standing])
    assert wide.low < 99.0
    assert wide.high > 101.0
    assert replace(wide, low=99.0, high=101.0) == standing
