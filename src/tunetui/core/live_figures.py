"""A row's figures while the run goes on, by the names that its leaderboard will give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tunetui.core import figures
from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.metrics import evaluate
from tunetui.core.ranking import Contender, rank
from tunetui.core.snapshot import MEASURED, Progress, Row, Run
from tunetui.core.statistics import percentile
from tunetui.core.targets import NS_PER_MS, NS_PER_S
from tunetui_agent.messages import Value

_QUANTILES = {"latency_ms.p5": 0.05, "latency_ms.p95": 0.95, "latency_ms.p99": 0.99}


def figures_of_rows(run: Run, rows: Sequence[Row]) -> list[dict[str, Value]]:
    """Every figure and setting of each row; a row without an outcome has settings and a status alone."""
    metrics = _metrics(run, rows)
    return [{**_settings(row), **_measured(row), **metrics.get(row.trial, {})} for row in rows]


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


def _settings(row: Row) -> dict[str, Value]:
    found: dict[str, Value] = {**row.problem, "implementation": row.implementation, "status": row.status}
    found |= row.configuration | {"trial": row.trial}
    for name, text in (("device", row.device), ("cause", row.cause), ("stage", row.stage)):
        if text:
            found[name] = text
    if row.tags:
        found["tags"] = ", ".join(row.tags)
    return found


def _measured(row: Row) -> dict[str, Value]:
    found: dict[str, Value] = {f"quality.{name}": value for name, value in row.quality.items()}
    if row.build_seconds is not None:
        found["build_seconds"] = row.build_seconds
    if row.median_ns is None or not row.samples_ns:
        return found
    ordered = sorted(row.samples_ns)
    found |= row.telemetry | row.resources
    found |= {name: percentile(ordered, q) / NS_PER_MS for name, q in _QUANTILES.items()}
    found |= {
        MEDIAN: row.median_ns / NS_PER_MS,
        "latency_ms.min": ordered[0] / NS_PER_MS,
        "latency_ms.n": len(ordered),
    }
    relative = figures.relative_half_width_percent(row.median_ns, row.ci_low_ns, row.ci_high_ns)
    return found if relative is None else found | {INTERVAL: relative}


def _metrics(run: Run, rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    if run.plan is None or not run.plan.kernel.metrics:
        return {}
    by_device: dict[str, list[Row]] = {}
    for row in rows:
        if row.median_ns is not None and row.status == MEASURED:
            by_device.setdefault(row.device, []).append(row)
    found: dict[str, dict[str, float]] = {}
    for device, measured in by_device.items():
        seconds = np.array([row.median_ns for row in measured], np.float64) / NS_PER_S
        values, _ = evaluate(run.plan.kernel.metrics, measured, seconds, run.devices.get(device))
        found |= {row.trial: each for row, each in zip(measured, values, strict=True)}
    return found
