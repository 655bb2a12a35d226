from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.row_table import RowsDraft, RowTable

KEYS = st.integers(0, 400).map(str)
STEPS = st.lists(st.lists(st.tuples(KEYS, st.integers()), max_size=120), max_size=12)


@given(STEPS)
def test_every_table_stays_as_it_was_whatever_comes_after(steps: list[list[tuple[str, int]]]) -> None:
    table: RowTable[int] = RowTable()
    expected: dict[str, int] = {}
    made: list[tuple[RowTable[int], dict[str, int]]] = []
    for step in steps:
        draft = RowsDraft(table)
        for key, value in step:
            draft.set(key, value)
            expected = {**expected, key: value}
            assert draft.get(key) == draft[key] == value
        table = draft.finish()
        made.append((table, expected))
    for table, expected in made:
        assert table == expected
        assert list(table.items()) == list(expected.items())
        assert list(table.values()) == list(expected.values())
        assert list(table) == list(expected)
        assert len(table) == len(expected)
        assert [table.get(str(key)) for key in range(400)] == [expected.get(str(key)) for key in range(400)]


def test_a_plain_dict_is_copied_before_it_is_written() -> None:
    rows = {"a": 1}
    draft = RowsDraft(rows)
    draft.set("a", 2)
    assert dict(draft.finish()) == {"a": 2}
    assert rows == {"a": 1}


def test_a_draft_that_goes_on_leaves_what_it_made() -> None:
    draft: RowsDraft[int] = RowsDraft(RowTable())
    first = draft.finish()
    for number in range(200):
        draft.set(str(number), number)
    second = draft.finish()
    draft.set("1", 7)
    assert (len(first), len(second), second["1"], draft["1"]) == (0, 200, 1, 7)


def test_nothing_set_is_the_same_table() -> None:
    table = RowTable({"a": 1})
    assert RowsDraft(table).finish() is table


def test_one_row_of_many_set_copies_few() -> None:
    many = {str(number): number for number in range(100_000)}
    table = first = RowTable(many)
    for number in range(100):
        draft = RowsDraft(table)
        draft.set(str(number), -1)
        table = draft.finish()
    copied = sum(one is not other for one, other in zip(table.shards, first.shards, strict=True))
    assert 0 < copied <= 100 < len(table.shards)
    assert table.ordered is first.ordered


def test_two_tables_made_of_one_do_not_see_each_others_rows() -> None:
    begun = RowTable({"a": 1})
    one, other = RowsDraft(begun), RowsDraft(begun)
    one.set("b", 2)
    other.set("c", 3)
    assert (dict(one.finish()), dict(other.finish()), dict(begun)) == ({"a": 1, "b": 2}, {"a": 1, "c": 3}, {"a": 1})


@given(STEPS, STEPS)
def test_what_is_different_from_an_earlier_table_is_found(
    early: list[list[tuple[str, int]]], late: list[list[tuple[str, int]]]
) -> None:
    draft: RowsDraft[object] = RowsDraft(RowTable())
    for step in early:
        for key, value in step:
            draft.set(key, (value,))
    before = draft.finish()
    draft = RowsDraft(before)
    for step in late:
        for key, value in step:
            draft.set(key, (key, value))
    after = draft.finish()
    expected = {row for key, row in after.items() if before.get(key) is not row}
    found = after.different_from(before)
    assert (set(found), len(found)) == (expected, len(expected))
