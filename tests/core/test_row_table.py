from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.packing import MEASURED
from tunetui.core.row import Row
from tunetui.core.row_table import RowsDraft, RowTable

KEYS = st.integers(0, 900).map(str)
STEPS = st.lists(st.lists(st.tuples(KEYS, st.integers(0, 1 << 20)), max_size=400), max_size=8)


def row(key: str, number: int = 0) -> Row:
    return Row.of(
        trial=key,
        implementation="numpy",
        problem={"n": 1},
        problem_key="1",
        configuration={},
        provenance="p",
        status=MEASURED,
        plan=number,
    )


def table_of(*keys: str) -> RowTable:
    return RowTable({key: row(key) for key in keys})


@given(STEPS)
def test_every_table_stays_as_it_was_whatever_comes_after(steps: list[list[tuple[str, int]]]) -> None:
    table = RowTable()
    expected: dict[str, Row] = {}
    made: list[tuple[RowTable, dict[str, Row]]] = []
    for step in steps:
        draft = RowsDraft(table)
        expected = dict(expected)
        for key, value in step:
            assert draft.set(row(key, value)) == expected.get(key)
            expected[key] = row(key, value)
            assert draft.get(key) == draft[key] == row(key, value)
        table = draft.finish()
        made.append((table, expected))
    for table, expected in made:
        assert table == expected
        assert list(table.items()) == list(expected.items())
        assert list(table.values()) == list(expected.values())
        assert list(table) == list(expected)
        assert len(table) == len(expected) == len(table.values())
        assert [table.get(str(key)) for key in range(901)] == [expected.get(str(key)) for key in range(901)]
        assert [str(key) in table for key in range(901)] == [str(key) in expected for key in range(901)]


def test_a_plain_dict_is_copied_before_it_is_written() -> None:
    rows = {"a": row("a", 1)}
    draft = RowsDraft(rows)
    draft.set(row("a", 2))
    assert dict(draft.finish()) == {"a": row("a", 2)}
    assert rows == {"a": row("a", 1)}


def test_a_draft_that_goes_on_leaves_what_it_made() -> None:
    draft = RowsDraft(RowTable())
    first = draft.finish()
    for number in range(400):
        draft.set(row(str(number), number))
    second = draft.finish()
    draft.set(row("1", 7))
    assert (len(first), len(second), second["1"].plan, draft["1"].plan) == (0, 400, 1, 7)


def test_nothing_set_is_the_same_table() -> None:
    table = table_of("a")
    assert RowsDraft(table).finish() is table


def test_one_row_of_many_set_copies_few() -> None:
    table = first = table_of(*map(str, range(20_000)))
    for number in range(40):
        draft = RowsDraft(table)
        draft.set(row(str(number * 3), 1))
        table = draft.finish()
    copied = sum(one is not other for one, other in zip(table.chunks, first.chunks, strict=True))
    assert 0 < copied <= 40 < len(table.chunks)
    assert table.index is first.index


def test_two_tables_made_of_one_do_not_see_each_others_rows() -> None:
    begun = table_of("a")
    one, other = RowsDraft(begun), RowsDraft(begun)
    one.set(row("b"))
    other.set(row("c"))
    assert (list(one.finish()), list(other.finish()), list(begun)) == (["a", "b"], ["a", "c"], ["a"])
    assert "b" not in begun
    assert "b" not in other.finish()
    assert other.finish()["c"] == row("c")


def test_a_row_takes_little_more_than_its_bytes() -> None:
    """What 100,000 of them may take is a goal; tracemalloc counts the same everywhere."""
    import tracemalloc

    keys = [f"{number:016x}" for number in range(4096)]
    packed = len(row(keys[0]).packed)
    tracemalloc.start()
    table = table_of(*keys)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) == 4096
    assert taken / 4096 < packed + 80


@given(STEPS, STEPS)
def test_what_is_different_from_an_earlier_table_is_found(
    early: list[list[tuple[str, int]]], late: list[list[tuple[str, int]]]
) -> None:
    draft = RowsDraft(RowTable())
    for step in early:
        for key, value in step:
            draft.set(row(key, value))
    before = draft.finish()
    draft = RowsDraft(before)
    for step in late:
        for key, value in step:
            draft.set(row(key, value + (1 << 21)))
    after = draft.finish()
    expected = [each for key, each in after.items() if before.get(key) != each]
    assert after.different_from(before) == expected
