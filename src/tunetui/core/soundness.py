"""Whether a leaderboard that was read contradicts itself, as one edited by hand may; what is wrong is said with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from tunetui.core.leaderboard import Board, Entry, Latency, Leaderboard, ReliabilityPart

_RANK = re.compile(r"[1-9][0-9]{0,8}=?")
_NS_PER_MS = 1e6
_ROUNDING_MS = 1e-8
"""Figures are written with nine decimals."""
_ENDS = ("ci_low", "ci_high", "repeat_low", "repeat_high")
_LATENCIES = ("median", "p5", "p95", "p99", "min", "visit_low", "visit_high", *_ENDS)


def contradiction(leaderboard: Leaderboard, *, finite: bool = True) -> str | None:
    """The first thing that cannot be, as ``boards[0].rows[3].latency_ms.median: expected ..., found ...``; None where all may be.

    ``finite``: no figure is NaN or infinite, and none need be looked at for that.
    """
    devices = {device.id for device in leaderboard.devices}
    for place, board in enumerate(leaderboard.boards):
        wrong = _of_board(board, devices, finite=finite)
        if wrong:
            return f"boards[{place}].{wrong}"
    rate = leaderboard.success_rate
    return None if rate is None or 0 <= rate <= 1 else f"success_rate: expected 0 to 1, found {rate:g}"


def _of_board(board: Board, devices: set[str], *, finite: bool) -> str | None:
    trials = [row.trial for row in board.rows]
    known = set(trials)
    if len(known) != len(trials):
        twice = next(trial for place, trial in enumerate(trials) if trial in trials[:place])
        return f"rows: expected each trial once, found {twice!r} twice"
    for trial in [*board.winner, *([board.judged] if board.judged else [])]:
        if trial not in known:
            return f"winner: expected the trial of a row, found {trial!r}"
    for device in filter(None, [board.device, *board.devices]):
        if device not in devices:
            return f"device: expected the id of one of the devices, found {device!r}"
    for place, row in enumerate(board.rows):
        wrong = _of_row(row, finite=finite)
        if wrong:
            return f"rows[{place}].{wrong}"
    return next(filter(None, (_of_load(place, part) for place, part in enumerate(board.reliability))), None)


def _of_row(row: Entry, *, finite: bool) -> str | None:
    if row.rank is not None and (row.latency_ms is None or not _RANK.fullmatch(row.rank)):
        return f'rank: expected "1" or "1=" of a row with a latency, found {row.rank!r}'
    if row.samples_ns and min(row.samples_ns) <= 0:
        return f"samples_ns: expected more than 0, found {min(row.samples_ns)}"
    if not finite:
        for part in ("metrics", "quality", "telemetry", "resources"):
            name = _not_finite(getattr(row, part))
            if name:
                return f"{part}.{name}: expected a finite number, found {getattr(row, part)[name]}"
    wrong = _of_latency(row.latency_ms, row.samples_ns) if row.latency_ms is not None else None
    return None if wrong is None else f"latency_ms.{wrong}"


def _of_latency(latency: Latency, samples_ns: list[int]) -> str | None:
    """What is wrong; most rows are right, and seen to be so quickly."""
    median = latency.median
    lows, highs = (latency.ci_low, latency.visit_low), (latency.ci_high, latency.visit_high)
    around = all(end is None or -math.inf < end <= median for end in lows) and all(
        end is None or median <= end < math.inf for end in highs
    )
    around = around and (latency.repeat_low is latency.repeat_high is None or not _of_repeat(latency))
    if around and samples_ns:
        least, most = min(samples_ns) / _NS_PER_MS - _ROUNDING_MS, max(samples_ns) / _NS_PER_MS + _ROUNDING_MS
        if 0 < least <= latency.min <= latency.p5 <= median <= latency.p95 <= latency.p99 <= most:
            return None
    return _in_words(latency, samples_ns)


def _in_words(latency: Latency, samples_ns: list[int]) -> str | None:
    for name in _LATENCIES:
        value = getattr(latency, name)
        if value is not None and not math.isfinite(value):
            return f"{name}: expected a finite number, found {value}"
    if not latency.median > 0:
        return f"median: expected more than 0, found {latency.median:g}"
    if samples_ns:  # the figures are of these
        least, most = min(samples_ns) / _NS_PER_MS, max(samples_ns) / _NS_PER_MS
        for name in ("median", "min", "p5", "p95", "p99"):
            value = getattr(latency, name)
            if not least - _ROUNDING_MS <= value <= most + _ROUNDING_MS:
                return f"{name}: expected {least:g} to {most:g}, where its samples lie, found {value:g}"
    for low, high in (("ci_low", "ci_high"), ("visit_low", "visit_high")):
        for name, end, sign in ((low, getattr(latency, low), 1.0), (high, getattr(latency, high), -1.0)):
            if end is not None and sign * (end - latency.median) > _ROUNDING_MS:
                side = "at most" if sign > 0 else "at least"
                return f"{name}: expected {side} the median {latency.median:g}, found {end:g}"
    return _of_repeat(latency) or None


def _of_repeat(latency: Latency) -> str:
    """What is wrong with the repeat interval: it holds the median's own, and both its ends are there or none."""
    low, ci_low, ci_high, high = latency.repeat_low, latency.ci_low, latency.ci_high, latency.repeat_high
    if low is None and high is None:
        return ""
    if low is None or high is None or ci_low is None or ci_high is None:
        missing = next(name for name in _ENDS if getattr(latency, name) is None)
        return f"{missing}: expected a number beside repeat_{'high' if low is None else 'low'}, found none"
    if not 0 <= low < math.inf:  # no run, also no other one, takes less than no time
        return f"repeat_low: expected 0 or more, found {low:g}"
    if low - ci_low > _ROUNDING_MS:
        return f"repeat_low: expected at most ci_low {ci_low:g}, found {low:g}"
    if not high < math.inf or ci_high - high > _ROUNDING_MS:
        return f"repeat_high: expected at least ci_high {ci_high:g}, found {high:g}"
    return ""


def _of_load(place: int, part: ReliabilityPart) -> str | None:
    figures = {name: getattr(part, name) for name in part.__struct_fields__}
    wrong = _not_finite(figures) or _below_zero(figures)
    return f"reliability[{place}].{wrong}: expected 0 or more, found {figures[wrong]}" if wrong else None


def _not_finite(figures: Mapping[str, object]) -> str:
    return next((name for name, value in figures.items() if isinstance(value, float) and not math.isfinite(value)), "")


def _below_zero(figures: Mapping[str, object]) -> str:
    return next((name for name, value in _numbers(figures.items()) if value < 0), "")


def _numbers(items: Iterable[tuple[str, object]]) -> Iterable[tuple[str, float]]:
    return ((name, value) for name, value in items if isinstance(value, int | float))
