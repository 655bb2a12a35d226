"""The rows of a board with every figure by its name, the columns that are shown of them, and how each is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tunetui.core import figures
from tunetui.core.column_heads import DEVICE_COLUMNS
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui_agent.messages import Value

MEDIAN, INTERVAL, P95, P99 = "latency_ms.median", "interval_percent", "latency_ms.p95", "latency_ms.p99"
RECALL = "quality.recall"
RACED_MARK = "*"
"""Behind the rank of rows whose figures come from a race."""
UNITS = {
    "gb": "GB",
    "gflop": "GFLOP",
    "tflop": "TFLOP",
    "ms": "ms",
    "percent": "%",
    "w": "W",
    "mj": "mJ",
    "bytes": "B",
}


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
    columns = ["rank", "implementation", *axes, MEDIAN, INTERVAL, P95]
    known = [name for name in DEVICE_COLUMNS if any(name in line.figures for line in shown)]
    if known:  # a GPU's row has more to tell
        columns.append(P99)
    columns += [*metrics, *known, *sorted(qualities, key=lambda name: name != RECALL)]
    if known and any(line.entry.build_seconds is not None for line in shown):
        columns.append("build_seconds")
    return [*columns, "tags"] if len({tuple(line.entry.tags) for line in shown}) > 1 else columns


def varying_axes(board: Board) -> list[str]:
    """Axes that tell configurations apart."""
    axes = dict.fromkeys(axis for entry in board.rows for axis in entry.configuration)
    values = {axis: {repr(e.configuration[axis]) for e in board.rows if axis in e.configuration} for axis in axes}
    return [axis for axis in axes if len(values[axis]) > 1]


def in_rows_that_have_it(board: Board, shown: Sequence[Line]) -> dict[str, Value]:
    """Axes that some rows lack, a library's say, and that have one value in all others."""
    apart = varying_axes(board)
    found = {axis: value for line in shown for axis, value in line.entry.configuration.items() if axis not in apart}
    return {a: v for a, v in found.items() if not all(a in line.entry.configuration for line in shown)}


def in_every_row(board: Board, shown: Sequence[Line]) -> dict[str, Value]:
    """What is said once instead of in a column: axes with one value in the whole board, tags that all rows share."""
    apart = varying_axes(board)
    shared = {
        axis: value
        for axis, value in shown[0].entry.configuration.items()
        if axis not in apart and all(axis in line.entry.configuration for line in shown)
    }
    tags = shown[0].entry.tags
    if tags and all(line.entry.tags == tags for line in shown):
        shared["tags"] = ", ".join(tags)
    return shared


def metric_header(name: str) -> tuple[str, str]:
    """A metric's name and unit: ``bandwidth_gb_per_s`` is ``("bandwidth", "GB/s")``, a share ``("ceiling", "%")``."""
    words = name.split("_")
    if "percent_of_" in name:
        return name.partition("percent_of_")[2], "%"
    if "per" in words[1:-1]:
        at = words.index("per", 1)
        what, unit = words[: at - 1] or words[:at], words[at - 1 : at]
        below = "_".join(words[at + 1 :])
        return "_".join(what), f"{UNITS.get(unit[0], unit[0])}/{UNITS.get(below, below)}"
    if len(words) > 1 and words[-1] in UNITS:
        return "_".join(words[:-1]), UNITS[words[-1]]
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


def confidence_of(leaderboard: Leaderboard) -> str:
    """The confidence of intervals in percent, as text."""
    percent = leaderboard.method.settings.get("confidence_percent", 95.0)
    return figures.setting(float(percent)) if isinstance(percent, int | float) else "95"


def uncertain(value: float, relative: float | None) -> str:
    """``value`` to the digits that a half-width of ``relative`` percent leaves meaning."""
    return figures.with_uncertainty(value, None if relative is None else abs(value) * relative / 100)


def plain(value: Value) -> str:
    """A figure without known uncertainty, or a setting."""
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.4g}"
    return figures.setting(value)


def one_decimal(value: Value) -> str:
    """A share that was counted: more digits than one say nothing."""
    return f"{value:.1f}" if isinstance(value, int | float) else str(value)


def number(value: Value | None) -> float | None:
    """The value where it is a number."""
    return float(value) if isinstance(value, int | float) else None
