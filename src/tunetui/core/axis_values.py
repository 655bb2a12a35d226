"""The values of an axis or problem field: a list, or a range spelled out, of one type and without repeats."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tunetui.core.mistakes import Mistakes, Path, describe, literal, type_name
from tunetui.core.tables import Table, is_scalar
from tunetui_agent.messages import Value

MAX_VALUES = 1_000_000
"""Longest axis; a grid that asks for more was surely not meant."""
RANGE_KEYS = ("start", "stop", "step", "factor")
MAX_TEXT = 100
"""Longest str value: it names table columns and build variants."""

_SHAPES = "a list, { start, stop, step } or { start, stop, factor }"
_MAX_GROWTH = 300 * math.log(10)
_SIGNIFICANT = 15  # digits of a float range by factor: 1.1 * 1.1 is written 1.21


def is_range(value: Any) -> bool:
    """Whether a table is a range, not a table of axes of one implementation."""
    return (
        isinstance(value, dict)
        and any(key in value for key in RANGE_KEYS)
        and not any(isinstance(item, list | dict) for item in value.values())
    )


def read_values(value: Any, path: Path, mistakes: Mistakes, *, scalar_allowed: bool = False) -> list[Value]:
    """The values that a list, a range or (where allowed) one scalar stands for; [] after a mistake."""
    before = len(mistakes.found)
    if isinstance(value, list):
        values = value
    elif is_range(value):
        values = _read_range(Table(value, path, mistakes))
    elif scalar_allowed and not isinstance(value, dict):
        _check_values([value], [path], mistakes)
        return [value] if len(mistakes.found) == before else []
    else:
        mistakes.add(path, f"expected {'a value, ' * scalar_allowed}{_SHAPES}, found {describe(value)}")
        return []
    if len(mistakes.found) > before:
        return []
    if not values:
        mistakes.add(path, f"expected at least one value, found {describe(value)}")
    elif len(values) > MAX_VALUES:
        mistakes.add(path, f"expected at most {MAX_VALUES:,} values, found {len(values):,}")
    else:
        _check_values(values, [(*path, position) for position in range(len(values))], mistakes)
    return values if len(mistakes.found) == before else []


def _check_values(values: list[Any], paths: list[Path], mistakes: Mistakes) -> None:
    first, seen = values[0], {}
    for value, path in zip(values, paths, strict=True):
        if not is_scalar(value):
            mistakes.add(path, f"expected a finite number of 64 bits, bool or str, found {describe(value)}")
        elif isinstance(value, str) and not (value.isprintable() and 0 < len(value) <= MAX_TEXT):
            mistakes.add(path, f"expected 1 to {MAX_TEXT} printable characters, found {describe(value)}")
        elif type(value) is not type(first):
            mistakes.add(path, f"expected {type_name(first)} like the first value, found {describe(value)}")
        elif value in seen:
            mistakes.add(path, f"expected every value once, found {literal(value)} again")
        else:
            seen[value] = path


def _read_range(table: Table) -> list[Value]:
    """A range's values, ends included; ints where every part is an int."""
    before = len(table.mistakes.found)
    parts = {key: table.number(key, whole=_is_int(table.take(key))) for key in RANGE_KEYS}
    table.finish()
    if len(table.mistakes.found) > before:
        return []
    start, stop, step, factor = parts.values()
    if start is None or stop is None or (step is None) == (factor is None):
        given = ", ".join(key for key, part in parts.items() if part is not None)
        table.mistakes.add(table.path, f"expected start, stop and either step or factor, found only {given}"
                           if step is None or factor is None else
                           "expected either step or factor, found both")  # fmt: skip
        return []
    return _by_step(table, start, stop, step) if factor is None else _by_factor(table, start, stop, factor)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _by_step(table: Table, start: Any, stop: Any, step: Any) -> list[Value]:
    if step == 0:
        table.wrong("step", "a number other than 0")
        return []
    exact = all(_is_int(part) for part in (start, stop, step))
    # As the decimal fractions that were written, so that 0.1, 0.2, 0.3 stay what they look like.
    low, high, width = ((part if exact else Fraction(str(part))) for part in (start, stop, step))
    count = int((high - low) // width) + 1
    if not _fits(table, count):
        return []
    convert: type[int | float] = int if exact else float
    return [convert(low + i * width) for i in range(count)]


def _by_factor(table: Table, start: Any, stop: Any, factor: Any) -> list[Value]:
    if factor <= 1:
        table.wrong("factor", "a number > 1")
    if start <= 0:
        table.wrong("start", "a number > 0 with factor")
    if factor <= 1 or start <= 0:
        return []
    exact = all(_is_int(part) for part in (start, stop, factor))
    count = 0
    if stop >= start:
        growth = math.log(stop) - math.log(start)
        if growth > _MAX_GROWTH:
            table.wrong("stop", "a number at most 1e300 times start")
            return []
        count = math.floor(growth / math.log(factor) + 1e-9) + 1
    if not _fits(table, count):
        return []
    if exact:
        values = [start * factor**i for i in range(count + 1)]
        return [value for value in values if value <= stop]
    rounded = (float(f"{start * factor**i:.{_SIGNIFICANT}g}") for i in range(1, count))
    return [float(start), *(min(value, float(stop)) for value in rounded)]


def _fits(table: Table, count: int) -> bool:
    if count < 1:
        table.mistakes.add(table.path, "expected at least one value, found a range that is empty: stop is before start")
    elif count > MAX_VALUES:
        found = f"{count:,}" if count < 10**18 else "over 10^18"
        table.mistakes.add(table.path, f"expected at most {MAX_VALUES:,} values, found a range of {found}")
    return 1 <= count <= MAX_VALUES
