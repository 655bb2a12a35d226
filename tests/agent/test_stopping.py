from __future__ import annotations

import random
from statistics import median

import pytest

from tunetui_agent.messages import Method
from tunetui_agent.noise import is_bimodal, noise_reasons
from tunetui_agent.stopping import fewest_samples, interval_rank, median_interval, next_check, stop_reason


@pytest.mark.parametrize(("n", "rank"), [(5, None), (6, 1), (9, 2), (10, 2), (20, 6), (30, 10), (50, 18), (100, 40)])
def test_ranks_are_those_of_the_published_table(n: int, rank: int | None) -> None:
    # Conover (1999), table of the binomial; the same values as in R's DescTools::MedianCI(method="exact").
    assert interval_rank(n, 95.0) == rank


def test_a_higher_confidence_never_gives_a_narrower_interval() -> None:
    for n in range(12, 300, 7):
        low, high = interval_rank(n, 90.0), interval_rank(n, 99.0)
        assert low is not None
        assert high is not None
        assert high <= low


def test_the_interval_of_thousands_of_samples_does_not_overflow() -> None:
    rank = interval_rank(50_000, 95.0)
    assert rank is not None
    assert abs(rank - (25_000 - 1.96 * 50_000**0.5 / 2)) < 3


@pytest.mark.parametrize("n", [10, 25, 60])
@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_holds_the_true_median_as_often_as_it_says(n: int, skewed: bool) -> None:
    rng = random.Random(7 * n + skewed)

    def draw() -> float:
        return rng.lognormvariate(0.0, 1.0) if skewed else rng.gauss(1.0, 0.1)

    held = 0
    for _ in range(2000):
        found = median_interval([draw() for _ in range(n)], 95.0)
        assert found is not None
        held += found.low <= 1.0 <= found.high
    # The exact interval holds at least 95 %; 3 standard errors of 2000 draws are 1.5 points.
    assert held / 2000 >= 0.95 - 0.015


def test_looking_again_and_again_costs_less_coverage_at_growing_counts() -> None:
    method = Method(precision_percent=3.0, min_samples=10, max_samples=300, max_seconds=1e9)

    def held(grow: bool) -> int:
        rng, total = random.Random(11), 0
        for _ in range(600):
            samples: list[float] = []
            reason = None
            while reason is None:
                goal = next_check(len(samples), method) if grow else max(len(samples) + 1, 10)
                samples += [rng.lognormvariate(0.0, 0.12) for _ in range(goal - len(samples))]
                reason = stop_reason(samples, method, 0.0)
            found = median_interval(samples, 95.0)
            assert found is not None
            total += found.low <= 1.0 <= found.high
        return total

    growing, every = held(True), held(False)
    assert growing > every
    assert growing / 600 > 0.85  # what docs/measuring.md says that looking costs, with room for chance


def test_the_interval_lies_around_the_median_and_in_the_samples() -> None:
    samples = [5.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 4.0, 6.0]
    found = median_interval(samples, 95.0)
    assert found is not None
    assert (found.low, found.median, found.high) == (2.0, median(samples), 8.0)
    assert found.half_width_percent == pytest.approx(60.0)


def test_precision_is_named_before_the_budgets() -> None:
    method = Method(min_samples=6, max_samples=10)
    assert stop_reason([100.0] * 10, method, 99.0) == "precision"


def test_too_wide_an_interval_ends_at_the_budgets_only() -> None:
    method = Method(min_samples=6, max_samples=20, max_seconds=2.0)
    wide = [float(value) for value in range(1, 11)]
    assert stop_reason(wide, method, 0.5) is None
    assert stop_reason(wide, method, 2.0) == "max_seconds"
    assert stop_reason(wide * 2, method, 0.5) == "max_samples"


def test_fewer_samples_than_asked_never_stop_for_precision() -> None:
    assert stop_reason([1.0] * 9, Method(min_samples=10), 0.0) is None


def test_checks_come_at_growing_counts_up_to_the_limit() -> None:
    method = Method(min_samples=10, max_samples=40)
    checks, n = [], 0
    while n < 40:
        n = next_check(n, method)
        checks.append(n)
    assert checks == [10, 13, 17, 22, 28, 35, 40]


def test_a_limit_below_the_minimum_is_still_the_limit() -> None:
    assert next_check(0, Method(min_samples=10, max_samples=4)) == 4


@pytest.mark.parametrize("seed", range(5))
def test_one_heap_of_samples_is_not_bimodal(seed: int) -> None:
    rng = random.Random(seed)
    assert not is_bimodal([rng.gauss(100.0, 5.0) for _ in range(60)])
    assert not is_bimodal([rng.uniform(90.0, 110.0) for _ in range(60)])


def test_two_clocks_are_bimodal_whatever_the_order() -> None:
    rng = random.Random(3)
    samples = [rng.gauss(100.0, 0.5) for _ in range(30)] + [rng.gauss(120.0, 0.5) for _ in range(30)]
    rng.shuffle(samples)
    assert is_bimodal(samples)


def test_a_single_outlier_is_not_a_second_group() -> None:
    assert not is_bimodal([100.0 + i / 100 for i in range(40)] + [400.0])


def test_groups_closer_than_two_percent_are_not_spoken_of() -> None:
    assert not is_bimodal([100.0] * 20 + [101.0] * 20)


def test_noise_names_its_reasons() -> None:
    assert noise_reasons(3.0, 6.0, [1.0] * 20) == ["steal", "other_load"]
    assert noise_reasons(None, None, [1.0] * 20) == []


def test_time_never_ends_a_trial_before_its_median_has_an_interval() -> None:
    method = Method(max_seconds=1.0, min_samples=10)
    assert fewest_samples(95.0) == 6
    assert interval_rank(5, 95.0) is None
    assert stop_reason([1, 2, 3, 4, 5], method, seconds=60.0) is None
    assert stop_reason([1, 2, 3, 4, 5, 6], method, seconds=60.0) == "max_seconds"
    assert stop_reason([1, 2, 3, 4, 5, 6], method, seconds=0.5) is None
