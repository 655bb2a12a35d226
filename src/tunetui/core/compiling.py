"""Turns the allowed syntax of an expression into closures over rows of values; refuses the rest with its place."""

from __future__ import annotations

import ast
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from tunetui.core import arithmetic
from tunetui.core.arithmetic import Column, NeedsRows, Operand, Refused
from tunetui.core.errors import ExpressionError
from tunetui_agent.messages import Value

FUNCTIONS = {"abs": (1, 1), "ceildiv": (2, 2), "max": (2, 16), "min": (2, 16)}
"""Every function with its least and greatest number of arguments."""

Columns = Mapping[str, NDArray[Any] | Value]
"""A value for each name: arrays that broadcast to one shape, and constants."""


def expression_error(
    what: str, text: str, column: int | None = None, width: int = 1, hint: str = ""
) -> ExpressionError:
    """The error that shows ``text`` with a caret under its characters ``column`` to ``column + width``."""
    place = "" if column is None else f"\n  {' ' * min(column, len(text))}{'^' * max(1, width)}"
    return ExpressionError(f"{what}\n  {text}{place}", expression=text, hint=hint)


def unknown_name(text: str, name: str, known: Iterable[str], column: int | None = None) -> ExpressionError:
    """The error for a name that is not among ``known``, with the nearest one that is."""
    near = difflib.get_close_matches(name, sorted(known), 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(known)) or 'nothing'}"
    at = text.find(name) if column is None else column
    return expression_error(f"{name} is not known here", text, at if at >= 0 else None, len(name), hint)


# --------------------------------------------------------------------------------------------- rows


class Rows:
    """The names' values at the rows under evaluation; `narrowed` keeps some rows only."""

    def __init__(self, text: str, values: Columns, shape: tuple[int, ...]) -> None:
        self.text = text
        self.shape = shape
        self.trying = False
        self._values = values
        self._read: dict[str, Operand] = {}
        self._wider: Rows | None = None
        self._index: tuple[NDArray[Any], ...] = ()

    def read(self, name: str) -> Operand:
        if name not in self._read:
            if name not in self._values:
                raise unknown_name(self.text, name, self._values)
            if self._wider is None:
                value = self._values[name]
                self._read[name] = arithmetic.column_from(value) if isinstance(value, np.ndarray) else value
            else:
                self._read[name] = self._wider.taken(self._wider.read(name), self._index)
        return self._read[name]

    def taken(self, operand: Operand, index: tuple[NDArray[Any], ...]) -> Operand:
        """The operand at some of these rows."""
        if not isinstance(operand, Column):
            return operand
        return Column(np.broadcast_to(operand.data, self.shape)[index], operand.low, operand.high)

    def tried(self) -> Rows:
        """The same rows, for an attempt whose failure leads to `narrowed`."""
        rows = copy(self)
        rows.trying = True
        return rows

    def narrowed(self, index: tuple[NDArray[Any], ...]) -> Rows:
        rows = Rows(self.text, self._values, (len(index[0]),))
        rows._wider, rows._index = self, index
        return rows


Closure = Callable[[Rows], Operand]


def _choose(rows: Rows, condition: Column, then: Closure, otherwise: Closure) -> Operand:
    """``then`` where the condition holds, ``otherwise`` elsewhere, each evaluated only on its own rows."""
    holds = np.broadcast_to(condition.data, rows.shape)
    pieces = []
    for mask, branch in ((holds, then), (~holds, otherwise)):
        index = np.nonzero(mask)
        if len(index[0]):
            pieces.append((index, branch(rows.narrowed(index))))
    return arithmetic.scatter(rows.shape, pieces)


# ----------------------------------------------------------------------------------------- compiling


class Compiler:
    """Turns the allowed syntax into closures over `Rows`; everything else is refused with its place."""

    _BINARY: ClassVar = {
        ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    }  # fmt: skip
    _COMPARE: ClassVar = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}

    def __init__(self, text: str) -> None:
        self._text = text

    def compiled(self, node: ast.expr) -> Closure:
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._at(node, f"{ast.unparse(node)[:40]} is not allowed in an expression")
        closure: Closure = method(node)
        return closure

    def _at(self, node: ast.expr, what: str, hint: str = "") -> ExpressionError:
        # ast counts bytes, the caret counts characters
        start = len(self._text.encode()[: node.col_offset].decode(errors="ignore"))
        width = (node.end_col_offset or 0) - node.col_offset
        return expression_error(what, self._text, start, width, hint)

    def _placed(self, node: ast.expr, operation: Callable[[Rows], Operand]) -> Closure:
        """The operation, with a refusal turned into an error that points at ``node``."""

        def run(rows: Rows) -> Operand:
            try:
                return operation(rows)
            except Refused as refusal:
                raise self._at(node, refusal.message, refusal.hint) from None

        return run

    def _constant(self, node: ast.Constant) -> Closure:
        value = node.value
        if not isinstance(value, bool | int | float | str):
            raise self._at(node, "only numbers, text, True and False are allowed")
        if (isinstance(value, int) and value > arithmetic.INTEGER_LIMIT) or value in (math.inf, -math.inf):
            raise self._at(node, "this number does not fit into 64 bits")
        return lambda _: value

    def _name(self, node: ast.Name) -> Closure:
        name = node.id
        return lambda rows: rows.read(name)

    def _unaryop(self, node: ast.UnaryOp) -> Closure:
        operand = self.compiled(node.operand)
        if isinstance(node.op, ast.USub):
            return self._placed(node, lambda rows: arithmetic.negative(operand(rows)))
        if isinstance(node.op, ast.UAdd):
            return self._placed(node, lambda rows: arithmetic.binary("+", 0, operand(rows)))
        if isinstance(node.op, ast.Not):
            return self._placed(node, lambda rows: arithmetic.compare("==", arithmetic.truth(operand(rows)), False))
        raise self._at(node, "~ is not allowed", "write: not")

    def _binop(self, node: ast.BinOp) -> Closure:
        symbol = self._BINARY.get(type(node.op))
        if symbol is None:
            raise self._at(node, "this operator is not allowed", "write and / or for conditions, ** for powers")
        left, right = self.compiled(node.left), self.compiled(node.right)
        return self._placed(node, lambda rows: arithmetic.binary(symbol, left(rows), right(rows)))

    def _compare(self, node: ast.Compare) -> Closure:
        steps = [self._step(node, op, right) for op, right in zip(node.ops, node.comparators, strict=True)]
        first = self.compiled(node.left)

        def run(rows: Rows) -> Operand:
            left: Any = first(rows)
            answer: Operand = True
            for number, (right, answered) in enumerate(steps):
                try:
                    value = right(rows) if right is not None else None
                    said = answered(left, value)
                except (Refused, ExpressionError):
                    if isinstance(answer, Column) and number:
                        raise NeedsRows from None  # perhaps only in rows that an earlier link has decided
                    raise
                if isinstance(answer, Column):
                    answer = arithmetic.combine(False, answer, said)
                elif said is False:
                    return False
                else:
                    answer = said
                left = value
            return answer

        return self._placed(node, run)

    def _step(
        self, node: ast.Compare, op: ast.cmpop, right: ast.expr
    ) -> tuple[Closure | None, Callable[[Any, Any], Operand]]:
        """One link of a chain: what to evaluate on its right, and the answer from both sides."""
        if isinstance(op, ast.In | ast.NotIn):
            values, expected = self._constants(right), isinstance(op, ast.In)
            if len(node.ops) > 1:
                raise self._at(node, "`in` does not chain", "join the parts with and")
            return None, lambda left, _: arithmetic.compare("==", arithmetic.contains(values, left), expected)
        symbol = self._COMPARE.get(type(op))
        if symbol is None:
            raise self._at(node, "`is` is not allowed", "write == or !=")
        return self.compiled(right), lambda left, value: arithmetic.compare(symbol, left, value)

    def _constants(self, node: ast.expr) -> list[Value]:
        values: list[Value] = []
        if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
            raise self._at(node, "`in` needs a list of constants", "for example: tile in [16, 32]")
        for item in node.elts:
            inner = item.operand if isinstance(item, ast.UnaryOp) and isinstance(item.op, ast.USub) else item
            if not isinstance(inner, ast.Constant):
                raise self._at(item, "`in` needs constants only", "for example: tile in [16, 32]")
            values.append(cast("Value", self.compiled(item)(Rows(self._text, {}, ()))))
        return values

    def _boolop(self, node: ast.BoolOp) -> Closure:
        parts, stops_at = [self.compiled(part) for part in node.values], isinstance(node.op, ast.Or)

        def run(rows: Rows) -> Operand:
            answer = parts[0](rows)
            for part in parts[1:]:
                decided = arithmetic.truth(answer)
                if isinstance(decided, Column) and isinstance(answer, Column):
                    answer = _joined(rows, stops_at, answer, decided, part)
                elif decided != stops_at:
                    answer = part(rows)
            arithmetic.truth(answer)
            return answer

        return self._placed(node, run)

    def _ifexp(self, node: ast.IfExp) -> Closure:
        test, then, otherwise = self.compiled(node.test), self.compiled(node.body), self.compiled(node.orelse)

        def run(rows: Rows) -> Operand:
            condition = arithmetic.truth(test(rows))
            if not isinstance(condition, Column):
                return then(rows) if condition else otherwise(rows)
            try:
                return arithmetic.where(condition, then(rows.tried()), otherwise(rows.tried()))
            except (NeedsRows, ExpressionError):
                if rows.trying:
                    raise
            return _choose(rows, condition, then, otherwise)

        return self._placed(node, run)

    def _call(self, node: ast.Call) -> Closure:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 1, 0.6)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(FUNCTIONS)}"
            raise self._at(node.func, f"{name[:40]} is not a function here", hint)
        least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            raise self._at(node, f"{name} takes {least if least == most else f'{least} or more'} plain argument(s)")
        inputs = [self.compiled(argument) for argument in node.args]
        if name == "abs":
            return self._placed(node, lambda rows: arithmetic.absolute(inputs[0](rows)))
        if name == "ceildiv":
            return self._placed(node, lambda rows: arithmetic.ceildiv(inputs[0](rows), inputs[1](rows)))
        return self._placed(node, lambda rows: arithmetic.extreme(name, [part(rows) for part in inputs]))


def _joined(rows: Rows, stops_at: bool, answer: Column, decided: Column, part: Closure) -> Operand:
    """``answer and part`` or ``answer or part``: all rows at once if that works, else only the undecided ones."""
    try:
        return arithmetic.combine(stops_at, answer, part(rows.tried()))
    except (NeedsRows, ExpressionError):
        if rows.trying:
            raise
    open_rows = np.broadcast_to(decided.data != stops_at, rows.shape)
    index, rest = np.nonzero(open_rows), np.nonzero(~open_rows)
    if not len(index[0]):
        return answer
    pieces = [(index, part(rows.narrowed(index)))]
    return arithmetic.scatter(rows.shape, [*pieces, (rest, rows.taken(answer, rest))] if len(rest[0]) else pieces)
