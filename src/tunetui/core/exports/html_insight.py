"""What a board teaches, for the HTML page: heatmaps, axis sensitivity, what speed costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.exports.choosing import measured
from tunetui.core.exports.svg import figure, text
from tunetui.core.figures import setting
from tunetui.core.importance import AtValue, AxisShare, Importance, Share, overlap
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Entry
from tunetui.core.tradeoffs import Cheapest, Front, Point, half_width_ms, quantity, slower
from tunetui_agent.messages import Value

_MOST_VALUES = 24
_MOST_POINTS = 12
_GREEN, _RED = (46, 160, 110), (214, 90, 70)
_BAR = 90
"""Pixels of a bar that stands for everything."""


def heatmap(board: Board, importance: Importance) -> str:
    """An implementation's best median over the two axes that matter most; values beyond `_MOST_VALUES` are named as left out."""
    if len(importance.axes) < 2:
        return ""
    down, across = (each.axis for each in importance.axes[:2])
    best: dict[tuple[Value, Value], Entry] = {}
    for row in measured(board):  # fastest first
        if row.implementation == importance.implementation:
            best.setdefault((row.configuration[down], row.configuration[across]), row)
    ys, xs = (_ordered({key[side] for key in best}) for side in (0, 1))
    lines = [f"<tr><th></th>{''.join(f'<th>{text(setting(x))}</th>' for x in xs[:_MOST_VALUES])}</tr>"]
    leader = next(iter(best.values()))
    slowest = max(_median(row) for row in best.values())
    for y in ys[:_MOST_VALUES]:
        cells = "".join(_cell(best.get((y, x)), leader, slowest) for x in xs[:_MOST_VALUES])
        lines.append(f"<tr><th>{text(setting(y))}</th>{cells}</tr>")
    note = "outlined: cannot be told from the fastest"
    left_out = max(0, len(ys) - _MOST_VALUES), max(0, len(xs) - _MOST_VALUES)
    if any(left_out):
        note += f"; left out: {left_out[0]} values down, {left_out[1]} across"
    caption = f"{importance.implementation}: best median in ms, {down} (down) x {across} (across)"
    return figure(caption, f'<table class="heat">{"".join(lines)}</table>', note)


def _cell(row: Entry | None, leader: Entry, slowest: float) -> str:
    if row is None:
        return "<td></td>"
    least = _median(leader)
    share = (math.log(_median(row)) - math.log(least)) / ((math.log(slowest) - math.log(least)) or 1.0)
    tied = ' class="tied"' if row is leader or overlap(row, leader) else ""
    return (
        f'<td{tied} style="background:{_tone(share)}">{figures.with_uncertainty(_median(row), half_width_ms(row))}</td>'
    )


def sensitivity(importance: Importance) -> str:
    """How much each axis explains, and what the best row at each of its values loses."""
    holes = f" of the {importance.grid:,} combinations of their values" if importance.grid != importance.rows else ""
    noise = (
        f"{figures.counted(importance.rows, 'row')}{holes}; {importance.noise_percent:.2g} % of the variance is noise"
    )
    caption = f"{importance.implementation}: how much each axis matters"
    if importance.reason:
        return figure(caption, "", f"{noise}; {importance.reason}")
    head = (
        "<tr><th>axis</th><th>part of everything</th><th>alone</th><th>the best at each value loses "
        "(= cannot be told from the fastest)</th></tr>"
    )
    lines = "".join(_axis(each) for each in importance.axes)
    note = f"share of the variance of log latency, with 95 % intervals; {noise}"
    sure = [pair for pair in importance.pairs if pair.together.low > 0 or pair.together.high < 0]
    if sure:
        note += "; only together: " + ", ".join(f"{' x '.join(pair.axes)} {_share(pair.together)}" for pair in sure)
    if importance.left_out:
        note += f"; left out: {', '.join(importance.left_out)}"
    return figure(caption, f'<table class="axes">{head}{lines}</table>', note)


def _axis(one: AxisShare) -> str:
    values = ", ".join(_loses(value) for value in one.values[:_MOST_VALUES])
    bars = "".join(
        f'<td><span class="bar" style="width:{_BAR * max(0.0, share.percent) / 100:.0f}px"></span> {text(_share(share))}</td>'
        for share in (one.part, one.alone)
    )
    return f'<tr><td>{text(one.axis)}</td>{bars}<td class="values">{text(values)}</td></tr>'


def _loses(one: AtValue) -> str:
    name = setting(one.value) if one.upto is None else f"{setting(one.value)}..{setting(one.upto)}"
    lost = "0" if one.over_best_percent == 0 else f"{one.over_best_percent:.1f} %"
    return f"{name}: {lost}{'=' if one.tied else ''}"


def _share(one: Share) -> str:
    return f"{one.percent:.1f} % ({one.low:.1f} to {one.high:.1f})"


def tradeoffs(fronts: Sequence[Front], cheapest: Sequence[Cheapest]) -> str:
    """The cheapest of the rows as good as the fastest, and the rows that no other beats in both figures."""
    rows = "".join(
        f"<tr><td>{text(each.what)}</td><td>{text(quantity(each.point.value, each.unit))}</td>"
        f"<td>{text('' if each.fastest is None else quantity(each.fastest, each.unit))}</td>"
        f"<td>{text(slower(each))}</td><td>{each.rows}</td>"
        f'<td class="values">{text(_row(each.point))}</td></tr>'
        for each in cheapest
    )
    parts = []
    if rows:
        head = "<tr><th></th><th>least</th><th>of the fastest</th><th>slower</th><th>of rows</th><th>configuration</th></tr>"
        caption = f"The cheapest within {cheapest[0].within_percent:g} % of the fastest"
        alone = [front.what for front in fronts if len(front.points) == 1]
        note = f"the fastest row is also the best in {', '.join(alone)}" if alone else ""
        parts.append(figure(caption, f'<table class="axes">{head}{rows}</table>', note))
    for front in fronts:
        if len(front.points) == 1:
            continue
        lines = "".join(
            f"<tr><td>{figures.with_uncertainty(point.median_ms, point.half_width_ms)}</td><td>{quantity(point.value, '')}</td><td>{text(_row(point))}</td></tr>"
            for point in front.points[:_MOST_POINTS]
        )
        name = f"{front.what} {front.unit}".strip()
        head = f"<tr><th>ms</th><th>{text(name)}</th><th>configuration</th></tr>"
        better = "more" if front.more_is_better else "less"
        note = f"{len(front.points)} of {figures.counted(front.rows, 'row')} are not beaten in both; {better} is better"
        parts.append(figure(f"Latency against {front.what}", f'<table class="axes">{head}{lines}</table>', note))
    return "".join(parts)


def _row(point: Point) -> str:
    return " ".join([one_line(point.implementation), *assignments(point.configuration)])


def _median(row: Entry) -> float:
    return row.latency_ms.median if row.latency_ms is not None else math.inf


def _ordered(values: set[Value]) -> list[Value]:
    return sorted(
        values, key=lambda value: (isinstance(value, str), 0 if isinstance(value, str) else value, str(value))
    )


def _tone(share: float) -> str:
    mixed = [round(a + (b - a) * share) for a, b in zip(_GREEN, _RED, strict=True)]
    return f"rgb({mixed[0]},{mixed[1]},{mixed[2]})"
