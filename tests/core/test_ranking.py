from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tunetui.core import ranking
from tunetui.core.ranking import Contender, rank
from tunetui.core.statistics import interval, mann_whitney, median


def contender(samples: list[int] | NDArray[np.int64]) -> Contender:
    ordered = sorted(int(s) for s in samples)
    bounds = interval(ordered, 0.5)
    known = bounds.complete
    return Contender(ordered, median(ordered), bounds.low if known else None, bounds.high if known else None)


def ranked_by_definition(rows: list[Contender]) -> list[set[int]]:
    """The tie groups, every row against every leader, with nothing skipped."""
    left = sorted(range(len(rows)), key=lambda i: rows[i].median_ns)
    groups = []
    while left:
        leader = min(left, key=lambda i: rows[i].median_ns)
        others = [i for i in left if i != leader]
        disjoint = {i: _disjoint(rows[leader], rows[i]) for i in others}
        p = {i: mann_whitney(rows[leader].samples_ns, rows[i].samples_ns) if disjoint[i] else 1.0 for i in others}
        apart: set[int] = set()
        for number, i in enumerate(sorted(others, key=lambda i: p[i])):
            if p[i] > 0.05 / (len(others) - number):
                break
            apart.add(i)
        groups.append({i for i in left if i not in apart})
        left = [i for i in left if i in apart]
    return groups


def _disjoint(leader: Contender, row: Contender) -> bool:
    if row.median_ns <= leader.median_ns * (1 + ranking.TIE_PERCENT / 100):
        return False
    return leader.ci_high_ns is not None and row.ci_low_ns is not None and row.ci_low_ns > leader.ci_high_ns


def group_sets(rows: list[Contender]) -> list[set[int]]:
    places = rank(rows)
    return [
        {p.index for p in places if p.tie_group == number} for number in range(1, max(p.tie_group for p in places) + 1)
    ]


def noise(seed: int, rows: int, samples: int, step: float, coarse: int = 1) -> list[Contender]:
    random = np.random.default_rng(seed)
    centres = 10_000 * (1 + step * random.permutation(rows))
    found = []
    for centre in centres:
        values = centre * (1 + random.gamma(2.0, 0.01, samples + random.integers(0, 4)))
        values[random.random(len(values)) < 0.03] *= 3  # the tail that every machine has
        found.append(contender((values // coarse * coarse).astype(np.int64)))
    return found


def test_rows_apart_beyond_doubt_are_ranked_one_by_one() -> None:
    rows = [contender([base + i for i in range(30)]) for base in (3000, 1000, 2000)]
    assert [(p.index, p.rank, p.tie_group) for p in rank(rows)] == [(1, "1", 1), (2, "2", 2), (0, "3", 3)]


def test_rows_whose_intervals_overlap_are_tied_and_the_rank_skips() -> None:
    rows = [contender([1000 + i for i in range(30)]), contender([1003 + i for i in range(30)]), contender([9000] * 30)]
    assert [(p.index, p.rank) for p in rank(rows)] == [(0, "1="), (1, "1="), (2, "3")]


def test_a_row_less_than_a_hundredth_behind_is_tied_however_sure_and_one_more_is_not() -> None:
    rows = [contender([base + i for i in range(10)] * 10) for base in (10_000, 10_090, 10_130, 10_190)]
    assert [(p.index, p.rank) for p in rank(rows)] == [(0, "1="), (1, "1="), (2, "3="), (3, "3=")]


def test_a_noisy_row_joins_the_leader_that_it_cannot_be_told_from_even_past_a_clear_second() -> None:
    noisy = contender([900] * 6 + [1500] * 3 + [9000] * 21)
    leader, second = contender([1000 + i for i in range(30)]), contender([1200 + i for i in range(30)])
    wide = Contender(noisy.samples_ns, noisy.median_ns, 950.0, noisy.ci_high_ns)
    assert [(p.index, p.rank) for p in rank([leader, second, wide])] == [(0, "1="), (2, "1="), (1, "3")]


def test_a_row_with_too_few_samples_is_apart_from_nobody() -> None:
    rows = [contender([1000 + i for i in range(30)]), contender([5000, 5001])]
    assert [p.rank for p in rank(rows)] == ["1=", "1="]


def test_disjoint_intervals_alone_do_not_make_a_winner() -> None:
    # six samples each: p = 2/924, and among 40 comparisons Holm asks for 0.05/40
    rows = [contender([1000 * (i + 1) + j for j in range(6)]) for i in range(41)]
    assert {p.rank for p in rank(rows)} == {"1="}
    assert [p.rank for p in rank(rows[:3])] == ["1", "2", "3"]


def test_nothing_measured_ranks_nothing() -> None:
    assert rank([]) == []


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = noise(5, 60, 20, 0.004)
    forward = [sorted(rows[i].median_ns for i in group) for group in group_sets(rows)]
    backward = [sorted(rows[::-1][i].median_ns for i in group) for group in group_sets(rows[::-1])]
    assert forward == backward


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 40),
    st.sampled_from([3, 6, 10, 25, 60]),
    st.sampled_from([0.0, 0.002, 0.01, 0.2]),
    st.sampled_from([1, 50]),
    st.sampled_from([2, 7, 256]),
)
def test_skipping_blocks_finds_the_groups_of_the_definition(
    seed: int, rows: int, samples: int, step: float, coarse: int, block: int
) -> None:
    contenders = noise(seed, rows, samples, step, coarse)
    kept, ranking._BLOCK = ranking._BLOCK, block
    try:
        assert group_sets(contenders) == ranked_by_definition(contenders)
    finally:
        ranking._BLOCK = kept
