"""A run under load as its leaderboard has it: percentiles with their intervals, failures, and how it went over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median

from tunetui.core.leaderboard import LoadPoint, ReliabilityPart
from tunetui.core.loads import Load, Stretch, interval_ns, quantile_ns
from tunetui.core.snapshot import Row, Run
from tunetui.core.targets import NS_PER_MS, Figure, exact
from tunetui_agent.messages import Visit, widened
from tunetui_agent.messages import reliability as agent

POINTS = 60
"""Of the series in a file; a journal has every stretch."""

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_CLOCKS = ("sm_clock_mhz", "clock_mhz")
_NOT_RUN = "it was not run under load"


def load_parts(run: Run, rows: Iterable[Row]) -> list[ReliabilityPart]:
    """Those of a board's rows that were run under load."""
    return [_part(run, run.loads[row.trial]) for row in rows if row.trial in run.loads]


def load_figures(run: Run, row: Row, confidence: float, visit_share: float) -> dict[str, Figure]:
    """What targets can name of a row's run under load; where it was cut short, only what can no longer become better."""
    load = run.loads.get(row.trial)
    names = [f"reliability_{name}_ms" for name in (*_QUANTILES, "worst")]
    counts = [f"reliability_{name}" for name in ("failures", "errors", "wrong", "executions", "seconds")]
    hottest = "reliability_temperature_max_c"
    if load is None:
        return {name: exact(None, _NOT_RUN) for name in (*names, *counts, hottest)}
    cut = why_cut(run, load)
    short = f"n/a: {cut}" if cut else ""
    found = {}
    for name in counts:
        value = float(getattr(load, name.removeprefix("reliability_")))
        found[name] = Figure(value, value, None if cut else value, short)
    for name, q in _QUANTILES.items():
        found[f"reliability_{name}_ms"] = _quantile(load, q, confidence, visit_share, short)
    worst = load.worst_ns / NS_PER_MS if load.timed else None
    found["reliability_worst_ms"] = Figure(worst, worst, None if cut else worst, short)
    celsius = max((t for each in load.stretches if (t := _number(each, "temperature_c")) is not None), default=None)
    reason = short or "" if celsius is not None else f"n/a: {_no_temperature(load)}"
    found[hottest] = Figure(celsius, celsius, None if cut else celsius, reason)
    return found


def why_cut(run: Run, load: Load) -> str:
    """Why a run under load did not go on for the time asked, in words; empty where it did."""
    if load.is_complete:
        return ""
    how_far = f"cut short after {load.seconds:.0f} of {load.asked_seconds:.0f} s"
    if load.reason:
        return f"{how_far}: {load.cause}" if load.cause else how_far
    if is_under_way(run, load):
        return f"still under way, {load.seconds:.0f} of {load.asked_seconds:.0f} s"
    agent_ended = run.agents[load.source].ended if load.source in run.agents else ""
    return f"{how_far}: {'its agent was gone' if not agent_ended else f'the agent was {agent_ended}'}"


def is_under_way(run: Run, load: Load) -> bool:
    """Whether its agent runs it now, as far as is known."""
    progress = run.running.get(load.source)
    return progress is not None and (progress.trial, progress.stage) == (load.trial, agent.RELIABILITY)


def _quantile(load: Load, q: float, confidence: float, visit_share: float, short: str) -> Figure:
    value = quantile_ns(load.bins, q)
    if value is None:
        return exact(None, "no execution under load was timed")
    low, high = interval_ns(load.bins, q, confidence)
    if short or low is None or high is None:
        few = f"too few timed executions ({load.timed}) for an interval"
        return Figure(value / NS_PER_MS, reason=short or f"n/a: {few}")
    wide = widened(Visit(value, low, high), visit_share)
    return Figure(value / NS_PER_MS, wide.low / NS_PER_MS, wide.high / NS_PER_MS)


def _part(run: Run, load: Load) -> ReliabilityPart:
    ends = {name: interval_ns(load.bins, q, run.confidence) for name, q in _QUANTILES.items()}
    unavailable = {}
    if not any(_number(each, "temperature_c") is not None for each in load.stretches):
        unavailable["temperature_c"] = f"n/a: {_no_temperature(load)}"
    if not load.timed:
        unavailable["p99_ms"] = "n/a: no execution under load was timed"
    return ReliabilityPart(
        trial=load.trial,
        complete=load.is_complete,
        reason=why_cut(run, load),
        asked_seconds=load.asked_seconds,
        seconds=load.seconds,
        executions=load.executions,
        timed=load.timed,
        executing_percent=round(100.0 * load.executing_seconds / load.seconds, 1) if load.seconds else 0.0,
        verified=load.verified,
        wrong=load.wrong,
        errors=load.errors,
        causes=list(load.causes),
        p50_ms=_ms(quantile_ns(load.bins, 0.5)),
        p50_low_ms=_ms(ends["p50"][0]),
        p50_high_ms=_ms(ends["p50"][1]),
        p95_ms=_ms(quantile_ns(load.bins, 0.95)),
        p99_ms=_ms(quantile_ns(load.bins, 0.99)),
        p99_low_ms=_ms(ends["p99"][0]),
        p99_high_ms=_ms(ends["p99"][1]),
        worst_ms=_ms(load.worst_ns or None),
        series=_series(load.stretches),
        unavailable=unavailable,
    )


def _series(stretches: Sequence[Stretch]) -> list[LoadPoint]:
    """At most `POINTS` of them, each of so many neighbouring stretches."""
    size = -(-len(stretches) // POINTS) or 1
    return [_point(stretches[start : start + size]) for start in range(0, len(stretches), size)]


def _point(alike: Sequence[Stretch]) -> LoadPoint:
    middles = [each.p50_ns for each in alike if each.p50_ns is not None]
    tails = [each.p99_ns for each in alike if each.p99_ns is not None]
    clocks = [c for each in alike if (c := next((n for k in _CLOCKS if (n := _number(each, k)) is not None), None))]
    temperatures = [t for each in alike if (t := _number(each, "temperature_c")) is not None]
    watts = [w for each in alike if (w := _number(each, "power_w")) is not None]
    return LoadPoint(
        seconds=round(alike[-1].seconds, 1),
        executions=sum(each.executions for each in alike),
        p50_ms=_ms(median(middles)) if middles else None,
        p99_ms=_ms(max(tails)) if tails else None,
        worst_ms=_ms(max(each.worst_ns for each in alike) or None),
        wrong=sum(each.wrong for each in alike),
        errors=sum(each.errors for each in alike),
        clock_mhz=round(fmean(clocks), 1) if clocks else None,
        temperature_c=max(temperatures, default=None),
        power_w=round(fmean(watts), 1) if watts else None,
    )


def _number(stretch: Stretch, name: str) -> float | None:
    value = stretch.telemetry.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _no_temperature(load: Load) -> str:
    said = next(
        (each.telemetry[key] for each in load.stretches for key in each.telemetry if key.endswith("_reason")), ""
    )
    return str(said).removeprefix("n/a: ") or "this system tells no temperature of the device"


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else float(f"{nanoseconds / NS_PER_MS:.6g}")
