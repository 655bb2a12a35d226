"""Tables as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tunetui.cli.tables import Column, lay_out
from tunetui.core.text_fitting import fit, header_lines, text_width, wrapped

RANK = Column(key="rank", header=("#",), cells=["1=", "1=", "3"], align="right")
NAME = Column(key="implementation", header=("implementation",), cells=["mojo", "numpy", "mojo"])
MEDIAN = Column(key="latency_ms.median", header=("median", "ms"), cells=["0.3101", "0.311", "12"], align="point")
P95 = Column(key="latency_ms.p95", header=("p95", "ms"), cells=["0.32", "0.33", "13"], align="point", gives_way=1)
TAGS = Column(key="tags", header=("tags",), cells=["", "noisy", ""], gives_way=2)


def test_points_stand_below_each_other_and_units_last() -> None:
    table = lay_out([RANK, NAME, MEDIAN, P95, TAGS], None)
    assert [*table.header, *table.body] == [
        "                     median    p95",
        " #  implementation       ms     ms  tags",
        "1=  mojo             0.3101   0.32",
        "1=  numpy            0.311    0.33  noisy",
        " 3  mojo            12       13",
    ]


def test_columns_give_way_in_the_stated_order() -> None:
    assert lay_out([RANK, NAME, MEDIAN, P95, TAGS], 36).left_out == ["tags"]
    assert lay_out([RANK, NAME, MEDIAN, P95, TAGS], 30).left_out == ["tags", "latency_ms.p95"]


def test_columns_that_stay_are_never_cut() -> None:
    table = lay_out([RANK, NAME, MEDIAN, P95, TAGS], 5)
    assert table.left_out == ["tags", "latency_ms.p95"]
    assert "0.3101" in table.body[0]


@given(width=st.integers(min_value=27, max_value=60))
def test_no_line_is_wider_than_asked_while_columns_can_give_way(width: int) -> None:
    table = lay_out([RANK, NAME, MEDIAN, P95, TAGS], width)
    assert max(text_width(line) for line in [*table.header, *table.body]) <= width


def test_wide_characters_take_two_columns() -> None:
    assert text_width("行列") == 4
    assert fit("行列計算", 5) == "行列…"
    assert fit("plain", 5) == "plain"


def test_long_names_are_broken_over_header_lines() -> None:
    assert header_lines("row_block") == ("row", "block")
    assert header_lines("k") == ("k",)
    assert header_lines("tile_rows") == ("tile", "rows")
    assert header_lines("median", "ms") == ("median", "ms")


def test_words_are_wrapped_whole() -> None:
    assert wrapped(["aaa", "bbb", "ccc"], 9, indent="  ", first="x ") == ["x aaa bbb", "  ccc"]
    assert wrapped([], 9) == []
