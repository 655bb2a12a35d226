"""One board of a leaderboard as a table: which columns, how each figure is written, which gives way first.

Where the width does not suffice, columns are left out in this order: what a device tells of a row (`core.column_heads`), figures
of merit other than recall, p99, the kernel's metrics from the last, recall, p95, tags, the first metric, and a GPU's occupancy
last of all.  Rank, implementation, axes, median and interval always stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunetui.cli.tables import Column
from tunetui.core import figures
from tunetui.core.board_figures import (
    INTERVAL,
    P95,
    P99,
    RACED_MARK,
    RECALL,
    UNITS,
    Line,
    confidence_of,
    is_raced,
    metric_header,
    number,
    one_decimal,
    plain,
    uncertain,
)
from tunetui.core.column_heads import DEVICE_COLUMNS, HEADS
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.text_fitting import header_lines

_GIVES_WAY = {
    "other_quality": 600,
    "metric": 500,
    "p99": 540,
    "recall": 400,
    "p95": 300,
    "tags": 200,
    "first_metric": 100,
}


def table_columns(leaderboard: Leaderboard, names: Sequence[str], shown: Sequence[Line]) -> list[Column]:
    """The named columns as finished text."""
    metrics = list(leaderboard.kernel.metrics)
    return [_column(name, metrics, shown, confidence_of(leaderboard)) for name in names]


def _column(name: str, metrics: Sequence[str], shown: Sequence[Line], confidence: str) -> Column:
    if name == "rank":
        raced = any(is_raced(line) for line in shown)
        marks = [(RACED_MARK if is_raced(line) else " ") if raced else "" for line in shown]
        cells = [(line.entry.rank or "-") + mark for line, mark in zip(shown, marks, strict=True)]
        return Column(key=name, header=("#" + " " * raced,), cells=cells, align="right")
    if name == "implementation":
        cells = [one_line(line.entry.implementation) for line in shown]
        return Column(key=name, header=("impl",), cells=cells)
    if name == INTERVAL:
        cells = [figures.percent(line.relative) for line in shown]
        return Column(key=name, header=(f"±{confidence}%", "%"), cells=cells, align="point")
    if name.startswith("latency_ms.") and name != "latency_ms.n":
        cells = _cells(name, shown, lambda value, line: uncertain(value, line.relative))
        way = {P95: _GIVES_WAY["p95"], P99: _GIVES_WAY["p99"]}.get(name, 0)
        return Column(key=name, header=(name.partition(".")[2], "ms"), cells=cells, align="point", gives_way=way)
    if name.startswith("quality."):
        way = _GIVES_WAY["recall" if name == RECALL else "other_quality"]
        cells = _cells(name, shown, lambda value, _: figures.quality(value))
        header = header_lines(name.partition(".")[2])
        return Column(key=name, header=header, cells=cells, align="point", gives_way=way)
    if name in metrics:
        return _metric_column(name, metrics.index(name), shown)
    return _plain_column(name, shown)


def _metric_column(name: str, place: int, shown: Sequence[Line]) -> Column:
    """A metric inherits the relative uncertainty of the time that it is computed from."""
    what, unit = metric_header(name)
    values = [line.figures.get(name) for line in shown]
    scaled = "/" in unit and unit.partition("/")[0] not in UNITS.values()
    factor, letter = figures.prefix_for([number(value) for value in values]) if scaled else (1.0, "")
    cells = _cells(name, shown, lambda value, line: uncertain(value / factor, line.relative))
    way = _GIVES_WAY["first_metric"] if place == 0 else _GIVES_WAY["metric"] + place
    header = (*header_lines(what), f"{letter} {unit}" if letter else unit)
    return Column(key=name, header=header, cells=cells, align="point", gives_way=way)


def _plain_column(name: str, shown: Sequence[Line]) -> Column:
    values = [line.figures.get(name) for line in shown]
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    write = one_decimal if name in DEVICE_COLUMNS and name.endswith("_percent") else plain
    cells = ["-" if value is None else one_line(write(value)) for value in values]
    known = HEADS.get(name)
    way = _GIVES_WAY["tags"] if name == "tags" else known.gives_way if known else 0
    header = known.lines if known else header_lines(one_line(name))
    return Column(key=name, header=header, cells=cells, align="point" if numeric else "left", gives_way=way)


def _cells(name: str, shown: Sequence[Line], write: Callable[[float, Line], str]) -> list[str]:
    numbers = [(number(line.figures.get(name)), line) for line in shown]
    return [figures.NOT_MEASURED if number is None else write(number, line) for number, line in numbers]
