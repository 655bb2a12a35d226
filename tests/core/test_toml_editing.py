"""A grid file is changed where it was asked to change, and nowhere else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.errors import InputError
from tunetui.core.toml_editing import toml_value, with_item, with_value, without_value

GRIDS = sorted((Path(__file__).parents[2] / "grids").glob("*.toml"))
TEXT = """# first
name = "a"  # the name
kernel = 'k' # literal

[axes]
tile = [16, # small
  32,
]  # tiles
"odd.name" = ["#", "]"]

# about numpy
[axes.numpy]
rows = { start = 1, stop = 8, factor = 2 }

[constraints]
where = [
    # one
    "a < b",  # two
    "c in [1, 2]",
]

[budget]
minutes = 5
"""


def test_a_changed_value_keeps_every_comment_and_every_other_byte() -> None:
    edited = with_value(TEXT, ["name"], "b")
    assert edited == TEXT.replace('name = "a"', 'name = "b"')
    assert with_value(TEXT, ["budget", "minutes"], 7.5) == TEXT.replace("minutes = 5", "minutes = 7.5")


def test_the_same_value_twice_is_the_same_text() -> None:
    once = with_value(TEXT, ["axes", "tile"], [16, 64])
    assert with_value(once, ["axes", "tile"], [16, 64]) == once
    assert "  # tiles" in once


def test_a_new_key_stands_behind_the_last_of_its_table() -> None:
    edited = with_value(TEXT, ["axes", "block"], [1, 2])
    assert '"odd.name" = ["#", "]"]\nblock = [1, 2]\n\n# about numpy' in edited


def test_a_new_table_stands_behind_its_kin_and_else_at_the_end() -> None:
    edited = with_value(TEXT, ["axes", "mojo", "rows"], [4])
    assert "factor = 2 }\n\n[axes.mojo]\nrows = [4]\n\n[constraints]" in edited
    assert with_value(TEXT, ["targets", "latency_ms.p95"], "< 50").endswith(
        '\n\n[targets]\n"latency_ms.p95" = "< 50"\n'
    )


def test_a_file_that_ends_without_a_line_end_gets_one() -> None:
    assert with_value("[budget]\nminutes = 5", ["budget", "usd"], 1) == "[budget]\nminutes = 5\nusd = 1\n"
    assert with_value('name = "a"', ["kernel"], "k") == 'name = "a"\nkernel = "k"\n'


def test_what_stands_in_an_inline_table_is_changed_there() -> None:
    edited = with_value("budget = { minutes = 5 } # x\n", ["budget", "usd"], 2)
    assert edited == "budget = { minutes = 5, usd = 2 } # x\n"
    assert without_value(edited, ["budget", "minutes"]) == "budget = { usd = 2 } # x\n"


def test_a_dotted_key_is_found() -> None:
    assert with_value("budget.minutes = 5\n", ["budget", "minutes"], 6) == "budget.minutes = 6\n"


def test_a_key_left_out_takes_its_line_with_it() -> None:
    assert without_value(TEXT, ["budget", "minutes"]) == TEXT.replace("minutes = 5\n", "")
    assert without_value(TEXT, ["budget", "usd"]) == TEXT
    assert without_value(TEXT, ["axes", "tile"]) == TEXT.replace("tile = [16, # small\n  32,\n]  # tiles\n", "")


def test_one_item_of_a_list_is_changed_added_and_left_out() -> None:
    where = ["constraints", "where"]
    assert with_item(TEXT, where, 0, "a <= b") == TEXT.replace('"a < b"', '"a <= b"')
    added = with_item(TEXT, where, 2, "d")
    assert '    "c in [1, 2]",\n    "d",\n]' in added
    assert with_item(added, where, 2) == TEXT
    assert tomllib.loads(with_item(TEXT, where, 0))["constraints"]["where"] == ["c in [1, 2]"]
    assert with_item("[constraints]\n", where, 0, "x") == '[constraints]\nwhere = ["x"]\n'
    assert with_item('[constraints]\nwhere = ["x"]\n', where, 1, "y") == '[constraints]\nwhere = ["x", "y"]\n'


def test_what_is_no_toml_is_not_touched() -> None:
    with pytest.raises(InputError, match="not TOML"):
        with_value("name = \n", ["name"], "b")


def test_a_way_of_writing_that_cannot_be_changed_safely_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be changed here"):
        with_value("[[budget]]\nminutes = 5\n", ["budget", "minutes"], 6)


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
LISTS = st.lists(VALUES, max_size=4)


@given(st.one_of(VALUES, LISTS, st.dictionaries(st.text(max_size=4), VALUES, max_size=3)))
def test_every_value_is_written_so_that_it_is_read_back(value: Any) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


@given(
    st.sampled_from([TEXT, *(path.read_text() for path in GRIDS)]),
    st.lists(
        st.tuples(
            st.sampled_from([
                ("name",), ("axes", "tile_size"), ("axes", "numpy", "threads"), ("problem", "queries"),
                ("targets", "latency_ms.p95"), ("budget", "usd"), ("method", "cache"),
            ]),
            st.one_of(st.none(), VALUES, LISTS),
        ), max_size=5,
    ),
)  # fmt: skip
def test_any_edits_of_any_grid_say_what_was_asked_and_nothing_else(text: str, edits: list[tuple[Any, Any]]) -> None:
    for keys, value in edits:
        before = tomllib.loads(text)
        text = without_value(text, keys) if value is None else with_value(text, keys, value)
        after = tomllib.loads(text)
        holder: Any = after
        for key in keys[:-1]:
            holder = holder.get(key, {})
        assert holder.get(keys[-1]) == value
        for key in set(before) - {keys[0]}:
            assert after[key] == before[key]


def test_a_grid_with_windows_line_ends_is_still_toml() -> None:
    text = 'name = "a"\r\n[budget]\r\nminutes = 5\r\n'
    assert tomllib.loads(with_value(text, ["budget", "minutes"], 6)) == {"name": "a", "budget": {"minutes": 6}}
    assert tomllib.loads(with_value(text, ["budget", "usd"], 6))["budget"] == {"minutes": 5, "usd": 6}
