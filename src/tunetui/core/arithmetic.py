"""What every operator of an expression means, on one Python value and on NumPy columns alike.

A value is a Python bool, int, float or str; a `Column` is many of one kind, as an array that broadcasts.  Both
give what Python gives: ``/`` is true division, ``//`` and ``%`` round down, whole numbers are exact.  Whole
numbers that leave 64 bits are refused in both.  Where NumPy would answer otherwise than Python (mixed kinds,
whole numbers that a float cannot hold, powers of floats), a column operation raises `NeedsRows`, and the caller
goes row by row.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui_agent.messages import Value

INTEGER_LIMIT = 2**63 - 1
FLOAT_EXACT = 2**53
"""Every whole number up to here is a float64 too."""
POWER_LIMIT = 64


class Refused(Exception):
    """An operation that has no answer; the expression adds its text and the place."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NeedsRows(Exception):
    """NumPy cannot answer this exactly as Python would: evaluate row by row."""


class Column:
    """Values of one kind as an array, with bounds for whole numbers so that overflow is seen before it happens."""

    __slots__ = ("data", "high", "low")

    def __init__(self, data: NDArray[Any], low: int | None = None, high: int | None = None) -> None:
        self.data = data
        if low is None or high is None:
            low, high = _bounds(data)
        self.low, self.high = low, high

    @property
    def kind(self) -> str:
        """``"b"``, ``"i"``, ``"f"`` or ``"U"``, as in NumPy."""
        return self.data.dtype.kind

    @property
    def magnitude(self) -> int:
        """No value of a whole-number column is further from zero."""
        return max(abs(self.low), abs(self.high))

    def tightened(self) -> Column:
        """The same values with bounds read from the data rather than derived."""
        return Column(self.data)


Operand = Value | Column


def column_from(array: NDArray[Any]) -> Column:
    """A column of ``array``, whole numbers as int64.

    Raises:
        NeedsRows: the array holds mixed kinds or whole numbers beyond 64 bits.
    """
    if array.dtype.kind == "u" and array.size and int(array.max()) > INTEGER_LIMIT:
        raise NeedsRows
    if array.dtype.kind in "iu":
        column = Column(array.astype(np.int64, copy=False))
        if column.low < -INTEGER_LIMIT:
            raise NeedsRows
        return column
    if array.dtype.kind == "f":
        return Column(array.astype(np.float64, copy=False), 0, 0)
    if array.dtype.kind == "b":
        return Column(array, 0, 1)
    if array.dtype.kind == "U":
        return Column(array, 0, 0)
    raise NeedsRows


def array_from(values: Iterable[Value]) -> NDArray[Any]:
    """The values as an array of their common kind; of dtype object where there is none or where int64 is too small."""
    listed = list(values)
    kinds = {type(value) for value in listed}
    if kinds == {bool}:
        return np.array(listed, np.bool_)
    if kinds <= {bool, int} and all(abs(value) <= INTEGER_LIMIT for value in listed):  # type: ignore[arg-type]
        return np.array(listed, np.int64)
    if kinds == {float}:
        return np.array(listed, np.float64)
    if kinds == {str} and not any("\0" in str(value) for value in listed):  # NumPy drops a trailing NUL
        return np.array(listed, np.str_)
    mixed = np.empty(len(listed), object)
    mixed[:] = listed
    return mixed


def binary(symbol: str, left: Operand, right: Operand) -> Operand:
    """``left symbol right`` for ``+ - * / // % **``."""
    if is_text(left) or is_text(right):
        raise Refused(f"{symbol} needs numbers on both sides, one is text")
    if isinstance(left, Column) or isinstance(right, Column):
        return _binary_columns(symbol, _as_numbers(left), _as_numbers(right))
    return _binary_values(symbol, left, right)


def negative(operand: Operand) -> Operand:
    """``-operand``."""
    return binary("-", 0, operand) if _is_whole(operand) else binary("*", operand, -1.0)


def ceildiv(left: Operand, right: Operand) -> Operand:
    """``left / right`` rounded up, exactly: ``-(-left // right)``."""
    return negative(binary("//", negative(left), right))


def absolute(operand: Operand) -> Operand:
    """``abs(operand)``."""
    if is_text(operand):
        raise Refused("abs needs a number, found text")
    if not isinstance(operand, Column):
        return abs(operand)  # type: ignore[arg-type]
    column = _as_numbers(operand)
    return Column(np.abs(column.data), 0, column.magnitude)


def extreme(symbol: str, operands: list[Operand]) -> Operand:
    """``min`` or ``max`` of two or more numbers."""
    if any(is_text(operand) for operand in operands):
        raise Refused(f"{symbol} needs numbers, one is text")
    if not any(isinstance(operand, Column) for operand in operands):
        return (min if symbol == "min" else max)(operands)  # type: ignore[type-var]
    pick: Any = np.minimum if symbol == "min" else np.maximum
    choose = min if symbol == "min" else max
    columns = [_as_numbers(operand) for operand in operands]
    if len({column.kind for column in columns}) > 1:
        raise NeedsRows
    if columns[0].kind == "f" and any(bool(np.isnan(column.data).any()) for column in columns):
        raise NeedsRows  # Python's min and NumPy's treat nan differently
    result = columns[0]
    for column in columns[1:]:
        result = Column(
            pick(result.data, column.data), choose(result.low, column.low), choose(result.high, column.high)
        )
    return result


def compare(symbol: str, left: Operand, right: Operand) -> Operand:
    """``left symbol right`` for ``== != < <= > >=``; text compares with text only."""
    if is_text(left) != is_text(right):
        raise Refused(f"{symbol} compares text with a number")
    if not isinstance(left, Column) and not isinstance(right, Column):
        return bool(_COMPARE[symbol](left, right))
    if not is_text(left):
        first, second = _as_numbers(left), _as_numbers(right)
        if first.kind != second.kind and max(first.magnitude, second.magnitude) > FLOAT_EXACT:
            raise NeedsRows
        return Column(_COMPARE[symbol](first.data, second.data), 0, 1)
    return Column(np.asarray(_COMPARE[symbol](_raw(left), _raw(right)), np.bool_), 0, 1)


def contains(values: list[Value], operand: Operand) -> Operand:
    """``operand in values``."""
    if not isinstance(operand, Column):
        return any(compare("==", operand, value) for value in values)
    found = np.zeros(operand.data.shape, np.bool_)
    for value in values:
        found |= _raw(compare("==", operand, value))
    return Column(found, 0, 1)


def truth(operand: Operand) -> bool | Column:
    """Whether each value holds as a condition."""
    if is_text(operand):
        raise Refused("text is not a condition", 'compare it: name == "text"')
    if isinstance(operand, Column):
        return operand if operand.kind == "b" else Column(operand.data != 0, 0, 1)
    return bool(operand)


def where(condition: Column, then: Operand, otherwise: Operand) -> Column:
    """Row by row ``then if condition else otherwise``."""
    first, second = _same_kind(then, otherwise)
    data = np.where(condition.data, first.data, second.data)
    return Column(data, min(first.low, second.low), max(first.high, second.high))


def combine(stops_at: bool, left: Column, right: Operand) -> Column:
    """Row by row ``left or right`` (``stops_at`` True) or ``left and right``, with Python's choice of operand."""
    condition = left if left.kind == "b" else Column(left.data != 0, 0, 1)
    if left.kind == "b" and (isinstance(right, bool) or (isinstance(right, Column) and right.kind == "b")):
        return Column(condition.data | _raw(right) if stops_at else condition.data & _raw(right), 0, 1)
    return where(condition, left, right) if stops_at else where(condition, right, left)


def scatter(shape: tuple[int, ...], pieces: list[tuple[tuple[NDArray[Any], ...], Operand]]) -> Column:
    """One column of ``shape`` from one or two operands and the rows that each speaks for."""
    if len(pieces) == 2:
        columns = list(_same_kind(pieces[0][1], pieces[1][1]))
    else:
        columns = [_as_column(operand) for _, operand in pieces]
    data = np.zeros(shape, np.result_type(*(column.data.dtype for column in columns)))
    for (index, _), column in zip(pieces, columns, strict=True):
        data[index] = column.data
    return Column(data, min(column.low for column in columns), max(column.high for column in columns))


def is_text(operand: Operand) -> bool:
    """Whether the operand is text rather than a number."""
    return isinstance(operand, str) or (isinstance(operand, Column) and operand.kind == "U")


# ------------------------------------------------------------------------------------------- one value

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def _overflow() -> Refused:
    return Refused("the result does not fit into 64 bits")


def _zero() -> Refused:
    return Refused("division by zero", "guard it: x == 0 or y % x == 0")


def _binary_values(symbol: str, left: Any, right: Any) -> Value:
    if symbol == "**" and isinstance(left, int) and isinstance(right, int) and abs(left) > 1 and right > POWER_LIMIT:
        raise _overflow()
    try:
        result = _BINARY[symbol](left, right)
    except ZeroDivisionError:
        raise _zero() from None
    except OverflowError:
        raise Refused("the result is too large for a number") from None
    if isinstance(result, complex):
        raise Refused("a fractional power of a negative number")
    if isinstance(result, int) and abs(result) > INTEGER_LIMIT:
        raise _overflow()
    return result  # type: ignore[no-any-return]


# ------------------------------------------------------------------------------------------- columns


def _binary_columns(symbol: str, left: Column, right: Column) -> Column:
    if symbol in ("/", "//", "%") and (right.kind == "f" or right.low <= 0 <= right.high) and not right.data.all():
        raise _zero()
    whole = left.kind == "i" and right.kind == "i"
    if symbol == "/" or not whole:
        if symbol == "**" or max(left.magnitude, right.magnitude) > FLOAT_EXACT:
            raise NeedsRows
        with np.errstate(all="ignore"):
            return Column(_BINARY[symbol](left.data, right.data), 0, 0)
    low, high = _result_bounds(symbol, left, right)
    if max(abs(low), abs(high)) > INTEGER_LIMIT:
        low, high = _result_bounds(symbol, left.tightened(), right.tightened())
        if max(abs(low), abs(high)) > INTEGER_LIMIT:
            raise NeedsRows
    return Column(_BINARY[symbol](left.data, right.data), low, high)


def _result_bounds(symbol: str, left: Column, right: Column) -> tuple[int, int]:
    """No result of a whole-number operation lies outside."""
    if symbol == "+":
        return left.low + right.low, left.high + right.high
    if symbol == "-":
        return left.low - right.high, left.high - right.low
    if symbol == "*":
        corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return min(corners), max(corners)
    if symbol == "//":
        return -left.magnitude, left.magnitude
    if symbol == "%":
        return min(0, right.low), max(0, right.high)
    if right.low < 0 or right.high > POWER_LIMIT:
        raise NeedsRows
    reach: int = max(left.magnitude, 1) ** right.high
    return -reach, reach


def _bounds(data: NDArray[Any]) -> tuple[int, int]:
    if data.dtype.kind != "i" or not data.size:
        return 0, 1 if data.dtype.kind == "b" else 0
    return int(data.min()), int(data.max())


def _raw(operand: Operand) -> Any:
    return operand.data if isinstance(operand, Column) else operand


def _as_column(operand: Operand) -> Column:
    return operand if isinstance(operand, Column) else column_from(array_from([operand]).reshape(()))


def _as_numbers(operand: Operand) -> Column:
    """Booleans as 0 and 1, as Python counts them."""
    column = _as_column(operand)
    return Column(column.data.astype(np.int64), 0, 1) if column.kind == "b" else column


def _is_whole(operand: Operand) -> bool:
    return operand.kind in "bi" if isinstance(operand, Column) else not isinstance(operand, float)


def _same_kind(first: Operand, second: Operand) -> tuple[Column, Column]:
    left, right = _as_column(first), _as_column(second)
    if {left.kind, right.kind} == {"b", "i"}:
        return _as_numbers(left), _as_numbers(right)
    if left.kind != right.kind:
        raise NeedsRows  # a column has one kind; Python would keep each row's own
    return left, right
