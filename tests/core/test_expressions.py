"""Expressions mean what Python means, on one value and on columns, and refuse everything else clearly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunetui.core.errors import ExpressionError
from tunetui.core.expressions import parse

INTEGERS = ("i", "j")
NAMES = (*INTEGERS, "x", "flag")


def _numbers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(children, children)
    return st.one_of(
        st.tuples(pair, st.sampled_from(["+", "-", "*", "/", "//", "%"])).map(
            lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"
        ),
        st.tuples(children, st.integers(-2, 3)).map(lambda t: f"({t[0]} ** {t[1]})"),  # Python would never end on more
        pair.map(lambda t: f"min({t[0]}, {t[1]})"),
        pair.map(lambda t: f"max({t[0]}, {t[1]}, 3)"),
        pair.map(lambda t: f"ceildiv({t[0]}, {t[1]})"),
        children.map(lambda t: f"abs({t})"),
        children.map(lambda t: f"(-{t})"),
        st.tuples(_conditions(children), children, children).map(lambda t: f"({t[1]} if {t[0]} else {t[2]})"),
    )


def _conditions(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    compared = st.tuples(numbers, operator, numbers).map(" ".join)
    chained = st.tuples(numbers, operator, numbers, operator, numbers).map(" ".join)
    simple = st.one_of(compared, chained, numbers, numbers.map(lambda t: f"{t} not in [0, 2, -1.5]"))
    return st.one_of(
        simple.map(lambda t: f"({t})"),
        simple.map(lambda t: f"(not ({t}))"),
        st.tuples(simple, st.sampled_from(["and", "or"]), simple, simple).map(
            lambda t: f"(({t[0]}) {t[1]} ({t[2]}) {t[1]} ({t[3]}))"
        ),
    )


LEAVES = st.one_of(
    st.sampled_from(NAMES),
    st.integers(0, 5).map(str),
    st.sampled_from(["0.5", "1.5", "3000000000", "9007199254740993", "True"]),
)
EXPRESSIONS = st.recursive(LEAVES, _numbers, max_leaves=12)
ROWS = st.lists(
    st.tuples(
        st.one_of(st.integers(-4, 40), st.sampled_from([2**31, 2**53 + 1, 2**62])),
        st.integers(0, 4),
        st.sampled_from([-2.5, -1.0, 0.0, 0.5, 2.0, 1e18, 1e300]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def _by_python(text: str, values: dict[str, Any]) -> Any:
    functions = {"min": min, "max": max, "abs": abs, "ceildiv": lambda a, b: -(-a // b)}
    return eval(text, {"__builtins__": {}, **functions}, values)  # noqa: S307 - the text was made above


def _by_value(text: str, values: dict[str, Any]) -> Any:
    try:
        return parse(text).value(values)
    except ExpressionError as error:
        return error


def _same(found: Any, expected: Any) -> bool:
    both_nan = isinstance(found, float) and isinstance(expected, float) and math.isnan(found) and math.isnan(expected)
    return both_nan or bool(found == expected)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, ROWS)
def test_one_value_is_what_python_says_and_a_column_is_what_its_rows_say(text: str, rows: list[Any]) -> None:
    listed = [dict(zip(NAMES, row, strict=True)) for row in rows]
    answers = [_by_value(text, values) for values in listed]
    for values, answer in zip(listed, answers, strict=True):
        try:
            expected = _by_python(text, values)
        except (ZeroDivisionError, OverflowError, TypeError, MemoryError):  # TypeError: a complex number compared
            assert isinstance(answer, ExpressionError)
            continue
        if isinstance(answer, ExpressionError):
            assert any(said in answer.message for said in ("64 bits", "fractional power", "too large"))
        else:
            assert _same(answer, expected)
    columns = {name: np.array([values[name] for values in listed]) for name in NAMES}
    refused = [answer for answer in answers if isinstance(answer, ExpressionError)]
    if refused:
        with pytest.raises(ExpressionError):
            parse(text).column(columns, len(rows))
    else:
        found = parse(text).column(columns, len(rows)).tolist()
        assert all(_same(one, other) for one, other in zip(found, answers, strict=True))


def test_rows_that_are_decided_never_reach_what_would_fail_there() -> None:
    columns = {"x": np.array([0, 2, 3]), "y": np.array([4, 4, 4])}
    assert parse("x == 0 or y % x == 0").mask(columns, 3).tolist() == [True, True, False]
    assert parse("x != 0 and y // x == 2").mask(columns, 3).tolist() == [False, True, False]
    assert parse("y / x if x else -1").column(columns, 3).tolist() == [-1, 2.0, 4 / 3]
    assert parse("0 < x < 9 // x").column(columns, 3).tolist() == [False, True, False]


def test_guards_work_when_columns_stand_at_right_angles() -> None:
    columns = {"x": np.array([0, 2, 3])[:, None], "y": np.array([4, 6])[None, :]}
    found = parse("x == 0 or y % x == 0").mask(columns, (3, 2))
    assert found.tolist() == [[True, True], [True, True], [False, True]]


def test_a_guard_inside_a_guard_reaches_only_its_own_rows() -> None:
    columns = {"x": np.array([0, 0, 2]), "y": np.array([0, 5, 4])}
    found = parse("y == 0 or (x != 0 and (y % x == 0 and 8 // (x * y) == 1))").mask(columns, 3)
    assert found.tolist() == [True, False, True]


def test_text_compares_with_text_only() -> None:
    columns = {"select": np.array(["sort", "argpartition"])}
    assert parse("select == 'sort'").mask(columns, 2).tolist() == [True, False]
    assert parse("select in ['sort', 'heap']").mask(columns, 2).tolist() == [True, False]
    assert parse("select in ('sort', 'heap')").value({"select": "heap"}) is True
    for text in ("select + 1", "select == 1", "select in [1]", "select < 2", "min(select, 1)", "not select", "-select"):
        with pytest.raises(ExpressionError):
            parse(text).value({"select": "sort"})
        with pytest.raises(ExpressionError):
            parse(text).mask(columns, 2)


def test_whole_numbers_beyond_64_bits_are_refused_and_never_wrap() -> None:
    for text in ("x * x", "x + x", "-x - x", "x ** 2", "2 ** 64", "(x * 2) // 2", "2 ** (x // 1000)"):
        with pytest.raises(ExpressionError, match="64 bits"):
            parse(text).value({"x": 2**62})
        with pytest.raises(ExpressionError, match="64 bits"):
            parse(text).column({"x": np.array([1, 2**62])}, 2)


def test_whole_numbers_stay_exact_where_a_float_would_round() -> None:
    large = 2**53 + 1
    assert parse("x == 9007199254740992.0").mask({"x": np.array([large, large - 1])}, 2).tolist() == [False, True]
    assert parse("ceildiv(x, 2)").column({"x": np.array([large])}, 1).tolist() == [2**52 + 1]


def test_an_unknown_name_names_the_nearest_one() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("tile_sise * 4 <= 1024", names=["tile_size", "block_size"])
    assert caught.value.hint == "did you mean tile_size?"
    assert caught.value.expression == "tile_sise * 4 <= 1024"
    with pytest.raises(ExpressionError, match="depth is not known"):
        parse("depth > 1").value({"width": 1})


def test_an_error_points_at_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("1 + y % x").value({"x": 0, "y": 3})
    assert caught.value.message == "division by zero\n  1 + y % x\n      ^^^^^"
    assert "guard" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('id')",
        "x.__class__",
        "[x for x in y]",
        "lambda: 1",
        "(x := 3)",
        "x[0]",
        "f'{x}'",
        "print(x)",
        "min(*x)",
        "max(x, key=abs)",
        "max(x)",
        "x is True",
        "x in y",
        "x in [y]",
        "x in []",
        "~x",
        "x << 2",
        "x & 1",
        "x && y",
        "x = 3",
        "None",
        "1j",
        "b'x'",
        "1e999",
        "99999999999999999999",
        "x +",
        "",
        "x\0",
        "(" * 300 + "x" + ")" * 300,
        "-" * 1900 + "x",
        "1+" * 900 + "1",
        "x" * 3000,
    ],
)
def test_what_is_outside_the_language_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_names_are_what_the_expression_reads() -> None:
    assert parse("min(a, b) + ceildiv(c, 2)").names == {"a", "b", "c"}
    assert parse("k <= corpus_size") is parse(" k <= corpus_size ")


def test_a_constant_condition_fills_its_column() -> None:
    assert parse("1 < 2").mask({}, 3).tolist() == [True, True, True]
    assert parse("x > 1").mask({"x": np.array([], np.int64)}, 0).tolist() == []
