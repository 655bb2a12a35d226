"""A row's figures while the run goes on, by the names that its leaderboard will give them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tunetui.core import figures, metrics
from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.opened_rows import Opened, opened_alike
from tunetui.core.ranking import Contender, rank
from tunetui.core.snapshot import MEASURED, Progress, Row, Run
from tunetui.core.statistics import percentiles
from tunetui.core.targets import NS_PER_MS, NS_PER_S
from tunetui_agent.messages import Value

Columns = dict[str, list[Value | None]]

_QUANTILES = {"latency_ms.p5": 0.05, "latency_ms.p95": 0.95, "latency_ms.p99": 0.99}


def figures_of_rows(run: Run, rows: Sequence[Row]) -> list[dict[str, Value]]:
    """Every figure and setting of each row; a row without an outcome has settings and a status alone."""
    found: dict[str, dict[str, Value]] = {}
    ordered, columns = figure_columns(run, rows)
    for place, row in enumerate(ordered):
        found[row.trial] = {name: each for name, values in columns.items() if (each := values[place]) is not None}
    return [found[row.trial] for row in rows]


def figure_columns(run: Run, rows: Iterable[Row]) -> tuple[list[Row], Columns]:
    """The same as columns, and the rows in the order in which they stand there; None: a row has no such figure.

    Rows that were measured alike have the same figures: what they share is looked at once for all of them.
    """
    alike: dict[tuple[int, int, str, bool], list[Row]] = {}
    for row in rows:
        subject, circumstances, _, median_ns = row.standing
        has_figures = median_ns == median_ns and row.packed[1] > 0  # noqa: PLR0124 (NaN: not known)
        alike.setdefault((subject, circumstances, row.status, has_figures), []).append(row)
    ordered: list[Row] = []
    columns: Columns = {}
    for (*_, has_figures), members in alike.items():
        for name, values in _columns_of_alike(run, members, has_figures=has_figures).items():
            column = columns.setdefault(name, [])
            column += [None] * (len(ordered) - len(column))
            column += values
        ordered += members
    for column in columns.values():
        column += [None] * (len(ordered) - len(column))
    return ordered, columns


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


def _columns_of_alike(run: Run, rows: list[Row], *, has_figures: bool) -> dict[str, Sequence[Value | None]]:
    first, many, opened = rows[0], len(rows), opened_alike(rows)
    found: dict[str, Sequence[Value | None]] = {name: [value] * many for name, value in first.problem.items()}
    found |= {"implementation": [first.implementation] * many, "status": [first.status] * many}
    found |= zip(first.axes, opened.settings, strict=True)
    found["trial"] = [row.trial for row in rows]
    how = first.circumstances
    for name, text in (("device", how.device), ("stage", how.stage), ("tags", ", ".join(how.tags))):
        if text:
            found[name] = [text] * many
    if any(opened.causes):
        found["cause"] = [cause or None for cause in opened.causes]
    found |= {f"quality.{name}": values for name, values in zip(how.quality, opened.told, strict=False)}
    if any(seconds is not None for seconds in opened.build_seconds):
        found["build_seconds"] = opened.build_seconds
    if not has_figures:
        return found
    resources, telemetry = len(how.quality), len(how.quality) + len(how.resources)
    found |= zip(how.telemetry, opened.told[telemetry:], strict=True)
    found |= zip(how.resources, opened.told[resources:telemetry], strict=True)
    found |= _latencies(opened)
    if run.plan is not None and run.plan.kernel.metrics and first.status == MEASURED:
        seconds = np.array(opened.medians_ns, np.float64) / NS_PER_S
        known = metrics.columns_of(first, found, seconds, run.devices.get(how.device))
        found |= metrics.of_alike(run.plan.kernel.metrics, known, many)
    return found


def _latencies(opened: Opened) -> dict[str, Sequence[Value | None]]:
    found = _of_samples(opened.samples_ns)
    medians = [median_ns or 0.0 for median_ns in opened.medians_ns]
    found[MEDIAN] = [median_ns / NS_PER_MS for median_ns in medians]
    ends = zip(medians, opened.ci_low_ns, opened.ci_high_ns, strict=True)
    intervals = [figures.relative_half_width_percent(*each) for each in ends]
    if any(half_width is not None for half_width in intervals):
        found[INTERVAL] = intervals
    return found


def _of_samples(samples_ns: Sequence[array[int]]) -> dict[str, Sequence[Value | None]]:
    """Least, quantiles and number of each row's samples, which rows with equally many are asked for together."""
    counts = list(map(len, samples_ns))
    found = {name: np.empty(len(counts)) for name in ("latency_ms.min", *_QUANTILES)}
    for count in set(counts):
        places = [place for place, own in enumerate(counts) if own == count]
        block = np.frombuffer(b"".join([samples_ns[place].tobytes() for place in places]), np.int64)
        ordered = np.sort(block.reshape(-1, count), axis=1).T
        found["latency_ms.min"][places] = ordered[0] / NS_PER_MS
        for name, q in _QUANTILES.items():
            found[name][places] = percentiles(ordered, q) / NS_PER_MS
    return {**{name: values.tolist() for name, values in found.items()}, "latency_ms.n": counts}
