"""One board of a leaderboard as a table: which columns, how each figure is written, which gives way first.

Where the width does not suffice, columns are left out in this order: what a device tells of a row (`core.column_heads`), figures
of merit other than recall, p99, the kernel's metrics from the last, recall, p95, tags, the first metric, and a GPU's occupancy
last of all.  Rank, implementation, axes, median and interval always stay.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.cli.tables import Column
from tunetui.core.board_cells import cells_of, marked_ranks
from tunetui.core.board_figures import INTERVAL, P95, P99, RECALL, Line, confidence_of, metric_header
from tunetui.core.column_heads import HEADS
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
        cells = marked_ranks(shown)
        raced = any(cell[-1:] in {"*", " "} for cell in cells)
        return Column(key=name, header=("#" + " " * raced,), cells=cells, align="right")
    written = cells_of(name, metrics, shown)
    head, way = _head(name, metrics, written.prefix, confidence)
    return Column(
        key=name, header=head, cells=written.texts, align="point" if written.numeric else "left", gives_way=way
    )


def _head(name: str, metrics: Sequence[str], prefix: str, confidence: str) -> tuple[tuple[str, ...], int]:
    """A column's head, unit last, and when it gives way."""
    if name == "implementation":
        return ("impl",), 0
    if name == INTERVAL:
        return (f"±{confidence}%", "%"), 0
    if name.startswith("latency_ms.") and name != "latency_ms.n":
        way = {P95: _GIVES_WAY["p95"], P99: _GIVES_WAY["p99"]}.get(name, 0)
        return (name.partition(".")[2], "ms"), way
    if name.startswith("quality."):
        return header_lines(name.partition(".")[2]), _GIVES_WAY["recall" if name == RECALL else "other_quality"]
    if name in metrics:  # the first one lasts longest
        what, unit = metric_header(name)
        place = metrics.index(name)
        way = _GIVES_WAY["first_metric"] if place == 0 else _GIVES_WAY["metric"] + place
        return (*header_lines(what), f"{prefix} {unit}" if prefix else unit), way
    known = HEADS.get(name)
    way = _GIVES_WAY["tags"] if name == "tags" else known.gives_way if known else 0
    return known.lines if known else header_lines(one_line(name)), way
