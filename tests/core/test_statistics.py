from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.statistics import (
    Interval,
    critical_z,
    interval,
    interval_ranks,
    mann_whitney,
    median,
    p_values,
    percentile,
    percentiles,
    relative_half_width_percent,
    samples_needed,
)

samples = st.lists(st.integers(1, 12), min_size=1, max_size=5)


def test_percentiles_are_numpys_default_definition() -> None:
    ordered = sorted(np.random.default_rng(3).integers(1, 10**6, 37).tolist())
    for q in (0.0, 0.05, 0.5, 0.95, 0.99, 1.0):
        assert percentile(ordered, q) == pytest.approx(np.percentile(ordered, q * 100), rel=1e-12)
    assert median([1, 2, 4, 9]) == 3.0


@given(
    st.integers(1, 7).flatmap(lambda n: st.lists(st.lists(st.integers(1, 2**62), min_size=n, max_size=n), min_size=1))
)
def test_percentiles_of_many_rows_are_those_of_each(rows: list[list[int]]) -> None:
    ordered = [sorted(row) for row in rows]
    for q in (0.0, 0.05, 0.5, 0.95, 0.99, 1.0):
        assert percentiles(np.array(ordered, np.int64).T, q).tolist() == [percentile(row, q) for row in ordered]


@pytest.mark.parametrize(("ordered", "q"), [([], 0.5), ([1], 1.5), ([1], math.nan)])
def test_a_percentile_of_nothing_is_refused(ordered: list[int], q: float) -> None:
    with pytest.raises(ValueError, match="percentile"):
        percentile(ordered, q)


@pytest.mark.parametrize(
    ("n", "ranks"),
    # one-based in Conover, Practical Nonparametric Statistics, table A3: n = 6: 1, 6; 10: 2, 9; 20: 6, 15; 100: 40, 61
    [(5, (None, None)), (6, (0, 5)), (10, (1, 8)), (20, (5, 14)), (100, (39, 60))],
)
def test_the_medians_interval_has_the_ranks_of_published_tables(n: int, ranks: tuple[int | None, int | None]) -> None:
    assert interval_ranks(n, 0.5, 0.95) == ranks


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [6, 10, 31, 72, 368, 1000])
def test_an_interval_covers_with_the_asked_confidence_and_is_the_narrowest_that_does(n: int, q: float) -> None:
    def at_most(k: int) -> float:
        return sum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1))

    low, high = interval_ranks(n, q, 0.95)
    if low is not None:
        assert at_most(low) <= 0.025 < at_most(low + 1)
    if high is not None:
        assert 1 - at_most(high) <= 0.025 + 1e-9 < 1 - at_most(high - 1)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95, 0.99])
def test_the_number_of_samples_said_to_be_needed_is_the_first_that_suffices(q: float) -> None:
    needed = samples_needed(q, 0.95)
    assert interval(range(needed), q).complete
    assert not interval(range(needed - 1), q).complete


def test_too_few_samples_say_so_instead_of_giving_a_bound() -> None:
    bounds = interval(list(range(100)), 0.99)
    assert bounds.low is not None
    assert bounds.high is None
    assert bounds.reason == "p99's interval needs at least 368 samples, has 100"


def test_the_relative_half_width_is_half_the_interval_over_the_centre() -> None:
    assert relative_half_width_percent(200.0, Interval(198.0, 204.0)) == 1.5
    assert relative_half_width_percent(200.0, Interval(198.0, None, "few")) is None


@given(samples, samples)
def test_the_rank_test_without_shared_values_is_the_permutation_test(first: list[int], second: list[int]) -> None:
    a, b = [2 * x for x in set(first)], [2 * x + 1 for x in set(second)]
    pooled = a + b
    centre = len(a) * len(b) / 2

    def distance(chosen: tuple[int, ...]) -> float:
        others = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        return abs(sum(pooled[i] < other for i in chosen for other in others) - centre)

    seen = distance(tuple(range(len(a))))
    every = [distance(chosen) >= seen for chosen in itertools.combinations(range(len(pooled)), len(a))]
    assert mann_whitney(a, b) == pytest.approx(min(1.0, sum(every) / len(every)))


def test_the_rank_test_with_ties_is_scipys_corrected_approximation() -> None:
    # scipy.stats.mannwhitneyu([1,2,2,3,4,4], [2,4,5,5,6,7], method="asymptotic"): worked by hand from its formula
    # U = 5, n = m = 6, ties t = 3, 3, 2: variance = 36/12 * (13 - (24+24+6)/132), z = (18 - 5 - 0.5)/sqrt(variance)
    variance = 3 * (13 - 54 / 132)
    assert mann_whitney([1, 2, 2, 3, 4, 4], [2, 4, 5, 5, 6, 7]) == pytest.approx(
        math.erfc(12.5 / math.sqrt(2 * variance))
    )


def test_samples_that_are_all_equal_are_no_evidence() -> None:
    assert mann_whitney([5] * 30, [5] * 30) == 1.0


def test_large_samples_far_apart_give_a_tiny_p_and_not_an_error() -> None:
    assert 0.0 <= mann_whitney(range(1000), range(2000, 3000)) < 1e-300
    assert mann_whitney([1] * 10, [2] * 10) == pytest.approx(2 / math.comb(20, 10))


@given(samples, samples)
def test_the_rank_test_does_not_care_which_side_is_first(first: list[int], second: list[int]) -> None:
    assert mann_whitney(first, second) == pytest.approx(mann_whitney(second, first))


def test_where_the_normal_bound_rejects_far_out_the_exact_test_does_too() -> None:
    # the ranking skips far rows on the strength of this
    for n, m in itertools.product(range(2, 51, 4), repeat=2):
        pairs = np.arange(n * m // 2 + 1, dtype=np.float64)
        exact = p_values(n, np.full(len(pairs), m), pairs, np.zeros(len(pairs), np.bool_))
        z = (n * m / 2 - pairs - 0.5) / math.sqrt(n * m * (n + m + 1) / 12)
        for p in (0.05 / 2, 0.05 / 10, 0.05 / 1000, 0.05 / 100_000):
            assert (exact[z > critical_z(p)] <= p).all()
