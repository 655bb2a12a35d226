"""A row's figures while the run goes on, by the names that its leaderboard will give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunetui.core import metrics
from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.kernel_names import ENERGY
from tunetui.core.opened_rows import Floats, Opened, heads_of, opened_alike
from tunetui.core.ranking import Contender, rank
from tunetui.core.repeated import Repeated
from tunetui.core.snapshot import MEASURED, Progress, Row, Run
from tunetui.core.statistics import percentiles
from tunetui.core.targets import NS_PER_MS, NS_PER_S
from tunetui_agent.messages import Value

Column = Sequence[Value | None] | NDArray[np.float64] | NDArray[np.int64]
"""One value for each row; None or NaN: a row has no such figure."""
Columns = dict[str, Column]

_QUANTILES = {"latency_ms.p5": 0.05, "latency_ms.p95": 0.95, "latency_ms.p99": 0.99}


def figures_of_rows(run: Run, rows: Sequence[Row]) -> list[dict[str, Value]]:
    """Every figure and setting of each row; a row without an outcome has settings and a status alone."""
    ordered, columns = figure_columns(run, rows)
    figures = dict(zip([row.trial for row in ordered], rows_of(columns, len(ordered)), strict=True))
    return [figures[row.trial] for row in rows]


def rows_of(columns: Mapping[str, Column], count: int) -> list[dict[str, Value]]:
    """The figures of each of ``count`` rows whose columns these are."""
    found: list[dict[str, Value]] = [{} for _ in range(count)]
    for name, column in columns.items():
        values = column.tolist() if isinstance(column, np.ndarray) else column
        for row, value in zip(found, values, strict=True):
            if value is not None and value == value:  # noqa: PLR0124 (NaN)
                row[name] = value
    return found


def figure_columns(run: Run, rows: Iterable[Row]) -> tuple[list[Row], Columns]:
    """The same as columns, and the rows in the order in which they stand there.

    Rows that were measured alike have the same figures: what they share is looked at once for all of them.
    """
    ordered = list(rows)
    if not ordered:
        return [], {}
    heads = heads_of(ordered)
    has_figures = ~np.isnan(heads["median_ns"]) & (heads["width"] > 0)
    shared = (
        heads["subject"].tolist(),
        heads["circumstances"].tolist(),
        heads["status"].tolist(),
        has_figures.tolist(),
    )
    alike: dict[tuple[int, int, int, bool], list[int]] = {}
    for place, kind in enumerate(zip(*shared, strict=True)):
        alike.setdefault(kind, []).append(place)
    if len(alike) == 1:
        return ordered, _columns_of_alike(run, ordered, heads, has_figures=bool(has_figures[0]))
    groups = [
        (len(places), _columns_of_alike(run, [ordered[place] for place in places], heads[places], has_figures=figures))
        for (*_, figures), places in alike.items()
    ]
    names = dict.fromkeys(name for _, columns in groups for name in columns)
    joined = {name: _joined([(count, columns.get(name)) for count, columns in groups]) for name in names}
    return [ordered[place] for places in alike.values() for place in places], joined


def _joined(parts: list[tuple[int, Column | None]]) -> Column:
    """The column of all groups, of that of each; None: a group has none, but so many rows."""
    first = parts[0][1]
    if isinstance(first, Repeated) and all(isinstance(part, Repeated) and first.is_same(part) for _, part in parts):
        return Repeated(first.value, sum(count for count, _ in parts))
    has_gaps = any(part is None for _, part in parts)
    if all(
        part is None or (isinstance(part, np.ndarray) and (part.dtype.kind == "f" or not has_gaps)) for _, part in parts
    ):
        return np.concatenate([np.full(count, np.nan) if part is None else part for count, part in parts])
    values: list[Value | None] = []
    for count, part in parts:
        values += [None] * count if part is None else part.tolist() if isinstance(part, np.ndarray) else part
    return values


def overlaid(known: Mapping[str, Value], progress: Progress) -> dict[str, Value]:
    """A row's figures while it is on the device: its settings, and what its samples say so far."""
    found = {name: value for name, value in known.items() if not name.startswith("latency_ms.") and name != INTERVAL}
    found["status"] = "running"
    if progress.samples and progress.median_ns is not None:
        found |= {MEDIAN: progress.median_ns / NS_PER_MS, "latency_ms.n": progress.samples}
        if progress.half_width_percent is not None:
            found[INTERVAL] = progress.half_width_percent
    return found


def ranks_of(rows: Iterable[Row], *, at_most: int) -> dict[str, str]:
    """Rank by trial ("1=" where it is shared) of the best rows; each problem on each device has a ranking of its own.

    Of more than ``at_most`` measured rows only those with the smallest medians are ranked, so that a live board can
    ask often.  The ranks above the last tie group are those of the whole field but for a noisy row far behind that
    would share one of them.
    """
    boards: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.status == MEASURED and row.median_ns is not None:
            boards.setdefault((row.problem_key, row.device), []).append(row)
    found: dict[str, str] = {}
    for field in boards.values():
        field.sort(key=lambda row: (row.median_ns or 0.0, row.trial))
        best = field[:at_most]
        places = rank([Contender(r.samples_ns, r.median_ns or 0.0, r.ci_low_ns, r.ci_high_ns) for r in best])
        found |= {best[place.index].trial: place.rank for place in places}
    return found


def _columns_of_alike(run: Run, rows: list[Row], heads: NDArray[Any], *, has_figures: bool) -> Columns:
    first, many, opened = rows[0], len(rows), opened_alike(rows, heads)
    found: Columns = {name: Repeated(value, many) for name, value in first.problem.items()}
    found |= {"implementation": Repeated(first.implementation, many), "status": Repeated(first.status, many)}
    found |= zip(first.axes, opened.settings, strict=True)
    found["trial"] = [row.trial for row in rows]
    how = first.circumstances
    for name, text in (("device", how.device), ("stage", how.stage), ("tags", ", ".join(how.tags))):
        if text:
            found[name] = Repeated(text, many)
    if any(opened.causes):
        found["cause"] = [cause or None for cause in opened.causes]
    found |= {f"quality.{name}": values for name, values in zip(how.quality, opened.told, strict=False)}
    if not np.isnan(heads["build_seconds"]).all():
        found["build_seconds"] = heads["build_seconds"]
    if not has_figures:
        return found
    resources, telemetry = len(how.quality), len(how.quality) + len(how.resources)
    found |= zip(how.telemetry, opened.told[telemetry:], strict=True)
    found |= zip(how.resources, opened.told[resources:telemetry], strict=True)
    found |= _latencies(opened)
    if run.plan is not None and run.plan.kernel.metrics and first.status == MEASURED:
        settings: dict[str, Any] = dict(zip(first.axes, opened.settings, strict=True))
        energies = {ENERGY: found[ENERGY]} if ENERGY in found else {}
        known = metrics.columns_of(
            first, settings | energies, heads["median_ns"] / NS_PER_S, run.devices.get(how.device)
        )
        found |= metrics.of_alike(run.plan.kernel.metrics, known, many)
    return found


def _latencies(opened: Opened) -> Columns:
    found = _of_samples(opened.samples, opened.heads["count"])
    medians = opened.heads["median_ns"]
    found[MEDIAN] = medians / NS_PER_MS
    intervals = _half_widths_percent(medians, opened.heads["ci_low_ns"], opened.heads["ci_high_ns"])
    if not np.isnan(intervals).all():
        found[INTERVAL] = intervals
    return found


def _half_widths_percent(values: Floats, lows: Floats, highs: Floats) -> Floats:
    """As `figures.relative_half_width_percent` of each; NaN without an interval."""
    with np.errstate(all="ignore"):
        found: Floats = np.maximum(highs - values, values - lows) / abs(values) * 100
    return np.where(values == 0.0, np.nan, found)


def _of_samples(samples: Sequence[tuple[int, bytes]], counts: NDArray[np.uint32]) -> Columns:
    """Least, quantiles and number of each row's samples, which rows with equally many are asked for together."""
    found = {name: np.empty(len(samples)) for name in ("latency_ms.min", *_QUANTILES)}
    alike: dict[tuple[int, int], list[int]] = {}
    for place, (width, raw) in enumerate(samples):
        alike.setdefault((width, len(raw)), []).append(place)
    for (width, size), places in alike.items():
        block = np.frombuffer(b"".join([samples[place][1] for place in places]), f"<u{width}")
        ordered = np.sort(block.reshape(-1, size // width).astype(np.int64), axis=1).T
        found["latency_ms.min"][places] = ordered[0] / NS_PER_MS
        for name, q in _QUANTILES.items():
            found[name][places] = percentiles(ordered, q) / NS_PER_MS
    return {**found, "latency_ms.n": counts.astype(np.int64)}
