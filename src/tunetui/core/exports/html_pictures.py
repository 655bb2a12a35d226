"""Pictures of a board as SVG and HTML: distributions of the leaders, a heatmap, axis sensitivity, a roofline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from statistics import median

import numpy as np

from tunetui.core.board_figures import varying_axes
from tunetui.core.exports.choosing import measured
from tunetui.core.figures import setting
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, DevicePart, Entry
from tunetui_agent.messages import Value

_LEADERS = 8
_NS_PER_MS = 1e6
_WIDTH, _ROW_HEIGHT, _LABEL_WIDTH = 620, 26, 250
_BINS = 48
_MOST_VALUES = 24
_GREEN, _RED = (46, 160, 110), (214, 90, 70)


def distributions(board: Board) -> str:
    """Each leader's samples as a strip of counts, with its median and interval, on one scale."""
    leaders = [row for row in measured(board)[:_LEADERS] if row.samples_ns]
    if not leaders:
        return ""
    samples = [np.asarray(row.samples_ns, np.float64) / _NS_PER_MS for row in leaders]
    low = min(float(np.quantile(each, 0.005)) for each in samples)
    high = max(float(np.quantile(each, 0.995)) for each in samples)
    span = (high - low) or 1e-9
    room = _WIDTH - _LABEL_WIDTH - 20

    def across(value: float) -> float:
        return _LABEL_WIDTH + room * (min(max(value, low), high) - low) / span

    parts = []
    for place, (row, each) in enumerate(zip(leaders, samples, strict=True)):
        top = place * _ROW_HEIGHT + 4
        parts.append(f'<text x="0" y="{top + 14}">{_short(row)}</text>')
        counts = np.histogram(np.clip(each, low, high), bins=_BINS, range=(low, low + span))[0]
        for bar, count in enumerate(counts.tolist()):
            if count:
                height = 18 * count / int(counts.max())
                x = _LABEL_WIDTH + room * bar / _BINS
                parts.append(f'<rect x="{x:.1f}" y="{top + 18 - height:.1f}" width="{room / _BINS:.1f}" '
                             f'height="{height:.1f}" fill="#69c"/>')  # fmt: skip
        found = row.latency_ms
        if found is not None:
            x = across(found.median)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + 20}" stroke="#c33" stroke-width="2"/>')
            if found.ci_low is not None and found.ci_high is not None:
                ends = across(found.ci_low), across(found.ci_high)
                parts.append(
                    f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{top + 20}" y2="{top + 20}" stroke="#c33"/>'
                )
    height = len(leaders) * _ROW_HEIGHT + 24
    parts.append(f'<text x="{_LABEL_WIDTH}" y="{height - 4}">{low:.4g} ms</text>')
    parts.append(f'<text x="{_WIDTH - 20}" y="{height - 4}" text-anchor="end">{high:.4g} ms</text>')
    return _figure("Samples of the leaders (red: median and its interval)", _svg(parts, _WIDTH, height))


def heatmap(board: Board) -> str:
    """The best median over the two axes that matter most."""
    rows = measured(board)
    axes = [axis for axis, _ in importance(board)[:2]]
    if len(axes) < 2:
        return ""
    best: dict[tuple[Value, Value], float] = {}
    for row in rows:
        if all(axis in row.configuration for axis in axes) and row.latency_ms is not None:
            key = row.configuration[axes[0]], row.configuration[axes[1]]
            best[key] = min(best.get(key, math.inf), row.latency_ms.median)
    ys, xs = (_ordered({key[side] for key in best})[:_MOST_VALUES] for side in (0, 1))
    least, most = math.log(min(best.values())), math.log(max(best.values()))
    head = "".join(f"<th>{_text(setting(x))}</th>" for x in xs)
    lines = []
    for y in ys:
        cells = []
        for x in xs:
            value = best.get((y, x))
            tone = (
                ""
                if value is None
                else f' style="background:{_tone((math.log(value) - least) / ((most - least) or 1))}"'
            )
            cells.append(f"<td{tone}>{'' if value is None else f'{value:.4g}'}</td>")
        lines.append(f"<tr><th>{_text(setting(y))}</th>{''.join(cells)}</tr>")
    caption = f"Best median in ms: {one_line(axes[0])} (down) x {one_line(axes[1])} (across)"
    return _figure(caption, f'<table class="heat"><tr><th></th>{head}</tr>{"".join(lines)}</table>')


def importance(board: Board) -> list[tuple[str, float]]:
    """Axes with the share of the variance of log latency that their values explain, largest first.

    One axis at a time, within implementations (the correlation ratio of each); interactions count for neither axis.
    """
    rows = [row for row in measured(board) if row.configuration]
    shares: dict[str, float] = {}
    for axis in varying_axes(board):
        inside = total = 0.0
        for name in dict.fromkeys(row.implementation for row in rows):
            own = [row for row in rows if row.implementation == name and axis in row.configuration]
            groups: dict[Value, list[float]] = {}
            for row in own:
                groups.setdefault(row.configuration[axis], []).append(_log(row))
            if len(groups) > 1:
                total += _squares([_log(row) for row in own])
                inside += sum(_squares(each) for each in groups.values())
        if total > 0:
            shares[axis] = 1.0 - inside / total
    return sorted(shares.items(), key=lambda item: -item[1])


def sensitivity(board: Board) -> str:
    """How much of the variation each axis explains, and the median at each of its values."""
    found = importance(board)
    if not found:
        return ""
    rows = measured(board)
    lines = []
    for axis, share in found:
        values = _ordered({row.configuration[axis] for row in rows if axis in row.configuration})[:_MOST_VALUES]
        said = ", ".join(
            f"{setting(value)}: {median(row.latency_ms.median for row in rows if row.latency_ms and row.configuration.get(axis) == value):.4g}"
            for value in values
        )
        lines.append(f"<tr><td>{_text(axis)}</td><td>{100 * share:.0f} %</td><td>{_text(said)}</td></tr>")
    head = "<tr><th>axis</th><th>explains</th><th>median of medians in ms at each value</th></tr>"
    caption = (
        "Axis sensitivity: share of the variance of log latency that one axis alone explains, within implementations"
    )
    return _figure(caption, f"<table>{head}{''.join(lines)}</table>")


def roofline(board: Board, device: DevicePart | None) -> str:
    """Measured rows under this device's measured ceilings; nothing where a ceiling or a figure was not measured."""
    details = device.details if device is not None else {}
    read = _number(details.get("ceiling_read_gb_per_s"))
    copy = _number(details.get("ceiling_copy_gb_per_s"))
    flops = _number(details.get("ceiling_matmul_tflop_per_s"))
    bandwidth = max(read, copy)
    points = [
        (
            row.metrics["arithmetic_gflop_per_s"] / row.metrics["bandwidth_gb_per_s"],
            row.metrics["arithmetic_gflop_per_s"],
            row,
        )
        for row in measured(board)
        if row.metrics.get("bandwidth_gb_per_s", 0) > 0 and row.metrics.get("arithmetic_gflop_per_s", 0) > 0
    ]
    if not points or bandwidth <= 0:
        return ""
    top_gflops = flops * 1e3 if flops > 0 else max(bandwidth * 4 * max(x for x, _, _ in points), 1.0)
    xs = [point[0] for point in points]
    left, right = math.log10(min(xs) / 4), math.log10(max(*(x * 8 for x in xs), 2 * top_gflops / bandwidth))
    bottom, top = math.log10(min(y for _, y, _ in points) / 2), math.log10(2 * top_gflops)

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - left) / (right - left)
        return 60 + across * 500, 270 - (math.log10(y) - bottom) / (top - bottom) * 250

    knee = top_gflops / bandwidth
    start, end = at(10**left, max(bandwidth * 10**left, 10**bottom)), at(knee, top_gflops)
    parts = [_line(start, end)]
    if flops > 0:
        parts.append(_line(end, at(10**right, top_gflops)))
        parts.append(f'<text x="555" y="{end[1] - 5:.0f}" text-anchor="end">{flops:.4g} TFLOP/s measured</text>')
    parts.append(f'<text x="{start[0] + 8:.0f}" y="{start[1] - 40:.0f}">{bandwidth:.4g} GB/s measured</text>')
    for x, y, row in reversed(points[:2000]):
        px, py = at(x, y)
        colour = "#c33" if row.tie_group == 1 else "#69c"
        parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>')
    parts += ['<path d="M60 20V270H560" fill="none" stroke="currentColor"/>']
    parts.append(
        f'<text x="60" y="286">{10**left:.2g}</text><text x="560" y="286" text-anchor="end">{10**right:.3g} FLOP/byte</text>'
    )
    parts.append(f'<text x="4" y="270">{10**bottom:.2g}</text><text x="4" y="30">{10**top:.2g}</text>')
    without = "" if flops > 0 else "; this device's arithmetic ceiling was not measured"
    return _figure(
        f"Roofline in GFLOP/s under measured ceilings (red: the winning group){without}", _svg(parts, 580, 292)
    )


# ---------------------------------------------------------------------------------- small things


def _log(row: Entry) -> float:
    return math.log(row.latency_ms.median) if row.latency_ms is not None and row.latency_ms.median > 0 else 0.0


def _squares(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _ordered(values: set[Value]) -> list[Value]:
    return sorted(
        values, key=lambda value: (isinstance(value, str), value if not isinstance(value, str) else 0, str(value))
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0.0


def _tone(share: float) -> str:
    mixed = [round(a + (b - a) * share) for a, b in zip(_GREEN, _RED, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    return f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="#2a7" stroke-width="2"/>'


def _short(row: Entry) -> str:
    words = " ".join(
        [one_line(row.implementation), *(each.partition("=")[2] for each in assignments(row.configuration))]
    )
    return escape(words if len(words) <= 38 else words[:37] + "…")


def _text(text: str) -> str:
    return escape(one_line(text))


def _svg(parts: Sequence[str], width: int, height: int) -> str:
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">{"".join(parts)}</svg>'


def _figure(caption: str, picture: str) -> str:
    return f"<figure><h3>{_text(caption)}</h3>{picture}</figure>"
