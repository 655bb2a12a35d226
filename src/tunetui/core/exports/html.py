"""A leaderboard as one HTML page that needs nothing else: tables, heatmaps, distributions, a roofline, provenance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from tunetui.core import figures
from tunetui.core.board_figures import INTERVAL, Line, confidence_of, default_columns, lines_of, plain, uncertain
from tunetui.core.claims import claim_tables, claims_in
from tunetui.core.exports.choosing import device_name, device_of, provenance_lines
from tunetui.core.exports.html_page import PAGE, SCRIPT, STYLE
from tunetui.core.exports.html_pictures import distributions, heatmap, roofline, sensitivity
from tunetui.core.exports.markdown import heading_of
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui.core.targets import MET, MISSED

_DRAWN_AT_ONCE = 500
"""Rows of a table in the page itself; the script makes the others from data when they are asked for."""


def html(leaderboard: Leaderboard, boards: Sequence[Board]) -> str:
    """The whole page; every figure is of the leaderboard, and everything from outside is escaped."""
    models = ", ".join(dict.fromkeys(device_name(leaderboard, board) for board in boards))
    run = leaderboard.run
    return PAGE.format(
        title=_text(f"{run.name}: {leaderboard.kernel.name} on {models}"),
        style=STYLE,
        script=SCRIPT,
        about=_text(
            f"{run.started} to {run.finished}, {run.ended}; {run.trials_measured} of {run.trials_planned} measured"
        ),
        boards="\n".join(_board(leaderboard, board, place) for place, board in enumerate(boards)),
        claims=_claims(leaderboard),
        method=_listed(_method(leaderboard)),
        provenance=_listed(provenance_lines(leaderboard, boards)),
    )


def _board(leaderboard: Leaderboard, board: Board, place: int) -> str:
    shown = lines_of(board)
    title = f"{' '.join(assignments(board.problem))}, {device_name(leaderboard, board)}"
    if not shown:
        return f"<section><h2>{_text(title)}</h2><p>nothing was measured</p></section>"
    device = device_of(leaderboard, board)
    parts = [f"<h2>{_text(title)}</h2>", _targets(board), '<div class="pictures">']
    parts += [distributions(board), heatmap(board), sensitivity(board), roofline(board, device)]
    parts += ["</div>", _table(leaderboard, board, shown, place)]
    return f'<section id="board-{place}">{"".join(parts)}</section>'


def _targets(board: Board) -> str:
    rows = []
    for verdict in board.targets:
        tone = {MET: "good", MISSED: "bad"}.get(verdict.verdict, "open")
        value = figures.NOT_MEASURED if verdict.value is None else f"{verdict.value:.6g}"
        asked = f"{verdict.metric} {verdict.op} {verdict.bound:g}"
        why = f" ({verdict.reason})" if verdict.reason else ""
        rows.append(f'<li class="{tone}"><b>{_text(verdict.verdict)}</b> {_text(asked)}: {_text(value + why)}</li>')
    return f'<ul class="targets">{"".join(rows)}</ul>' if rows else ""


def _table(leaderboard: Leaderboard, board: Board, shown: Sequence[Line], place: int) -> str:
    """A sortable table: the first rows as HTML, so that it reads and prints without a script; all of them as data."""
    names = default_columns(leaderboard, board, shown)
    if any(line.entry.cause for line in shown):
        names = [*names, "status", "cause"]
    heads = [heading_of(name, confidence_of(leaderboard)) for name in names]
    data = [[_cell(name, line) for name in names] for line in shown]
    head = "".join(f'<th><button type="button">{_text(each)}</button></th>' for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(text)}</td>' for text in row)}</tr>" for row in data[:_DRAWN_AT_ONCE])
    more = len(data) - _DRAWN_AT_ONCE
    note = f'<p class="more">and {more:,} more rows: <button type="button">show all</button></p>' if more > 0 else ""
    packed = _script_data([data[index] for index in range(len(data))])
    return (
        f'<table data-rows="rows-{place}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'
        f'<script type="application/json" id="rows-{place}">{packed}</script>'
    )


def _cell(name: str, line: Line) -> str:
    if name == "rank":
        return line.entry.rank or "-"
    value = line.figures.get(name)
    if value is None:
        return "-"
    if name == INTERVAL and isinstance(value, float):
        return figures.percent(value)
    if name.startswith("latency_ms.") and isinstance(value, float):
        return uncertain(value, line.relative)
    if name.startswith("quality.") and isinstance(value, float):
        return figures.quality(value)
    return one_line(plain(value))


def _claims(leaderboard: Leaderboard) -> str:
    lines = []
    for table in claim_tables(leaderboard, claims_in(leaderboard)):
        stated = figures.NOT_MEASURED if table.latency_ms is None else f"{table.latency_ms:g} ms"
        factors = [
            f"{' '.join(assignments(cell.problem))}: {cell.reality_factor:.3g}x"
            for cell in table.cells
            if cell.reality_factor is not None
        ]
        lines.append(f"{table.label}: {stated}; measured latency over it: {', '.join(factors) or figures.NOT_MEASURED}")
    return f"<h2>Claims, not measurements</h2>{_listed(lines)}" if lines else ""


def _method(leaderboard: Leaderboard) -> list[str]:
    method = leaderboard.method
    said = [f"{name} = {value}" for name, value in method.settings.items()]
    others = (method.eviction, method.percentiles, method.interval, method.test, method.ranking, method.race)
    return [", ".join(said), *(text for text in (*others, method.visits, method.drift) if text)]


def _listed(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_text(line)}</li>' for line in lines)}</ul>"


def _text(text: str) -> str:
    return escape(one_line(text))


def _script_data(data: Any) -> str:
    """JSON that cannot end its element."""
    encoded = json.dumps(data, separators=(",", ":"))
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
