"""Runs under load on the HTML page: what came out, and latency, clock, temperature and power over their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tunetui.core.exports.svg import BLUE, GREEN, RED, figure, svg, text, tick
from tunetui.core.figures import with_uncertainty
from tunetui.core.leaderboard import Board, LoadPoint, ReliabilityPart
from tunetui.core.verdict_words import under_load

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 300, 120, 52, 8, 10, 20

Series = tuple[str, str, Callable[[LoadPoint], float | None]]

_LATENCIES: tuple[Series, ...] = (
    ("worst", RED, lambda point: point.worst_ms),
    ("p99", BLUE, lambda point: point.p99_ms),
    ("p50", GREEN, lambda point: point.p50_ms),
)
_OTHERS: tuple[tuple[str, Series], ...] = (
    ("Clock, MHz", ("clock", BLUE, lambda point: point.clock_mhz)),
    ("Temperature, °C", ("temperature", RED, lambda point: point.temperature_c)),
    ("Power, W", ("power", BLUE, lambda point: point.power_w)),
)


def under_load_part(board: Board) -> str:
    """Every row of a board that was run under load; empty where none was."""
    return "".join(_one(board, part) for part in board.reliability)


def _one(board: Board, part: ReliabilityPart) -> str:
    pictures = _chart("Latency, ms: worst (red), p99 (blue), p50 (green)", part.series, _LATENCIES)
    pictures += "".join(_chart(caption, part.series, [series]) for caption, series in _OTHERS)
    failures = [point for point in part.series if point.wrong or point.errors]
    rows = "".join(
        f"<li class=bad>{text(f'after {point.seconds:.0f} s: {point.wrong} wrong, {point.errors} errors')}</li>"
        for point in failures
    )
    return (
        f"<h3>Under load</h3><p>{text(under_load(board, part))}</p>"
        f'{f"<ul>{rows}</ul>" if rows else ""}<div class="pictures">{pictures}</div>'
    )


def _chart(caption: str, points: Sequence[LoadPoint], series: Sequence[Series]) -> str:
    """Lines over seconds from the run's begin, from the least value to the largest; nothing where the device tells none."""
    known = [(value, point.seconds) for point in points for _, _, read in series if (value := read(point)) is not None]
    if len(known) < 2:
        return ""
    low, high = min(known)[0], max(known)[0]
    ends = [(high, _TOP + 4), (low, _HEIGHT - _BOTTOM)]
    if high == low:  # nothing moved: a line in the middle
        ends = [(high, (_TOP + _HEIGHT - _BOTTOM) // 2 + 4)]
        low, high = low - 1.0, high + 1.0
    last = max(point.seconds for point in points) or 1.0

    def at(seconds: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * seconds / last
        return f"{x:.1f},{_TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low):.1f}"

    parts = [f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor"/>']
    for value, y in ends:
        said = tick(value, high - low) if len(ends) > 1 else with_uncertainty(value, None)
        parts.append(f'<text x="{_LEFT - 4}" y="{y}" text-anchor="end">{said}</text>')
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 5}">0</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">{last:.0f} s</text>')
    for _, colour, read in series:
        line = " ".join(at(point.seconds, value) for point in points if (value := read(point)) is not None)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
    return figure(caption, svg(parts, _WIDTH, _HEIGHT, caption))
