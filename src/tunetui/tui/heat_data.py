"""What a heatmap shows of a table: the best latency for every pair of two figures' values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tunetui.core.board_figures import MEDIAN
from tunetui.core.figures import setting
from tunetui.tui.figure_table import PROBLEM_TEXT, RANK, FigureTable
from tunetui.tui.widgets.heatmap import Grid
from tunetui.tui.widgets.ordering import Filter
from tunetui.tui.widgets.store import Floats, Rows

_MOST_VALUES = 200
"""Of one axis; more cannot be seen anyway."""


def best_over(table: FigureTable, x: str, y: str, shown: Filter | None = None) -> Grid:
    """The smallest median of the shown rows for each value of ``x`` and of ``y``; NaN where none was measured.

    A cell is tied where one of its rows shares the rank of the very best one.
    """
    store = table.store
    rows: Rows = np.arange(store.count, dtype=np.intp)
    if shown is not None:
        rows = rows[shown(store, rows)]
    if MEDIAN not in table.numbers or not {x, y} <= table.numbers | table.texts:
        return Grid(np.empty((0, 0)), (), ())
    x_names, x_at = _axis(table, x, rows)
    y_names, y_at = _axis(table, y, rows)
    values: Floats = np.full(len(y_names) * len(x_names), np.inf)
    medians = store.numbers(MEDIAN)[rows]
    known = np.isfinite(medians) & (x_at >= 0) & (y_at >= 0)
    np.minimum.at(values, y_at[known] * len(x_names) + x_at[known], medians[known])
    values[np.isinf(values)] = np.nan
    shape = len(y_names), len(x_names)
    tied = None
    if known.any() and _is_one_ranking(table, rows):
        ranks = store.numbers(RANK)[rows]
        same = known & (ranks == ranks[np.where(known, medians, np.inf).argmin()])  # an unranked row is like no other
        tied = np.zeros(values.size, np.bool_)
        tied[y_at[same] * len(x_names) + x_at[same]] = True
    return Grid(
        values.reshape(shape), x_names, y_names, x_title=x, y_title=y, unit="ms",
        tied=None if tied is None else tied.reshape(shape),
    )  # fmt: skip


def _is_one_ranking(table: FigureTable, rows: Rows) -> bool:
    """Whether the rows are of one problem on one device: ranks of others say nothing about each other."""
    names = [name for name in (PROBLEM_TEXT, "device") if name in table.texts]
    return all(len(table.store.distinct(name, rows)[0]) <= 1 for name in names)


def telling_axes(table: FigureTable, axes: Sequence[str]) -> list[str]:
    """The axes that most rows have first: two of them say most of all rows."""
    store = table.store
    rows: Rows = np.arange(store.count, dtype=np.intp)
    known = {axis: int(store.is_known(axis, rows).sum()) for axis in axes if axis in table.numbers | table.texts}
    return sorted(known, key=lambda axis: -known[axis])


def _axis(table: FigureTable, name: str, rows: Rows) -> tuple[list[str], Rows]:
    """The values of an axis in order, and for each row which one it has; -1 for a row without."""
    store = table.store
    if store.is_text(name):
        names, places = store.distinct(name, rows)
    else:
        values, places = store.distinct_numbers(name, rows)
        names = [setting(int(v) if v.is_integer() else v) for v in values.tolist()]
    return names[:_MOST_VALUES], np.where(places < _MOST_VALUES, places, -1)
