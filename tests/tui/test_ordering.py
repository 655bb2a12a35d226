from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tunetui.tui.widgets.ordering import Ordering
from tunetui.tui.widgets.store import ColumnStore, Mask, Rows

VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 1.0, 2.5, -3.0, math.inf]))
WRITES = st.lists(st.tuples(st.integers(0, 15), VALUES, st.sampled_from(["ok", "failed", ""])), max_size=12)
STEPS = st.lists(st.tuples(WRITES, st.booleans()), max_size=8)


def only_ok(store: ColumnStore, rows: Rows) -> Mask:
    return store.equal_to("status", "ok", rows)


def known_first(values: list[float], *, descending: bool) -> bool:
    known = [value for value in values if not math.isnan(value)]
    return not any(math.isnan(value) for value in values[: len(known)]) and known == sorted(known, reverse=descending)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([None, "speed", "status"]), st.booleans(), st.booleans())
def test_whatever_happens_the_shown_rows_are_those_that_pass_in_order(
    steps: list[tuple[list[tuple[int, float | None, str]], bool]],
    sort_key: str | None,
    descending: bool,
    filtered: bool,
) -> None:
    store = ColumnStore(["speed"], ["status"], capacity=1)
    ordering = Ordering(store)
    ordering.shown = only_ok if filtered else None
    ordering.sort_by(sort_key, descending=descending)
    for writes, reorder in steps:
        before = ordering.rows.tolist()
        for key, speed, status in writes:
            store.upsert(str(key), {"speed": speed, "status": status})
        ordering.fold(reorder=reorder)

        everything = np.arange(len(store))
        wanted = only_ok(store, everything) if filtered else np.ones(len(store), np.bool_)
        assert sorted(ordering.rows.tolist()) == everything[wanted].tolist()
        if reorder and sort_key is not None:
            assert known_first(store.sort_values(sort_key, ordering.rows).tolist(), descending=descending)
        if not reorder:
            here = set(ordering.rows.tolist())
            stayed = [row for row in before if row in here]
            assert [row for row in ordering.rows.tolist() if row in set(stayed)] == stayed


@settings(max_examples=50, deadline=None)
@given(WRITES, st.booleans())
def test_folding_ends_where_starting_anew_ends(writes: list[tuple[int, float | None, str]], descending: bool) -> None:
    """Up to ties, which keep the place they have: the values on show are the same."""
    store = ColumnStore(["speed"], ["status"])
    folded = Ordering(store)
    folded.sort_by("speed", descending=descending)
    for key, speed, status in writes:
        store.upsert(str(key), {"speed": speed, "status": status})
        folded.fold(reorder=True)
    anew = Ordering(store)
    anew.sort_by("speed", descending=descending)
    anew.rebuild()
    assert np.array_equal(
        store.sort_values("speed", folded.rows), store.sort_values("speed", anew.rows), equal_nan=True
    )


def test_rows_that_tie_keep_their_places() -> None:
    store = ColumnStore(["speed", "size"])
    store.extend(["a", "b", "c", "d"], {"speed": [2.0, 1.0, 2.0, 1.0], "size": [4.0, 3.0, 2.0, 1.0]})
    ordering = Ordering(store)
    ordering.rebuild()
    ordering.sort_by("size")
    ordering.sort_by("speed")
    assert [store.key_of(int(row)) for row in ordering.rows] == ["d", "b", "c", "a"]


def test_an_order_left_for_later_is_put_right_without_any_new_change() -> None:
    store = ColumnStore(["speed"])
    store.extend(["a", "b"], {"speed": [1.0, 2.0]})
    ordering = Ordering(store)
    ordering.sort_by("speed")
    ordering.rebuild()
    store.upsert("b", {"speed": 0.5})
    ordering.fold(reorder=False)
    assert ordering.rows.tolist() == [0, 1]
    assert ordering.fold(reorder=True).tolist() == []
    assert ordering.rows.tolist() == [1, 0]


def test_nothing_new_leaves_the_permutation_itself_alone() -> None:
    store = ColumnStore(["speed"])
    store.extend(["a", "b"], {"speed": [1.0, 2.0]})
    ordering = Ordering(store)
    ordering.rebuild()
    before = ordering.rows
    ordering.fold(reorder=True)
    assert ordering.rows is before


def test_a_hidden_row_has_no_position() -> None:
    store = ColumnStore(["speed"], ["status"])
    store.extend(["a", "b"], {"status": ["failed", "ok"]})
    ordering = Ordering(store)
    ordering.shown = only_ok
    ordering.rebuild()
    assert ordering.position_of(0) is None
    assert ordering.position_of(1) == 0
