"""Pictures of a board as SVG: the samples of its leaders, and a roofline under the ceilings that were measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tunetui.core.board_figures import varying_axes
from tunetui.core.exports.choosing import measured
from tunetui.core.exports.svg import BLUE, GREEN, RED, LogPlane, figure, line, short, svg, tick
from tunetui.core.leaderboard import Board, DevicePart, Entry, Latency

_LEADERS = 8
_NS_PER_MS = 1e6
_WIDTH, _ROW_HEIGHT, _LABEL_WIDTH = 620, 26, 250
_BINS = 48
_FAR = 3.0
"""Times the fastest median: slower rows would leave the others no room on one scale."""
_TAIL = 0.02
"""Of the slowest leader's samples, what may lie beyond the right edge."""
_MOST_POINTS = 2000

Floats = NDArray[np.float64]


def distributions(board: Board) -> str:
    """Each leader's samples as a strip of counts, with its median and interval, on one scale."""
    fastest = measured(board)[:_LEADERS]
    leaders = [row for row in fastest if row.samples_ns and _median(row) <= _FAR * _median(fastest[0])]
    if not leaders:
        return ""
    samples = [np.asarray(row.samples_ns, np.float64) / _NS_PER_MS for row in leaders]
    low = min(float(each.min()) for each in samples)
    high = max(float(np.quantile(each, 1.0 - _TAIL)) for each in samples)
    high = max(high, low * (1.0 + 1e-9))
    room = _WIDTH - _LABEL_WIDTH - 20
    parts: list[str] = []
    axes = varying_axes(board)
    for place, (row, each) in enumerate(zip(leaders, samples, strict=True)):
        parts += _strip(short(row, axes), row, each, (low, high), place * _ROW_HEIGHT + 4, room)
    height = len(leaders) * _ROW_HEIGHT + 24
    parts.append(f'<text x="{_LABEL_WIDTH}" y="{height - 4}">{tick(low, high - low)} ms</text>')
    parts.append(
        f'<text x="{_WIDTH - 20}" y="{height - 4}" text-anchor="end">{tick(high, high - low)} ms and more</text>'
    )
    caption = "Samples of the leaders"
    names = f"; names: {', '.join(['implementation', *axes])}" if axes else ""
    far = len([row for row in fastest if row.samples_ns]) - len(leaders)
    left_out = f"; not shown: {far} more than {_FAR:g} times slower" if far else ""
    return figure(caption, svg(parts, _WIDTH, height, caption), f"red: median and its interval{names}{left_out}")


def _strip(name: str, row: Entry, samples: Floats, ends: tuple[float, float], top: int, room: int) -> list[str]:
    """One leader: its name, a histogram, its median and interval."""
    low, high = ends

    def across(value: float) -> float:
        return _LABEL_WIDTH + room * (min(max(value, low), high) - low) / (high - low)

    parts = [f'<text x="0" y="{top + 14}">{name}</text>']
    counts = np.histogram(np.clip(samples, low, high), bins=_BINS, range=(low, high))[0]
    for bar, count in enumerate(counts.tolist()):
        if count:
            height = 18 * count / int(counts.max())
            parts.append(f'<rect x="{_LABEL_WIDTH + room * bar / _BINS:.1f}" y="{top + 18 - height:.1f}" '
                         f'width="{room / _BINS:.1f}" height="{height:.1f}" fill="{BLUE}"/>')  # fmt: skip
    return parts + (_mark(row.latency_ms, across, top) if row.latency_ms else [])


def _mark(found: Latency, across: Callable[[float], float], top: int) -> list[str]:
    x = across(found.median)
    parts = [f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + 20}" stroke="{RED}" stroke-width="2"/>']
    if found.ci_low is not None and found.ci_high is not None:
        parts.append(f'<line x1="{across(found.ci_low):.1f}" x2="{across(found.ci_high):.1f}" y1="{top + 20}" '
                     f'y2="{top + 20}" stroke="{RED}"/>')  # fmt: skip
    return parts


def _median(row: Entry) -> float:
    return row.latency_ms.median if row.latency_ms is not None else 0.0


def roofline(board: Board, device: DevicePart | None) -> str:
    """Measured rows under this device's measured ceilings; nothing where a ceiling or a figure was not measured."""
    details = device.details if device is not None else {}
    ceilings = [_positive(details.get(f"ceiling_{name}_gb_per_s")) for name in ("read", "copy")]
    bandwidth, flops = max(ceilings), _positive(details.get("ceiling_matmul_tflop_per_s")) * 1e3
    points = [(work / moved, work, row) for row in measured(board)
              if (moved := row.metrics.get("bandwidth_gb_per_s", 0)) > 0
              and (work := row.metrics.get("arithmetic_gflop_per_s", 0)) > 0]  # fmt: skip
    if not points or bandwidth <= 0:
        return ""
    xs = [x for x, _, _ in points]
    reach = max(4 * max(xs), 1.5 * flops / bandwidth)
    top = 1.5 * (flops if flops > 0 else bandwidth * reach)
    plane = LogPlane((min(xs) / 4, reach), (min(y for _, y, _ in points) / 2, top), (60, 24, 560, 270))
    parts = [*plane.frame("FLOP/byte", "GFLOP/s"), *_ceilings(plane, bandwidth, flops)]
    for x, y, row in reversed(points[:_MOST_POINTS]):
        px, py = plane.at(x, y)
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{RED if row.tie_group == 1 else BLUE}"/>')
    note = "red: the winning group; lines: ceilings measured on this very device"
    if flops <= 0:
        note += "; its arithmetic ceiling was not measured"
    caption = "Roofline"
    return figure(caption, svg(parts, 580, 302, caption), note)


def _ceilings(plane: LogPlane, bandwidth: float, flops: float) -> list[str]:
    """The slope of the memory and, where it was measured, the flat of the arithmetic."""
    start = max(plane.xs[0], plane.ys[0] / bandwidth)
    knee = min(flops / bandwidth if flops > 0 else plane.xs[1], plane.xs[1])
    parts = [line(plane.at(start, bandwidth * start), plane.at(knee, bandwidth * knee))]
    label = plane.at((start * knee) ** 0.5, bandwidth * (start * knee) ** 0.5)
    parts.append(f'<text x="{label[0] - 6:.0f}" y="{label[1] - 6:.0f}" text-anchor="end" fill="{GREEN}">'
                 f"{bandwidth:.4g} GB/s measured</text>")  # fmt: skip
    if flops > 0:
        end = plane.at(plane.xs[1], flops)
        parts.append(line(plane.at(knee, flops), end))
        parts.append(
            f'<text x="{end[0]:.0f}" y="{end[1] - 5:.0f}" text-anchor="end">{flops / 1e3:.4g} TFLOP/s measured</text>'
        )
    return parts


def _positive(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0
