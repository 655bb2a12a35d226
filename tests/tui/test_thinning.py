"""What a plot is given in place of very many points."""

from __future__ import annotations

import numpy as np

from tunetui.tui.widgets.thinning import least_so_far, thinned


def test_few_points_stay_as_they_are() -> None:
    x, y = np.array([3.0, 1.0, 2.0]), np.array([5.0, 9.0, 7.0])
    assert [each.tolist() for each in thinned(x, y)] == [[3.0, 1.0, 2.0], [5.0, 9.0, 7.0]]
    assert [each.tolist() for each in least_so_far(x, y)] == [[1.0, 2.0, 3.0], [9.0, 7.0, 5.0]]


def test_of_many_points_those_that_a_terminal_can_tell_apart_are_kept() -> None:
    draw = np.random.default_rng(1)
    x, y = draw.uniform(0, 100, 50_000).round(1), draw.uniform(1, 2, 50_000).round(2)
    kept_x, kept_y = thinned(x, y)
    assert len(kept_x) < 50_000
    points = set(zip(x.tolist(), y.tolist(), strict=True))
    kept = set(zip(kept_x.tolist(), kept_y.tolist(), strict=True))
    assert kept <= points
    assert {(round(a), round(b, 1)) for a, b in kept} == {(round(a), round(b, 1)) for a, b in points}


def test_the_least_so_far_of_many_points_falls_to_the_smallest_of_all() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.uniform(0, 100, 50_000), draw.uniform(1, 2, 50_000)
    times, least = least_so_far(x, y)
    assert len(times) <= 1024
    assert times[0] == x.min()
    assert (np.diff(times) > 0).all()
    assert (np.diff(least) <= 0).all()
    assert least[-1] == y.min()
    for place in range(0, len(times) - 1, 100):
        assert least[place] == y[x < times[place + 1]].min()


def test_points_on_one_spot_are_one_point() -> None:
    x, y = np.full(5000, 7.0), np.full(5000, 3.0)
    assert [each.tolist() for each in thinned(x, y)] == [[7.0], [3.0]]
    assert [each.tolist() for each in least_so_far(x, y)] == [[7.0], [3.0]]
