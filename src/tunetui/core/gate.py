"""Whether a comparison holds a regression: surely, surely not, or not to be told."""

from __future__ import annotations

import math

import msgspec

from tunetui.core.compare import ComparedBoard, ComparedRow, Comparison
from tunetui.core.differences import FAMILY_ERROR, Difference, holm, p_of_more_than, surely_within
from tunetui.core.figures import with_uncertainty
from tunetui.core.labels import assignments, one_line

REGRESSED, PASSED, OPEN = "regressed", "passed", "undecided"
ROWS, BEST = "rows", "best"

GATE_METHOD = (
    "regressed: a row surely is slower by more than the limit (one-sided Welch test with the variance between visits, "
    "5 % after Holm's correction over all rows), or failed where it once was measured; passed: every single row surely "
    "is not (one-sided, 5 % for each); else undecided"
)

OF_ITSELF = "both are the same run, so this says nothing about a change"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to ``--fail-over``."""

    over_percent: float
    judged: str
    """`ROWS`: every row that both have; `BEST`: the fastest row of each, for every problem."""
    outcome: str
    """`REGRESSED`, `PASSED` or `OPEN`."""
    regressed: list[str] = []
    undecided: list[str] = []
    """Rows in words, with what they showed."""
    rows: int
    method: str = GATE_METHOD


def gate(comparison: Comparison, over_percent: float, judged: str = ROWS) -> Gate:
    """Judge ``comparison`` against a slowdown of ``over_percent``."""
    rows = [(board, row) for board in comparison.boards for row in _judged(board, judged)]
    known = [(board, row) for board, row in rows if row.difference is not None]
    adjusted = iter(holm([p_of_more_than(row.difference, over_percent) for _, row in known if row.difference]))
    regressed, undecided = [], []
    for board, row in rows:
        if row.difference is None:
            if row.broke:
                regressed.append(f"{_called(board, row)}: {row.reason}")
            elif row.first_status == "measured":
                undecided.append(f"{_called(board, row)}: {row.reason}")
            continue
        if next(adjusted) <= FAMILY_ERROR:
            regressed.append(f"{_called(board, row)}: {interval_in_words(row)}")
        elif not surely_within(row.difference, over_percent):
            undecided.append(f"{_called(board, row)}: {interval_in_words(row)}")
    undecided += _missing(comparison, judged)
    outcome = REGRESSED if regressed else OPEN if undecided or not rows else PASSED
    return Gate(
        over_percent=over_percent, judged=judged, outcome=outcome, regressed=regressed, undecided=undecided, rows=len(rows)
    )  # fmt: skip


def of_itself(found: Comparison) -> bool:
    """Whether both sides are one run: a repetition has another time."""
    return (found.first.run, found.first.started) == (found.second.run, found.second.started)


def interval_in_words(row: ComparedRow) -> str:
    """``+2.9 % (+1.8 to +4.0)``: the second against the first, positive is slower."""
    found = row.difference
    if found is None:
        return "n/a"
    if found.low_percent is None or found.high_percent is None:
        return f"{found.percent:+.1f} % (no interval)"
    return f"{found.percent:+.1f} % ({found.low_percent:+.1f} to {found.high_percent:+.1f})"


def medians_in_words(row: ComparedRow) -> tuple[str, str]:
    """Both medians in milliseconds, to the digits that the interval of their difference leaves meaning."""
    first, second = (_ms(value, row.difference) for value in (row.first_ms, row.second_ms))
    return first, second


def _ms(value: float | None, difference: Difference | None) -> str:
    """Of the difference's variance either median has about half."""
    if value is None or difference is None or difference.low_percent is None or difference.high_percent is None:
        return with_uncertainty(value, None)
    return with_uncertainty(value, value * (difference.high_percent - difference.low_percent) / 200 / math.sqrt(2))


def _judged(board: ComparedBoard, judged: str) -> list[ComparedRow]:
    if judged == ROWS:
        return board.rows
    return [board.best.row] if board.best is not None else []


def _missing(comparison: Comparison, judged: str) -> list[str]:
    """What the first has and the second lacks: nobody can say that it did not regress."""
    lacking = [
        f"{name}: the second does not have it" for name in comparison.unpaired if name.startswith("only in the first")
    ]
    for board in comparison.boards:
        if judged == ROWS:
            lacking += [f"{name}: the second does not have it" for name in board.only_first]
        elif board.best is None:
            lacking.append(f"{' '.join(assignments(board.problem))}: nothing to hold against each other")
    return lacking


def _called(board: ComparedBoard, row: ComparedRow) -> str:
    words = [one_line(row.implementation), *assignments(row.configuration)]
    return f"{' '.join(words)} ({' '.join(assignments(board.problem))})"
