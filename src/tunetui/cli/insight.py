"""``tunetui insight``: what leaderboards teach, as tables or JSON."""

from __future__ import annotations

import argparse

import msgspec

from tunetui.cli.exports import plain_json
from tunetui.cli.narration import Face, stdout_face
from tunetui.cli.size import prices_of_hosts
from tunetui.cli.tables import Column, lay_out
from tunetui.core import figures
from tunetui.core.errors import ExitCode
from tunetui.core.importance import AtValue, Importance, Share
from tunetui.core.insight import BoardInsight, Insight, insight
from tunetui.core.labels import assignments, one_line
from tunetui.core.text_fitting import wrapped
from tunetui.core.tradeoffs import Cheapest, Front, Point, quantity, slower

_SHOWN = 12
"""Points of a front that are listed; JSON has all."""


def run_insight(parsed: argparse.Namespace) -> int:
    """Print what the files teach; all are read before anything is printed."""
    from tunetui.session import read_leaderboard

    leaderboards = [read_leaderboard(path) for path in parsed.files]
    found = insight(
        leaderboards, prices_of_hosts(parsed, leaderboards), board=parsed.board, within_percent=parsed.within,
        devices_per_host=parsed.devices_per_host,
    )  # fmt: skip
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "json":
        face.lines([plain_json(msgspec.json.encode(found))])
    else:
        face.lines(insight_lines(found, face))
    return ExitCode.OK


def insight_lines(found: Insight, face: Face) -> list[str]:
    """The whole answer as text."""
    lines: list[str] = []
    for board in found.boards:
        lines += [""] * bool(lines) + _board(board, face)
    for board in found.across:
        lines += ["", *_board(board, face)]
    if any(board.importances for board in found.boards):
        lines += ["", *_wrapped(f"method: {found.method}", face)]
    return lines or ["nothing was measured"]


def _board(board: BoardInsight, face: Face) -> list[str]:
    words = " ".join(assignments(board.problem)) or one_line(board.run)
    devices = ", ".join(map(one_line, board.devices))
    lines = [face.heading(f"{words}, {devices}" if devices else words)]
    if not board.devices:
        return [*lines, "nothing was measured"]
    for importance in board.importances:
        lines += _importance(importance, face)
    for each in board.cheapest:
        lines += _wrapped(_cheapest(each, several=len(board.devices) > 1), face)
    for front in board.fronts:
        lines += _front(front, face, several=len(board.devices) > 1)
    return lines


def _importance(one: Importance, face: Face) -> list[str]:
    holes = f" of the {one.grid} combinations of their values" if one.grid != one.rows else ""
    head = (
        f"{one_line(one.implementation)}: {figures.counted(one.rows, 'row')}{holes}, the slowest {one.span:.3g} times "
        f"the fastest; {one.noise_percent:.2g} % of the variance is noise"
    )
    if one.reason:
        return _wrapped(f"{head}; {one.reason}", face)
    columns = [
        Column(key="axis", header=("axis",), cells=[one_line(each.axis) for each in one.axes]),
        Column(key="part", header=("part of", "everything"), cells=[share(each.part) for each in one.axes]),
        Column(key="alone", header=("alone",), cells=[share(each.alone) for each in one.axes], gives_way=20),
        Column(
            key="loses", header=("the best at each value loses (= cannot be told from the fastest)",),
            cells=[", ".join(loses(value) for value in each.values) for each in one.axes],
        ),
    ]  # fmt: skip
    table = lay_out(columns, face.width)
    lines = [
        *_wrapped(head, face),
        *(f"  {face.faint(line)}" for line in table.header),
        *(f"  {x}" for x in table.body),
    ]
    sure = [pair for pair in one.pairs if pair.together.low > 0 or pair.together.high < 0]
    together = [f"{' x '.join(map(one_line, pair.axes))} {share(pair.together)}" for pair in sure]
    if len(sure) < len(one.pairs):
        together.append(f"{figures.counted(len(one.pairs) - len(sure), 'other pair')} within noise")
    if together:
        lines += [f"  {line}" for line in _wrapped(f"only together: {'; '.join(together)}", face)]
    if one.left_out:
        lines += [f"  {line}" for line in _wrapped(f"left out: {', '.join(map(one_line, one.left_out))}", face)]
    return lines


def share(one: Share) -> str:
    """``38.7 % (38.2 to 39.3)``."""
    return f"{one.percent:.1f} % ({one.low:.1f} to {one.high:.1f})"


def loses(one: AtValue) -> str:
    """``32: 0=``, ``96: 8.8 %``."""
    name = (
        figures.setting(one.value) if one.upto is None else f"{figures.setting(one.value)}..{figures.setting(one.upto)}"
    )
    lost = "0" if one.over_best_percent == 0 else f"{one.over_best_percent:.1f} %"
    return f"{one_line(name)}: {lost}{'=' if one.tied else ''}"


def _cheapest(one: Cheapest, *, several: bool) -> str:
    kept = ""
    if one.fastest is not None and one.fastest != one.point.value:
        kept = f", the fastest {quantity(one.fastest, one.unit)}"
    lacking = f"; of {figures.counted(one.lacking, 'row')} it was not measured" if one.lacking else ""
    return (
        f"least {one.what} within {one.within_percent:g} % of the fastest: {quantity(one.point.value, one.unit)}{kept}; "
        f"{_row(one.point, several=several)}, {slower(one)} (of {figures.counted(one.rows, 'row')}{lacking})"
    )


def _front(front: Front, face: Face, *, several: bool) -> list[str]:
    better = "more" if front.more_is_better else "less"
    head = (
        f"latency against {one_line(front.what)} ({better} is better): {len(front.points)} of "
        f"{figures.counted(front.rows, 'row')} that have it are not beaten in both"
    )
    shown = front.points[:_SHOWN]
    columns = [
        Column(key="ms", header=("ms",), cells=[figures.with_uncertainty(each.median_ms, each.half_width_ms) for each in shown],
               align="point"),
        Column(key="what", header=(front.unit or one_line(front.what),), cells=[quantity(each.value, "") for each in shown],
               align="point"),
        Column(key="row", header=("row",), cells=[_row(point, several=several) for point in shown]),
    ]  # fmt: skip
    table = lay_out(columns, face.width)
    lines = [
        *_wrapped(head, face),
        *(f"  {face.faint(line)}" for line in table.header),
        *(f"  {line}" for line in table.body),
    ]
    return [*lines, f"  and {len(front.points) - _SHOWN} more"] if len(front.points) > _SHOWN else lines


def _row(point: Point, *, several: bool) -> str:
    words = " ".join([one_line(point.implementation), *assignments(point.configuration)])
    return f"{words} on {one_line(point.device)}" if several else words


def _wrapped(text: str, face: Face) -> list[str]:
    return wrapped(text.split(" "), face.width, indent="  ", first="")
