"""Which rows and columns of a leaderboard are shown: names found, rows filtered and ordered."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tunetui.core.errors import ExpressionError, InputError
from tunetui.core.expressions import Expression, parse
from tunetui_agent.messages import Value

_QUOTED_OR_DOTTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\W\d]\w*(?:\.[^\W\d]\w*)+""")
_SHOWN_NAMES = 12


class HasFigures(Protocol):
    """Anything with named figures; a name that a row does not have is absent."""

    @property
    def figures(self) -> Mapping[str, Value]: ...


R = TypeVar("R", bound=HasFigures)


def names_of(rows: Iterable[HasFigures]) -> list[str]:
    """Every figure that some row has, in the order first met."""
    return list(dict.fromkeys(name for row in rows for name in row.figures))


def find_column(asked: str, known: Sequence[str]) -> str:
    """The column that ``asked`` names: in full (``latency_ms.p95``), or by its end where only one has it (``p95``).

    Raises:
        InputError: no such column, or several; the hint names the nearest.
    """
    if asked in known:
        return asked
    ends = [name for name in known if name.endswith(f".{asked}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise InputError(f"{asked!r} could be any of {', '.join(ends)}", hint="write it in full")
    shorts = {name.rpartition(".")[2]: name for name in known}
    near = difflib.get_close_matches(asked, [*known, *shorts], n=1)
    if near:
        raise InputError(f"there is no column {asked!r}", hint=f"did you mean {shorts.get(near[0], near[0])!r}?")
    shown = ", ".join(known[:_SHOWN_NAMES]) + (", ..." if len(known) > _SHOWN_NAMES else "")
    raise InputError(f"there is no column {asked!r}", hint=f"there is: {shown}")


def order(rows: Sequence[R], column: str, *, descending: bool) -> list[R]:
    """Rows by one column; what lacks the figure stands last either way, and equal figures keep their order."""
    having = [row for row in rows if column in row.figures]
    lacking = [row for row in rows if column not in row.figures]
    return sorted(having, key=lambda row: _sort_key(row.figures[column]), reverse=descending) + lacking


@dataclass(frozen=True)
class Filter:
    """An expression over figures; ``reads`` has the expression's names and the figures that they stand for."""

    expression: Expression
    reads: Mapping[str, str]

    def holds(self, figures: Mapping[str, Value]) -> bool:
        """Whether it holds for a row; one that lacks a figure which the expression reads does not match.

        Raises:
            ExpressionError: text where a number is needed, division by zero.
        """
        return all(figure in figures for figure in self.reads.values()) and self.expression.holds(
            {name: figures[figure] for name, figure in self.reads.items()}
        )


def read_filter(text: str, known: Sequence[str]) -> Filter:
    """The filter in ``text``, in which a figure may be named in full or by its end (``recall``).

    Raises:
        ExpressionError: it cannot be read, or reads a name that is not ``known``.
    """
    spelled = {_identifier(name): name for name in known}
    for name in known:  # `recall` for `quality.recall`, where nothing else is called so
        short = name.rpartition(".")[2]
        if short not in spelled and sum(other.rpartition(".")[2] == short for other in known) == 1:
            spelled[short] = name
    try:
        expression = parse(_QUOTED_OR_DOTTED.sub(_undotted, text)).require(spelled)
    except ExpressionError as error:
        raise _in_their_spelling(error, text, known) from None
    return Filter(expression, {name: spelled[name] for name in expression.names})


def matching(rows: Sequence[R], text: str, known: Sequence[str] | None = None) -> list[R]:
    """Rows for which the expression holds; a row that lacks a figure which the expression reads does not match.

    Raises:
        InputError: the expression cannot be read, or reads a name that no row has.
    """
    known = names_of(rows) if known is None else known
    asked = read_filter(text, known)
    try:
        return [row for row in rows if asked.holds(row.figures)]
    except ExpressionError as error:
        raise _in_their_spelling(error, text, known) from None


def _in_their_spelling(error: ExpressionError, text: str, known: Sequence[str]) -> ExpressionError:
    """The error in the operator's spelling of names again."""
    asked = [found[0] for found in _QUOTED_OR_DOTTED.finditer(text) if found[0][0] not in "\"'"]
    said, hint = error.message, error.hint
    for name in [*known, *asked]:
        said, hint = said.replace(_identifier(name), name), hint.replace(_identifier(name), name)
    return ExpressionError(said, expression=text, hint=hint)


def _undotted(found: re.Match[str]) -> str:
    text = found[0]
    return text if text[0] in "\"'" else _identifier(text)


def _identifier(name: str) -> str:
    return name.replace(".", "__")


def _sort_key(value: Value) -> tuple[int, float, str]:
    return (1, 0.0, value) if isinstance(value, str) else (0, float(value), "")
