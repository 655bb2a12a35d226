"""Constraints, geometry and metrics written as text: parsed once into a small allowed language, never ``eval``.

Allowed: whole and decimal numbers, text, True and False, names, ``+ - * / // % **``, comparisons and their chains,
``and or not``, ``a if c else b``, ``x in [1, 2]``, and the functions of `compiling.FUNCTIONS`.  The meaning is Python's, with
two refusals: whole numbers beyond 64 bits, and text where a number is needed.  ``and``, ``or`` and ``if`` skip
what is already decided, row by row, so ``x == 0 or y % x == 0`` never divides by zero.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core import arithmetic
from tunetui.core.arithmetic import Column, NeedsRows
from tunetui.core.compiling import Columns, Compiler, Rows, expression_error, unknown_name
from tunetui_agent.messages import Value

MAX_CHARACTERS = 2000
MAX_NODES = 400
MAX_DEPTH = 50


_COMPARE = 'compare it: name == "text"'


class Expression:
    """One parsed expression: ``text`` as written, ``names`` that it reads.  Made by `parse`."""

    def __init__(self, text: str, body: ast.expr, names: frozenset[str]) -> None:
        self.text = text
        self.names = names
        self._evaluate = Compiler(text).compiled(body)

    def __repr__(self) -> str:
        return f"parse({self.text!r})"

    def require(self, known: Iterable[str]) -> Expression:
        """The expression itself, once every name that it reads is in ``known``.

        Raises:
            ExpressionError: it reads another name; the hint has the nearest known one.
        """
        known = set(known)
        for name in sorted(self.names - known):
            raise unknown_name(self.text, name, known)
        return self

    def value(self, values: Mapping[str, Value]) -> Value:
        """The value for one set of values, whole numbers exact.

        Raises:
            ExpressionError: unknown name, division by zero, overflow, text where a number is needed.
        """
        result = self._evaluate(Rows(self.text, values, ()))
        if isinstance(result, Column):
            raise TypeError("value() takes plain values, column() takes arrays")
        return result

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the expression is true of one set of values.  Raises as `value`."""
        value = self.value(values)
        if isinstance(value, str):
            raise expression_error("text is not a condition", self.text, hint=_COMPARE)
        return bool(value)

    def column(self, columns: Columns, shape: int | tuple[int, ...]) -> NDArray[Any]:
        """The values of all rows, as an array of ``shape`` (int64, float64, bool or text; object if kinds mix).

        Each column must broadcast to ``shape``.  Raises as `value`, for any row.
        """
        shape = (shape,) if isinstance(shape, int) else shape
        if math.prod(shape) == 0:
            return np.zeros(shape, np.bool_)
        try:
            result = self._evaluate(Rows(self.text, columns, shape))
            data = result.data if isinstance(result, Column) else arithmetic.array_from([result]).reshape(())
            return np.broadcast_to(data, shape)
        except NeedsRows:
            return self._row_by_row(columns, shape)

    def mask(self, columns: Columns, shape: int | tuple[int, ...]) -> NDArray[np.bool_]:
        """Which rows the expression is true of.  Raises as `value`, for any row."""
        result = self.column(columns, shape)
        if result.dtype.kind == "U" or (result.dtype.kind == "O" and any(isinstance(v, str) for v in result.flat)):
            raise expression_error("text is not a condition", self.text, hint=_COMPARE)
        return result.astype(np.bool_, copy=False)

    def _row_by_row(self, columns: Columns, shape: tuple[int, ...]) -> NDArray[Any]:
        lists: dict[str, list[Value]] = {}
        for name in self.names & columns.keys():
            lists[name] = np.broadcast_to(np.asarray(columns[name]), shape).ravel().tolist()
        rows = zip(*lists.values(), strict=True) if lists else iter([()] * math.prod(shape))
        return arithmetic.array_from(self.value(dict(zip(lists, row, strict=True))) for row in rows).reshape(shape)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Expression:
    if len(text) > MAX_CHARACTERS:
        raise expression_error(f"the expression is longer than {MAX_CHARACTERS:,} characters", text[:60] + " ...")
    for wrong, right in (("&&", "and"), ("||", "or")):
        if wrong in text:
            raise expression_error(f"{wrong} is not an operator here", text, text.index(wrong), 2, f"write: {right}")
    try:
        with warnings.catch_warnings():  # such as "invalid escape sequence": not the operator's concern
            warnings.simplefilter("ignore")
            body = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        hint = "write == to compare" if "=" in text and "==" not in text else ""
        raise expression_error(
            f"cannot read the expression: {error.msg}", text, max(0, (error.offset or 1) - 1), hint=hint
        ) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise expression_error(f"cannot read the expression: {error}", text) from None
    _limit_size(text, body)
    names = frozenset(node.id for node in ast.walk(body) if isinstance(node, ast.Name)) - _called(body)
    return Expression(text, body, names)


def parse(text: str, names: Iterable[str] | None = None) -> Expression:
    """The expression in ``text``; with ``names``, only those may be read.

    Raises:
        ExpressionError: not in the allowed language, too large, or an unknown name.
    """
    expression = _parsed(" ".join(text.split()) if "\n" in text else text.strip())
    return expression if names is None else expression.require(names)


def _called(body: ast.expr) -> frozenset[str]:
    calls = (node.func for node in ast.walk(body) if isinstance(node, ast.Call))
    return frozenset(func.id for func in calls if isinstance(func, ast.Name))


def _limit_size(text: str, body: ast.expr) -> None:
    level: list[ast.AST] = [body]
    nodes = depth = 0
    while level:
        nodes, depth = nodes + len(level), depth + 1
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            raise expression_error(
                f"more than {MAX_NODES} parts, or nested deeper than {MAX_DEPTH}", text[:60] + " ..."
            )
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
