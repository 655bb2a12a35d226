"""What was found out about a winner in words, for terminals and pages alike: targets as judged, runs under load, cost."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.costs import usd_text
from tunetui.core.labels import one_line, trial_label
from tunetui.core.leaderboard import Board, HostCostPart, Leaderboard, ReliabilityPart
from tunetui.core.targets import MET, Verdict

_MANY = 100_000
"""From here on a figure's thousands are set apart."""
_SECONDS_PER_MINUTE = 60


def targets_of_whom(verdicts: Sequence[Verdict]) -> str:
    """Whom the verdicts are about: ``targets, judged on the winner with its uncertainty``."""
    rows = max((verdict.rows for verdict in verdicts), default=1)
    whose = "the winner"
    if rows > 1:
        every = all(verdict.verdict == MET for verdict in verdicts)
        whose = f"the fastest of {rows} tied winners {'that meets them all' if every else '(none meets them all)'}"
    return f"targets, judged on {whose} with its uncertainty"


def asked(verdict: Verdict) -> str:
    """``latency_ms.p95 < 50``."""
    return f"{one_line(verdict.metric)} {one_line(verdict.op)} {_exact(verdict.bound)}"


def judged(verdict: Verdict) -> str:
    """The figure with its interval, and what else decided: ``2.2, between 1.1 and 3.4 (met by 17 of 24 tied)``."""
    why = one_line(verdict.reason)
    tied = f"met by {verdict.met_by} of {verdict.rows} tied" if 0 < (verdict.met_by or 0) < verdict.rows else ""
    if verdict.value is None:
        return "; ".join(filter(None, [why or figures.NOT_MEASURED, tied]))
    if verdict.low is None or verdict.high is None:
        text = _apart(verdict.value, None)
    elif verdict.low == verdict.high:
        text = _exact(verdict.value)
    else:
        width = max(verdict.high - verdict.value, verdict.value - verdict.low)
        value, low, high = (_apart(each, width) for each in (verdict.value, verdict.low, verdict.high))
        text = f"{value}, between {low} and {high}"
    more = "; ".join(filter(None, [why, tied]))
    return f"{text} ({more})" if more else text


def under_load(board: Board, part: ReliabilityPart) -> str:
    """One row's run under load: who, how long, what came out, and what the device did."""
    entry = next((entry for entry in board.rows if entry.trial == part.trial), None)
    named = trial_label(entry.implementation, entry.configuration) if entry is not None else one_line(part.trial)
    said = [named, *(["CUT SHORT: " + one_line(part.reason)] if part.reason else [])]
    said.append(
        f"{_lasting(part.seconds)}, {figures.counted(part.executions, 'execution')} "
        f"({figures.count(part.timed)} timed), {figures.count(part.verified)} verified: {figures.count(part.wrong)} wrong, "
        f"{figures.counted(part.errors, 'error')}"
    )
    if part.p50_ms is not None and part.p99_ms is not None and part.worst_ms is not None:
        half, half_99 = _half(part.p50_low_ms, part.p50_high_ms), _half(part.p99_low_ms, part.p99_high_ms)
        p50, p99 = figures.with_uncertainty(part.p50_ms, half), figures.with_uncertainty(part.p99_ms, half_99)
        worst = figures.with_uncertainty(part.worst_ms, None)
        said.append(f"p50 {p50}, p99 {p99}, worst {worst} ms")
    said += _of_device(part)
    said += [f"first cause: {one_line(part.causes[0])}"] if part.causes else []
    return "; ".join(said)


def cost(leaderboard: Leaderboard) -> str:
    """What the run cost, by host, and who said the price; empty where nobody asked."""
    found = leaderboard.cost
    if found is None:
        return ""
    each = [f"{one_line(part.host)} {part.hours:.3g} h {_price(part)}" for part in found.hosts]
    total = figures.NOT_MEASURED if found.usd is None else usd_text(found.usd)
    trial = f" ({usd_text(found.usd_per_trial)} a trial)" if found.usd_per_trial is not None else ""
    return f"{total}{trial}: {'; '.join(each)}"


def _price(part: HostCostPart) -> str:
    if part.usd_per_hour is None:
        return "at an unknown price: n/a"
    return f"at {usd_text(part.usd_per_hour)} an hour ({one_line(part.price_source)})"


def _of_device(part: ReliabilityPart) -> list[str]:
    """Clock and temperature over the whole time."""
    clocks = [each.clock_mhz for each in part.series if each.clock_mhz is not None]
    temperatures = [each.temperature_c for each in part.series if each.temperature_c is not None]
    said = []
    if clocks:
        low, high = f"{min(clocks):.0f}", f"{max(clocks):.0f}"
        said.append(f"clock {low} MHz throughout" if low == high else f"clock {low} to {high} MHz")
    if temperatures:
        said.append(f"up to {max(temperatures):.0f} °C")
    return said


def _lasting(seconds: float) -> str:
    """``15 s``, ``5:00 min``."""
    if seconds < 2 * _SECONDS_PER_MINUTE:
        return f"{seconds:.0f} s"
    clock = figures.clock(seconds)
    return f"{clock} min" if clock.count(":") == 1 else f"{clock} h"


def _half(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2


def _apart(value: float, half_width: float | None) -> str:
    """To the digits that have meaning; long ones with their thousands set apart."""
    text = figures.with_uncertainty(value, half_width)
    return f"{float(text):,.0f}" if abs(value) >= _MANY and text.lstrip("-").isdigit() else text


def _exact(value: float) -> str:
    """A figure without uncertainty: as short as it can be written."""
    if abs(value) >= _MANY and value.is_integer():
        return f"{value:,.0f}"
    return figures.setting(int(value) if value.is_integer() else round(value, 6))
