"""How each figure of a board is written, in terminals, Markdown and HTML alike: one column at a time, with one SI prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tunetui.core import figures
from tunetui.core.board_figures import (
    INTERVAL,
    RACED_MARK,
    UNITS,
    Line,
    is_raced,
    metric_header,
    number,
    one_decimal,
    plain,
    uncertain,
)
from tunetui.core.column_heads import DEVICE_COLUMNS
from tunetui.core.labels import one_line
from tunetui_agent.messages import Value

_DIGITS = 4
_NOTHING = "-"
"""Where a row has no such thing, as a library has no axes."""


class Cells(NamedTuple):
    """A column's finished texts; ``prefix`` is the SI letter that belongs before its unit, and ``numeric`` what lines up."""

    texts: list[str]
    prefix: str = ""
    numeric: bool = True


def cells_of(name: str, metrics: Sequence[str], shown: Sequence[Line]) -> Cells:
    """The column ``name`` of the rows ``shown``; ``metrics`` are the names of the kernel's own figures.

    A latency and what is computed from it have the digits that the median's interval leaves meaning.
    """
    if name == "rank":
        return Cells([line.entry.rank or _NOTHING for line in shown], numeric=False)
    if name == "implementation":
        return Cells([one_line(line.entry.implementation) for line in shown], numeric=False)
    if name == INTERVAL:
        return Cells([figures.percent(line.relative) for line in shown])
    if name.startswith("latency_ms.") and name != "latency_ms.n":
        return Cells(_written(name, shown, lambda value, line: uncertain(value, line.relative)))
    if name.startswith("quality."):
        return Cells(_written(name, shown, lambda value, _: figures.quality(value)))
    if name in metrics:
        return _metric(name, shown)
    values = [line.figures.get(name) for line in shown]
    write = one_decimal if name in DEVICE_COLUMNS and name.endswith("_percent") else _alike(values)
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    return Cells([_NOTHING if value is None else one_line(write(value)) for value in values], numeric=numeric)


def _alike(values: Sequence[Value | None]) -> Callable[[Value], str]:
    """Numbers of one column with as many decimals as the one that has most of them; `plain` where some are far smaller."""
    numbers = [value for value in values if isinstance(value, float)]
    texts = [plain(value) for value in numbers]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    largest = max(map(abs, numbers), default=0.0)
    if (
        decimals > _DIGITS
        or any("e" in text or "n" in text for text in texts)
        or largest >= 10.0 ** (_DIGITS + 1 - decimals)
    ):
        return plain
    return lambda value: f"{value:.{decimals}f}" if isinstance(value, float) else plain(value)


def marked_ranks(shown: Sequence[Line]) -> list[str]:
    """Ranks, with a mark behind those whose figures come from a race; as wide as each other where any has one."""
    raced = any(is_raced(line) for line in shown)
    marks = [(RACED_MARK if is_raced(line) else " ") if raced else "" for line in shown]
    return [text + mark for text, mark in zip(cells_of("rank", (), shown).texts, marks, strict=True)]


def _metric(name: str, shown: Sequence[Line]) -> Cells:
    """A metric inherits the relative uncertainty of the time that it is computed from."""
    unit = metric_header(name)[1]
    scaled = "/" in unit and unit.partition("/")[0] not in UNITS.values()
    values = [number(line.figures.get(name)) for line in shown]
    factor, letter = figures.prefix_for(values) if scaled else (1.0, "")
    return Cells(_written(name, shown, lambda value, line: uncertain(value / factor, line.relative)), letter)


def _written(name: str, shown: Sequence[Line], write: Callable[[float, Line], str]) -> list[str]:
    numbers = [(number(line.figures.get(name)), line) for line in shown]
    return [figures.NOT_MEASURED if value is None else write(value, line) for value, line in numbers]
