"""What stands below a board: runs under load, targets as judged, whether it is ready."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.costs import usd_text
from tunetui.core.labels import one_line, trial_label
from tunetui.core.leaderboard import Board, HostCostPart, Leaderboard, ReliabilityPart
from tunetui.core.readiness import readiness
from tunetui.core.targets import MET, Verdict
from tunetui.core.text_fitting import wrapped


def verdict_lines(leaderboard: Leaderboard, board: Board, width: int | None) -> list[str]:
    """Everything that was found out about whether the winner will do."""
    ready = readiness(leaderboard, board)
    lines = [line for part in board.reliability for line in _load_lines(board, part, width)]
    lines += _verdicts(board.targets, width)
    return [*lines, *(wrapped(ready.split(" "), width, indent="  ", first="") if ready else [])]


def cost_lines(leaderboard: Leaderboard, width: int | None) -> list[str]:
    """What the run cost, by host, and who said the price."""
    cost = leaderboard.cost
    if cost is None:
        return []
    each = [f"{one_line(part.host)} {part.hours:.3g} h {_price(part)}" for part in cost.hosts]
    total = "n/a" if cost.usd is None else usd_text(cost.usd)
    trial = f" ({usd_text(cost.usd_per_trial)} a trial)" if cost.usd_per_trial is not None else ""
    return ["", *wrapped(f"{total}{trial}: {'; '.join(each)}".split(" "), width, indent="  ", first="cost: ")]


def _price(part: HostCostPart) -> str:
    if part.usd_per_hour is None:
        return "at an unknown price: n/a"
    return f"at {usd_text(part.usd_per_hour)} an hour ({one_line(part.price_source)})"


def _load_lines(board: Board, part: ReliabilityPart, width: int | None) -> list[str]:
    entry = next((entry for entry in board.rows if entry.trial == part.trial), None)
    named = trial_label(entry.implementation, entry.configuration) if entry is not None else one_line(part.trial)
    said = [named, *(["CUT SHORT: " + one_line(part.reason)] if part.reason else [])]
    said.append(
        f"{figures.clock(part.seconds)} min, {figures.counted(part.executions, 'execution')} "
        f"({figures.count(part.timed)} timed), {figures.count(part.verified)} verified: {part.wrong} wrong, {part.errors} errors"
    )
    if part.p50_ms is not None and part.p99_ms is not None and part.worst_ms is not None:
        half = (part.p99_high_ms - part.p99_low_ms) / 2 if part.p99_low_ms and part.p99_high_ms else None
        said.append(
            f"p50 {_ms(part.p50_ms)}, p99 {figures.with_uncertainty(part.p99_ms, half)}, worst {_ms(part.worst_ms)} ms"
        )
    said += _of_device(part)
    said += [f"first cause: {one_line(part.causes[0])}"] if part.causes else []
    return wrapped("; ".join(said).split(" "), width, indent="  ", first="under load: ")


def _of_device(part: ReliabilityPart) -> list[str]:
    clocks = [each.clock_mhz for each in part.series if each.clock_mhz is not None]
    hottest = max((each.temperature_c for each in part.series if each.temperature_c is not None), default=None)
    said = [f"clock {min(clocks):.0f} to {max(clocks):.0f} MHz"] if clocks else []
    return [*said, *([f"up to {hottest:.0f} °C"] if hottest is not None else [])]


def _verdicts(verdicts: Sequence[Verdict], width: int | None) -> list[str]:
    """Targets as judged, on the uncertain side of each figure."""
    rows = max((verdict.rows for verdict in verdicts), default=1)
    whose = "the winner"
    if rows > 1:
        found = (
            "that meets them all" if all(verdict.verdict == MET for verdict in verdicts) else "(none meets them all)"
        )
        whose = f"the fastest of {rows} tied winners {found}"
    lines = wrapped(f"targets, judged on {whose} with its uncertainty:".split(" "), width, indent="  ", first="")
    for verdict in verdicts:
        asked = f"{one_line(verdict.metric)} {one_line(verdict.op)} {_exact(verdict.bound)}"
        words = f"{asked}: {_judged(verdict)}".split(" ")
        lines += wrapped(words, width, indent=" " * 15, first=f"  {one_line(verdict.verdict):<9}  ")
    return lines if verdicts else []


def _judged(verdict: Verdict) -> str:
    why = one_line(verdict.reason)
    tied = f"met by {verdict.met_by} of {verdict.rows} tied" if 0 < (verdict.met_by or 0) < verdict.rows else ""
    if verdict.value is None:
        return "; ".join(filter(None, [why or figures.NOT_MEASURED, tied]))
    if verdict.low is None or verdict.high is None:
        text = figures.with_uncertainty(verdict.value, None)
    elif verdict.low == verdict.high:
        text = _exact(verdict.value)
    else:
        width = max(verdict.high - verdict.value, verdict.value - verdict.low)
        value, low, high = (figures.with_uncertainty(f, width) for f in (verdict.value, verdict.low, verdict.high))
        text = f"{value}, between {low} and {high}"
    more = "; ".join(filter(None, [why, tied]))
    return f"{text} ({more})" if more else text


def _ms(value: float) -> str:
    return figures.with_uncertainty(value, None)


def _exact(value: float) -> str:
    """A figure without uncertainty: as short as it can be written."""
    return figures.setting(int(value) if value.is_integer() else round(value, 6))
