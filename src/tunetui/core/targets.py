"""Whether the winner meets a production target, judged on the uncertain side of each figure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from tunetui.core.definitions import Target
from tunetui.core.metrics import evaluate
from tunetui.core.snapshot import Row
from tunetui.core.statistics import interval, percentile
from tunetui.core.targeting import QUALITY_PREFIX
from tunetui_agent.messages import Device, Visit, widened

MET, MISSED, UNDECIDED = "met", "missed", "undecided"

NS_PER_MS = 1e6
NS_PER_S = 1e9

_ASKED_AS = {"registers_per_thread": "registers", "spilled_bytes": "spill_bytes"}
"""What targets call a resource, and what it is called in a row."""
_SHARED = ("static_shared_bytes", "dynamic_shared_bytes")

LATENCY_QUANTILES = {"median": 0.5, "p5": 0.05, "p95": 0.95, "p99": 0.99}


class Figure(msgspec.Struct, frozen=True):
    """A figure with what is known of its true value; an end that is not known is None, and ``reason`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One target as judged: `MET`, `MISSED` or `UNDECIDED` with the reason."""

    metric: str
    op: str
    bound: float
    verdict: str
    value: float | None = None
    """The figure itself, in the metric's unit."""
    low: float | None = None
    high: float | None = None
    """The ends of its interval; the one on the uncertain side decided."""
    reason: str = ""
    rows: int = 1
    """Tied winners that were judged; this is the verdict on `Board.judged`, the fastest of them that meets all targets."""
    met_by: int | None = None
    missed_by: int | None = None
    """Of these, where there are several.  Since version 3."""


def judge(target: Target, figure: Figure) -> Verdict:
    """``target`` held against ``figure``: met or missed only where the whole interval is on one side."""
    met = _surely(target.op, figure, target.bound)
    verdict = UNDECIDED if met is None else MET if met else MISSED
    reason = ""
    if met is None:
        whole = figure.low is not None and figure.high is not None
        reason = figure.reason or ("the bound lies inside the interval" if whole else "n/a: not measured")
    return Verdict(
        metric=target.metric,
        op=target.op,
        bound=target.bound,
        verdict=verdict,
        value=figure.value,
        low=figure.low,
        high=figure.high,
        reason=reason,
    )


def _surely(op: str, figure: Figure, bound: float) -> bool | None:
    low, high = figure.low, figure.high
    if op in {">", ">="}:
        mirrored = Figure(None, None if high is None else -high, None if low is None else -low)
        return _surely("<" if op == ">" else "<=", mirrored, -bound)
    if op == "==":
        if low is not None and low == high:
            return low == bound
        outside = (low is not None and low > bound) or (high is not None and high < bound)
        return False if outside else None
    if high is not None and (high < bound or (op == "<=" and high == bound)):
        return True
    if low is not None and (low > bound or (op == "<" and low == bound)):
        return False
    return None


def figures_of(
    row: Row,
    metrics: Mapping[str, str],
    device: Device | None,
    *,
    success_rate: float | None,
    confidence: float,
    visit_share: float = 0.0,
) -> dict[str, Figure]:
    """Every figure of a measured row that a target can name, with its interval at ``confidence``.

    Latencies have the order-statistic interval of their own quantile, and in it the variation between visits
    (``visit_share`` of the figure); a kernel's metrics are computed at both ends of the median's.  What was counted or read, such as recall, is exact.
    """
    figures: dict[str, Figure] = {}
    for name, number in {**row.telemetry, **row.resources}.items():
        if isinstance(number, int | float):
            figures[name] = exact(float(number))
    figures |= {asked: figures[own] for asked, own in _ASKED_AS.items() if own in figures}
    shared = [figures[name].value or 0.0 for name in _SHARED if name in figures]
    if shared:
        figures["shared_memory_bytes"] = exact(sum(shared))
    for name, number in row.quality.items():
        figures[name] = figures[QUALITY_PREFIX + name] = exact(number)
    figures |= _latencies(row, confidence, visit_share)
    figures |= _metrics(row, metrics, device, figures["latency_ms.median"])
    figures["success_rate"] = exact(success_rate, "no trial was tried")
    figures["build_seconds"] = exact(row.build_seconds, "nothing was built for it")
    return figures


def exact(value: float | None, reason: str = "") -> Figure:
    """A figure without uncertainty; None is n/a for this reason."""
    return Figure(value, value, value) if value is not None else Figure(None, reason=f"n/a: {reason}")


def find(figures: Mapping[str, Figure], metric: str) -> Figure:
    """The figure that a target names; one that nobody measured is n/a."""
    return figures.get(metric, Figure(None, reason=f"n/a: {metric} was not measured on this device"))


def _latencies(row: Row, confidence: float, visit_share: float) -> dict[str, Figure]:
    ordered = sorted(row.samples_ns)
    if not ordered:
        return {"latency_ms.median": exact(None, "not measured")}
    found = {}
    for name, q in LATENCY_QUANTILES.items():
        bounds, value = interval(ordered, q, confidence), percentile(ordered, q)
        # An end that is not known leaves the other as wide as it must be.
        wide = widened(Visit(value, bounds.low or 0.0, value if bounds.high is None else bounds.high), visit_share)
        found[f"latency_ms.{name}"] = Figure(
            value / NS_PER_MS,
            None if bounds.low is None else wide.low / NS_PER_MS,
            None if bounds.high is None else wide.high / NS_PER_MS,
            bounds.reason,
        )
    found["latency_ms.min"] = exact(ordered[0] / NS_PER_MS)
    return found


def _metrics(row: Row, metrics: Mapping[str, str], device: Device | None, time: Figure) -> dict[str, Figure]:
    if time.value is None:
        return {}
    ends = [end for end in (time.value, time.low, time.high) if end is not None]
    figures, missing = evaluate(metrics, [row] * len(ends), np.array(ends) * NS_PER_MS / NS_PER_S, device)
    found = {name: Figure(None, reason=f"n/a: {reason}") for name, reason in missing[0].items()}
    for name, value in figures[0].items():
        others = [known[name] for known in figures[1:] if name in known]
        if time.low is not None and time.high is not None and len(others) == 2:
            found[name] = Figure(value, min(others), max(others))
        else:
            found[name] = Figure(value, reason=time.reason)
    return found
