"""Which rows and columns are shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tunetui.core.errors import InputError
from tunetui.core.selection import find_column, matching, names_of, order
from tunetui_agent.messages import Value


@dataclass
class Figures:
    figures: dict[str, Value] = field(default_factory=dict)


FAST = Figures(
    {"implementation": "mojo", "row_block": 4, "latency_ms.p95": 0.3, "latency_ms.min": 0.1, "quality.recall": 1.0}
)
SLOW = Figures(
    {"implementation": "numpy", "select": "sort", "latency_ms.p95": 9.0, "latency_ms.min": 8.0, "quality.recall": 1.0}
)
WRONG = Figures({"implementation": "mojo", "row_block": 1})
ROWS = [WRONG, SLOW, FAST]
NAMES = names_of(ROWS)


def test_a_column_is_found_by_its_name_or_its_end() -> None:
    assert find_column("latency_ms.p95", NAMES) == "latency_ms.p95"
    assert find_column("recall", NAMES) == "quality.recall"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("latency_ms.p59", "did you mean 'latency_ms.p95'?"),
        ("recal", "did you mean 'quality.recall'?"),
        ("zzzz", "there is: "),
    ],
)
def test_an_unknown_column_names_the_nearest(asked: str, hint: str) -> None:
    with pytest.raises(InputError) as refused:
        find_column(asked, NAMES)
    assert refused.value.hint.startswith(hint)


def test_rows_without_the_figure_stand_last_either_way() -> None:
    assert order(ROWS, "latency_ms.p95", descending=False) == [FAST, SLOW, WRONG]
    assert order(ROWS, "latency_ms.p95", descending=True) == [SLOW, FAST, WRONG]
    assert order(ROWS, "implementation", descending=False) == [WRONG, FAST, SLOW]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("row_block >= 2", [FAST]),
        ("latency_ms.p95 < 1 and recall == 1", [FAST]),
        ("implementation == 'numpy'", [SLOW]),
        ('select in ["sort", "latency_ms.p95"]', [SLOW]),
        ("latency_ms.p95 > 0", [SLOW, FAST]),
        ("row_block < 100", [WRONG, FAST]),
        ("False", []),
    ],
)
def test_rows_are_filtered_by_the_expressions_of_constraints(expression: str, found: list[Figures]) -> None:
    assert matching(ROWS, expression) == found


@pytest.mark.parametrize(
    "expression", ["row_blok > 1", "latency_ms.p59 > 1", "row_block >", "__import__('os')", "row_block = 1"]
)
def test_an_expression_that_cannot_be_used_is_bad_input(expression: str) -> None:
    with pytest.raises(InputError):
        matching(ROWS, expression)


def test_a_misspelt_dotted_name_is_told_as_it_was_written() -> None:
    with pytest.raises(InputError) as refused:
        matching(ROWS, "latency_ms.p59 > 1")
    assert "latency_ms.p59" in refused.value.message
    assert "latency_ms.p95" in refused.value.hint
    assert "__" not in refused.value.message + refused.value.hint
