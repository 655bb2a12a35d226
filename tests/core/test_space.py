"""Spaces hold exactly the configurations that brute force finds, and say what each constraint excluded."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunetui.core import joining
from tunetui.core.errors import ExpressionError, InputError
from tunetui.core.expressions import parse
from tunetui.core.joining import build_space, sample_space

AXES: dict[str, list[Any]] = {
    "tile": [16, 32, 48, 64],
    "block": [32, 64, 128],
    "unroll": [0, 1, 2, 4],
    "select": ["sort", "heap"],
    "hint": [True, False],
    "scale": [0.5, 1.5],
    "only": [7],
}
POOL = [
    "tile * block <= 4096",
    "unroll == 0 or tile % unroll == 0",
    "select == 'sort' or block > 32",
    "hint or scale < 1",
    "tile <= limit * 16",
    "only == 7",
    "unroll in [0, 2, 4]",
    "block >= 64",
    "tile // 16 != unroll",
    "scale * tile > unroll * 12 or only > 7",
]


def _brute(axes: dict[str, list[Any]], where: list[str], fixed: dict[str, Any]) -> list[dict[str, Any]]:
    rows = (dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values()))
    return [row for row in rows if all(parse(text).holds({**fixed, **row}) for text in where)]


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple((name, type(value).__name__, value) for name, value in row.items())


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(POOL), unique=True), st.permutations(list(AXES)), st.integers(1, 4), st.integers(1, 12))
def test_a_space_equals_brute_force_and_its_counts_add_up(
    where: list[str], order: list[str], limit: int, cells: int
) -> None:
    axes, fixed = {name: AXES[name] for name in order}, {"limit": limit}
    whole, joining.CHUNK_CELLS = joining.CHUNK_CELLS, cells  # many small chunks must give the same rows
    try:
        built = build_space(axes, where, fixed)
    finally:
        joining.CHUNK_CELLS = whole
    expected = _brute(axes, where, fixed)
    assert {_key(row) for row in built} == {_key(row) for row in expected}
    assert len(list(built)) == built.valid == len(expected)
    assert built.cartesian == 4 * 3 * 4 * 2 * 2 * 2
    assert sum(item.combinations for item in built.excluded) + built.valid == built.cartesian
    assert [item.constraint for item in built.excluded] == where
    assert (built.emptied_by is not None) == (not expected)
    columns = {name: column.tolist() for name, column in built.columns().items()}
    assert [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] == list(built)
    assert list(build_space(axes, where, fixed)) == list(built)


def test_configurations_are_plain_python_values() -> None:
    row = next(iter(build_space(AXES, ["tile * block <= 4096"])))
    assert {name: type(value) for name, value in row.items()} == {
        "tile": int, "block": int, "unroll": int, "select": str, "hint": bool, "scale": float, "only": int,
    }  # fmt: skip


def test_the_constraint_that_excludes_everything_is_named() -> None:
    built = build_space({"tile": [16, 32], "block": [32, 64]}, ["tile > 16", "tile * block > 1_000_000"])
    assert built.valid == 0
    assert built.emptied_by == "tile * block > 1_000_000"
    with pytest.raises(InputError, match=r"'tile \* block > 1_000_000' excludes the last of 4") as caught:
        built.require_some()
    assert caught.value.hint == "'tile > 16' excludes 2; 'tile * block > 1_000_000' excludes 2"
    impossible = build_space({"tile": [16, 32]}, ["cores >= 8"], {"cores": 4})
    assert impossible.emptied_by == "cores >= 8"
    assert impossible.excluded[0].combinations == 2


def test_no_axes_make_one_configuration_or_none() -> None:
    assert list(build_space({}, ["cores >= 4"], {"cores": 4})) == [{}]
    impossible = build_space({}, ["cores >= 8", "cores >= 16"], {"cores": 4})
    assert list(impossible) == []
    assert [item.combinations for item in impossible.excluded] == [1, 0]
    assert impossible.emptied_by == "cores >= 8"


def test_an_empty_axis_and_an_unknown_name_are_refused() -> None:
    with pytest.raises(InputError, match="axis tile has no values"):
        build_space({"tile": []}, [])
    with pytest.raises(ExpressionError) as caught:
        build_space({"tile": [1]}, ["tyle > 1"])
    assert caught.value.hint == "did you mean tile?"


def test_unrelated_axes_are_counted_without_being_listed() -> None:
    axes = {f"axis_{number}": list(range(1000)) for number in range(20)}
    built = build_space(axes, ["axis_0 + axis_1 < 10"])
    assert built.valid == 55 * 1000**18
    assert built.cartesian == 1000**20
    with pytest.raises(InputError, match="too many to list"):
        built.indices()
    drawn = built.sample(50, seed=3)
    assert len({_key(row) for row in drawn}) == 50
    assert all(int(row["axis_0"]) + int(row["axis_1"]) < 10 for row in drawn)


def test_a_billion_related_combinations_are_refused_with_the_count_and_a_way_out() -> None:
    axes = {name: list(range(1, 1001)) for name in "abc"}
    with pytest.raises(InputError, match="1,000,000,000") as caught:
        build_space(axes, ["a + b + c > 30"])
    assert "budget.trials" in caught.value.hint


def test_a_join_that_turns_out_too_large_is_refused_with_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ROW_LIMIT", 1000)
    axes = {name: list(range(1, 31)) for name in "abcd"}
    with pytest.raises(InputError, match="810,000"):
        build_space(axes, ["a + b + c + d == 4"])
    with pytest.raises(InputError, match="more than 1,000 of 27,000"):
        build_space({name: axes[name] for name in "abc"}, ["a + b + c < 22"])


def test_a_sample_of_a_billion_is_distinct_valid_and_repeatable() -> None:
    axes = {name: list(range(1, 1001)) for name in "abc"}
    where = ["a + b + c > limit", "a % 2 == 0"]
    drawn = sample_space(axes, where, {"limit": 30}, 200, seed=5)
    assert drawn.complete
    assert drawn.cartesian == 10**9
    assert len({_key(row) for row in drawn.configurations}) == 200
    assert all(parse("a + b + c > 30 and a % 2 == 0").holds(row) for row in drawn.configurations)
    assert sample_space(axes, where, {"limit": 30}, 200, seed=5) == drawn
    assert sample_space(axes, where, {"limit": 30}, 200, seed=6) != drawn


def test_a_sample_says_when_it_found_fewer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MAX_DRAWS", 300_000)
    axes = {"a": list(range(100)), "b": list(range(100))}
    drawn = sample_space(axes, ["a + b < 2"], {}, 10, seed=1)
    assert not drawn.complete
    assert len(drawn.configurations) == 3
    assert drawn.draws == 300_000
    assert sample_space(axes, ["a < 0"], {}, 10, seed=1).configurations == []


def test_a_sample_of_a_built_space_is_uniform_enough_to_reach_every_configuration() -> None:
    built = build_space({"a": [1, 2, 3], "b": [1, 2, 3], "c": [0, 1]}, ["a <= b"])
    everything = {_key(row) for row in built}
    seen = {_key(row) for seed in range(60) for row in built.sample(2, seed)}
    assert seen == everything
    assert {_key(row) for row in built.sample(99, seed=0)} == everything
