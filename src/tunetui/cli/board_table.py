"""One board of a leaderboard as a table: which columns, how each figure is written, which gives way first.

Where the width does not suffice, columns are left out in this order: figures of merit other than recall, the
kernel's metrics from the last, recall, p95, tags, and the first metric last of all.  Rank, implementation, axes,
median and interval always stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tunetui.cli import figures
from tunetui.cli.labels import one_line
from tunetui.cli.tables import Column, header_lines
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui_agent.messages import Value

MEDIAN, INTERVAL, P95 = "latency_ms.median", "interval_percent", "latency_ms.p95"
_RECALL = "quality.recall"
_UNITS = {
    "gb": "GB",
    "gflop": "GFLOP",
    "tflop": "TFLOP",
    "ms": "ms",
    "percent": "%",
    "w": "W",
    "mj": "mJ",
    "bytes": "B",
}
RACED_MARK = "*"
"""Behind the rank of rows whose figures come from a race."""
_GIVES_WAY = {"other_quality": 600, "metric": 500, "recall": 400, "p95": 300, "tags": 200, "first_metric": 100}


@dataclass(frozen=True)
class Line:
    """A row of a board with every figure that columns and expressions can name."""

    entry: Entry
    figures: dict[str, Value]

    @property
    def relative(self) -> float | None:
        """Half-width of the median's interval, in percent of the median."""
        value = self.figures.get(INTERVAL)
        return value if isinstance(value, float) else None


def is_raced(line: Line) -> bool:
    """Whether its figures come from the race of the finalists."""
    return line.entry.stage == "finalists"


def lines_of(board: Board) -> list[Line]:
    """The rows of a board, in its order."""
    return [Line(entry, _figures(board, entry)) for entry in board.rows]


def default_columns(leaderboard: Leaderboard, board: Board, shown: Sequence[Line]) -> list[str]:
    """The columns of a table that nobody asked otherwise for; an axis with one value everywhere is none of them."""
    qualities = dict.fromkeys(f"quality.{name}" for line in shown for name in line.entry.quality)
    metrics = [name for name in leaderboard.kernel.metrics if any(name in line.figures for line in shown)]
    axes = [axis for axis in varying_axes(board) if any(axis in line.entry.configuration for line in shown)]
    columns = ["rank", "implementation", *axes, MEDIAN, INTERVAL, P95, *metrics]
    columns += sorted(qualities, key=lambda name: name != _RECALL)
    return [*columns, "tags"] if len({tuple(line.entry.tags) for line in shown}) > 1 else columns


def varying_axes(board: Board) -> list[str]:
    """Axes that tell configurations apart."""
    axes = dict.fromkeys(axis for entry in board.rows for axis in entry.configuration)
    return [axis for axis in axes if len({repr(entry.configuration.get(axis)) for entry in board.rows}) > 1]


def in_every_row(board: Board, shown: Sequence[Line]) -> dict[str, Value]:
    """What is said once instead of in a column: axes with one value in the whole board, tags that all rows share."""
    apart = varying_axes(board)
    shared = {axis: value for axis, value in shown[0].entry.configuration.items() if axis not in apart}
    tags = shown[0].entry.tags
    if tags and all(line.entry.tags == tags for line in shown):
        shared["tags"] = ", ".join(tags)
    return shared


def table_columns(leaderboard: Leaderboard, names: Sequence[str], shown: Sequence[Line]) -> list[Column]:
    """The named columns as finished text."""
    metrics = list(leaderboard.kernel.metrics)
    return [_column(name, metrics, shown, _confidence(leaderboard)) for name in names]


def metric_header(name: str) -> tuple[str, str]:
    """A metric's name and unit: ``bandwidth_gb_per_s`` is ``("bandwidth", "GB/s")``."""
    words = name.split("_")
    if "per" in words[1:-1]:
        at = words.index("per", 1)
        what, unit = words[: at - 1] or words[:at], words[at - 1 : at]
        below = "_".join(words[at + 1 :])
        return "_".join(what), f"{_UNITS.get(unit[0], unit[0])}/{_UNITS.get(below, below)}"
    if len(words) > 1 and words[-1] in _UNITS:
        return "_".join(words[:-1]), _UNITS[words[-1]]
    return name, ""


def _figures(board: Board, entry: Entry) -> dict[str, Value]:
    found: dict[str, Value] = {**board.problem, **entry.figures, "trial": entry.trial}
    if entry.rank is not None:
        found["rank"] = int(entry.rank.rstrip("="))
    if entry.stage:
        found["stage"] = entry.stage
    if entry.tags:
        found["tags"] = ", ".join(entry.tags)
    if entry.cause:
        found["cause"] = entry.cause
    latency = entry.latency_ms
    if latency is not None:
        relative = figures.relative_half_width_percent(latency.median, latency.ci_low, latency.ci_high)
        if relative is not None:
            found[INTERVAL] = relative
    return found


def _confidence(leaderboard: Leaderboard) -> str:
    percent = leaderboard.method.settings.get("confidence_percent", 95.0)
    return figures.setting(float(percent)) if isinstance(percent, int | float) else "95"


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
        cells = _cells(name, shown, lambda value, line: _uncertain(value, line.relative))
        way = _GIVES_WAY["p95"] if name == P95 else 0
        return Column(key=name, header=(name.partition(".")[2], "ms"), cells=cells, align="point", gives_way=way)
    if name.startswith("quality."):
        way = _GIVES_WAY["recall" if name == _RECALL else "other_quality"]
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
    scaled = "/" in unit and unit.partition("/")[0] not in _UNITS.values()
    factor, letter = figures.prefix_for([_number(value) for value in values]) if scaled else (1.0, "")
    cells = _cells(name, shown, lambda value, line: _uncertain(value / factor, line.relative))
    way = _GIVES_WAY["first_metric"] if place == 0 else _GIVES_WAY["metric"] + place
    header = (*header_lines(what), f"{letter} {unit}" if letter else unit)
    return Column(key=name, header=header, cells=cells, align="point", gives_way=way)


def _plain_column(name: str, shown: Sequence[Line]) -> Column:
    values = [line.figures.get(name) for line in shown]
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)
    cells = ["-" if value is None else one_line(_plain(value)) for value in values]
    way = _GIVES_WAY["tags"] if name == "tags" else 0
    header = {"build_seconds": ("build", "s"), "latency_ms.n": ("n",)}.get(name) or header_lines(one_line(name))
    return Column(key=name, header=header, cells=cells, align="point" if numeric else "left", gives_way=way)


def _cells(name: str, shown: Sequence[Line], write: Callable[[float, Line], str]) -> list[str]:
    numbers = [(_number(line.figures.get(name)), line) for line in shown]
    return [figures.NOT_MEASURED if number is None else write(number, line) for number, line in numbers]


def _uncertain(value: float, relative: float | None) -> str:
    return figures.with_uncertainty(value, None if relative is None else abs(value) * relative / 100)


def _plain(value: Value) -> str:
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.4g}"
    return figures.setting(value)


def _number(value: Value | None) -> float | None:
    return float(value) if isinstance(value, int | float) else None
