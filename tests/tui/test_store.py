from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.tui.widgets.store import ColumnStore
from tunetui.tui.widgets.store_columns import NumberColumn, TextColumn


def store() -> ColumnStore:
    return ColumnStore(["speed"], ["name"], capacity=2)


def test_a_row_keeps_its_number_while_the_columns_grow() -> None:
    data = store()
    added = [data.upsert(f"k{at}", {"speed": at, "name": f"n{at}"}) for at in range(100)]
    assert added == list(range(100))
    assert [data.text("name", row) for row in (0, 99)] == ["n0", "n99"]
    assert data.number("speed", data.row_of("k42")) == 42
    assert data.key_of(7) == "k7"


def test_what_is_not_written_is_not_known() -> None:
    data = store()
    row = data.upsert("a", {})
    assert math.isnan(data.number("speed", row))
    assert data.text("name", row) == ""


def test_none_takes_a_value_back() -> None:
    data = store()
    row = data.upsert("a", {"speed": 1.0, "name": "x"})
    data.upsert("a", {"speed": None, "name": None})
    assert math.isnan(data.number("speed", row))
    assert data.text("name", row) == ""


def test_writing_the_same_again_changes_nothing() -> None:
    data = store()
    data.upsert("a", {"speed": 1.0, "name": "x"})
    data.upsert("b", {"speed": None})
    before = data.revision
    data.upsert("a", {"speed": 1.0, "name": "x"})
    data.upsert("b", {"speed": None, "name": ""})
    assert data.revision == before


def test_each_reader_learns_what_changed_since_it_last_looked() -> None:
    data = store()
    data.upsert("a", {})
    data.upsert("b", {})
    seen = data.revision
    data.upsert("a", {"speed": 2.0})
    assert data.changed_since(seen).tolist() == [0]
    assert data.changed_since(0).tolist() == [0, 1]
    assert data.changed_since(data.revision).tolist() == []


def test_many_rows_are_added_at_once_after_others() -> None:
    data = store()
    data.upsert("first", {"speed": 1.0})
    data.extend(["a", "b", "c"], {"speed": np.array([3.0, 4.0, 5.0]), "name": ["x", "y", "x"]})
    assert data.numbers("speed").tolist() == [1.0, 3.0, 4.0, 5.0]
    assert [data.text("name", row) for row in range(4)] == ["", "x", "y", "x"]


@pytest.mark.parametrize(("keys", "values"), [(["a", "a"], [1.0, 2.0]), (["known"], [1.0]), (["a", "b"], [1.0])])
def test_rows_that_do_not_fit_are_refused(keys: list[str], values: list[float]) -> None:
    data = store()
    data.upsert("known", {})
    with pytest.raises(ValueError, match=r"twice|not 2 values"):
        data.extend(keys, {"speed": values})
    assert len(data) == 1
    assert "a" not in data


def test_a_name_that_is_no_column_is_an_error() -> None:
    with pytest.raises(KeyError):
        store().upsert("a", {"colour": 1.0})
    with pytest.raises(ValueError, match="both"):
        ColumnStore(["x"], ["x"])


def test_assigning_a_column_stamps_only_rows_that_differ() -> None:
    data = store()
    data.extend(["a", "b", "c"], {"speed": [1.0, math.nan, 3.0]})
    seen = data.revision
    data.assign("speed", np.arange(3), np.array([1.0, math.nan, 4.0]))
    assert data.changed_since(seen).tolist() == [2]
    assert data.number("speed", 2) == 4.0


def test_texts_sort_by_their_letters_and_the_empty_one_is_unknown() -> None:
    data = store()
    data.extend(["a", "b", "c", "d"], {"name": ["pear", "", "apple", "fig"]})
    ranks = data.sort_values("name", np.arange(4))
    assert math.isnan(ranks[1])
    assert np.argsort(ranks).tolist() == [2, 3, 0, 1]
    data.upsert("e", {"name": "banana"})
    assert np.argsort(data.sort_values("name", np.arange(5))).tolist() == [2, 4, 3, 0, 1]


def test_searching_looks_at_every_text_and_not_at_case() -> None:
    data = ColumnStore([], ["name", "note"])
    data.extend(["a", "b", "c"], {"name": ["Tile 16", "x", "y"], "note": ["", "TILE", ""]})
    assert data.containing("tile", np.arange(3)).tolist() == [True, True, False]
    assert data.equal_to("name", "x", np.arange(3)).tolist() == [False, True, False]
    assert data.equal_to("name", "never seen", np.arange(3)).tolist() == [False, False, False]


def test_the_texts_that_rows_have_are_told_apart() -> None:
    data = store()
    data.extend(["a", "b", "c", "d"], {"name": ["pear", "", "apple", "pear"], "speed": [1.0, math.nan, 2.0, 3.0]})
    names, places = data.distinct("name", np.arange(4))
    assert names == ["apple", "pear"]
    assert places.tolist() == [1, -1, 0, 1]
    assert data.distinct("name", np.array([0, 3]))[0] == ["pear"]
    assert data.is_known("name", np.arange(4)).tolist() == [True, False, True, True]
    assert data.is_known("speed", np.array([1, 0])).tolist() == [False, True]


def test_a_text_that_keeps_changing_does_not_pile_up() -> None:
    data = store()
    data.upsert("other", {"name": "stays"})
    for step in range(5000):
        data.upsert("a", {"name": f"step {step}"})
    column = data._texts["name"]
    assert len(column.words) < 1100
    assert data.text("name", 0) == "stays"
    assert data.text("name", 1) == "step 4999"
    assert np.argsort(data.sort_values("name", np.arange(2))).tolist() == [0, 1]


def test_forgetting_keeps_the_empty_word_as_code_zero() -> None:
    column = TextColumn(4)
    column.codes[:2] = [column.code("b"), column.code("a")]
    for step in range(2000):
        column.code(f"unused {step}")
    column.forget_unused(2)
    assert column.words[0] == ""
    assert [column.words[code] for code in column.codes[:2]] == ["b", "a"]
    assert math.isnan(column.ranks()[0])


def test_writing_many_rows_at_once_is_as_writing_each() -> None:
    one, all_ = (ColumnStore(["speed"], ["name"], capacity=2) for _ in range(2))
    for batch in (
        {"a": (1.0, "x"), "b": (None, "y")},
        {"b": (None, "y"), "c": (3.0, "")},
        {"a": (1.0, "x"), "c": (3.0, "")},
        {"c": (None, "z"), "d": (4.0, "x"), "e": (5.0, "x")},
        {},
    ):
        seen = one.revision, all_.revision
        for key, (speed, name) in batch.items():
            one.upsert(key, {"speed": speed, "name": name})
        all_.write(
            list(batch),
            {"speed": [speed for speed, _ in batch.values()], "name": [name for _, name in batch.values()]},
        )
        assert one.changed_since(seen[0]).tolist() == all_.changed_since(seen[1]).tolist()
        for key in map(one.key_of, range(len(one))):
            row = all_.row_of(key)
            assert row == one.row_of(key)
            assert all_.text("name", row) == one.text("name", row)
            assert str(all_.number("speed", row)) == str(one.number("speed", row))
    assert len(all_) == len(one) == 5


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(0, 9) | st.integers(0, 999)), max_size=40))
)
def test_a_column_of_numbers_is_the_same_whether_few_or_many_are_distinct(
    steps: list[list[tuple[int, int | None]]],
) -> None:
    column, expected = NumberColumn(8), np.full(31, np.nan)
    column.grow(31)
    rows = np.arange(31)
    for step in steps:
        for row, value in step:
            number = np.nan if value is None else float(value)
            before = expected[row]
            assert column.set(row, number) == (before != number and not (np.isnan(before) and np.isnan(number)))
            expected[row] = number
        assert np.array_equal(column.read(rows), expected, equal_nan=True)
        assert column.is_known(rows).tolist() == (~np.isnan(expected)).tolist()
        values, places = column.distinct(rows)
        assert values.tolist() == sorted(set(expected[~np.isnan(expected)].tolist()))
        assert [values[place] if place >= 0 else None for place in places] == [
            None if np.isnan(number) else number for number in expected
        ]


def test_a_column_takes_more_distinct_numbers_and_words_than_a_byte_can_count() -> None:
    data = ColumnStore(["speed"], ["name"])
    many = range(70_000)
    data.extend([str(n) for n in many], {"speed": [float(n % 300) for n in many], "name": [f"w{n}" for n in many]})
    assert (data.number("speed", 299), data.text("name", 69_999)) == (299.0, "w69999")
    data.write(["0", "1"], {"name": ["x", "y"], "speed": [5.0, None]})
    assert (data.text("name", 0), data.text("name", 1), data.text("name", 2)) == ("x", "y", "w2")


def test_keys_may_be_a_column_of_text_and_are_kept_once() -> None:
    data = ColumnStore(["speed"], ["name"], keys="trial")
    for key in ("b", "a", "c"):
        data.upsert(key, {"speed": 1.0, "trial": key})
    rows = np.arange(3)
    assert data.is_text("trial")
    assert (data.text("trial", 1), data.words("trial", rows).tolist()) == ("a", ["b", "a", "c"])
    assert data.sort_values("trial", rows).tolist() == [1.0 + 1, 1.0, 1.0 + 2]
    assert data.equal_to("trial", "c", rows).tolist() == [False, False, True]
    assert data.equal_to("trial", "z", rows).tolist() == [False, False, False]
    assert data.containing("A", rows).tolist() == [False, True, False]
    assert data.distinct("trial", rows[1:])[0] == ["a", "c"]


@pytest.mark.parametrize(
    "keys", [["ab", "cd", "ABC", "b"], ["äb", "cd", "straße"], ["a"]], ids=["plain", "other letters", "one"]
)
def test_keys_are_searched_as_other_texts_are(keys: list[str]) -> None:
    data = ColumnStore([], ["name"], keys="trial")
    for key in keys:
        data.upsert(key, {"name": key})
    rows = np.arange(len(keys))
    for needle in ("", "a", "B", "bc", "abcd", "Ä", "SS", "z"):  # "bc" and "abcd" stand across two keys as well
        expected = [needle.casefold() in key.casefold() for key in keys]
        assert data.containing(needle, rows).tolist() == expected, needle
