"""The HTML page's table of all rows: the first ones as markup, all of them as data for the script that sorts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tunetui.core.board_cells import cells_of
from tunetui.core.board_figures import RECALL, Line, confidence_of, default_columns
from tunetui.core.column_heads import HEADS
from tunetui.core.exports.markdown import heading_of
from tunetui.core.exports.svg import text
from tunetui.core.leaderboard import Board, Leaderboard

_ON_PAPER = 18
"""Columns that A4 has room for."""
_OTHER_QUALITY = 600
_DRAWN_AT_ONCE = 250
"""Rows of a table in the page itself; the script makes the others from data when they are asked for."""


def table(leaderboard: Leaderboard, board: Board, shown: Sequence[Line], place: int) -> str:
    """A sortable table that reads and prints without a script; rows of the winning group stand out."""
    names = default_columns(leaderboard, board, shown)
    if any(line.entry.cause for line in shown):
        names = [*names, "status", "cause"]
    columns = [cells_of(name, list(leaderboard.kernel.metrics), shown) for name in names]
    confidence = confidence_of(leaderboard)
    heads = [heading_of(name, confidence, column.prefix) for name, column in zip(names, columns, strict=True)]
    data = [list(row) for row in zip(*(column.texts for column in columns), strict=True)]
    won = [line.entry.tie_group == 1 for line in shown]
    words = [at for at, name in enumerate(names) if not columns[at].numeric and name != "rank"]
    head = "".join(f"<th{_left(at in words)} tabindex=0>{text(each)}</th>" for at, each in enumerate(heads))
    body = "".join(_row(row, winner, words) for row, winner in zip(data[:_DRAWN_AT_ONCE], won, strict=False))
    more = len(data) - _DRAWN_AT_ONCE
    note = (
        f'<p class="more">and {more:,} more rows <button type="button" name="some">{_DRAWN_AT_ONCE} more</button> '
        '<button type="button" name="all">all</button></p>'
        if more > 0
        else ""
    )
    packed = _script_data({"words": words, "rows": [row + [1] * winner for row, winner in zip(data, won, strict=True)]})
    return (
        _less_on_paper(names, heads, place)
        + f'<table data-rows="rows-{place}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'
        f'<script type="application/json" id="rows-{place}">{packed}</script>'
    )


def _less_on_paper(names: Sequence[str], heads: Sequence[str], place: int) -> str:
    """A style and a note: on paper, columns that say least stand back, so that the others can be read."""
    fewer = sorted(names, key=lambda name: -_rank(name))[: max(0, len(names) - _ON_PAPER)]
    hidden = [at for at, name in enumerate(names) if name in fewer and _rank(name)]
    if not hidden:
        return ""
    cells = ", ".join(f'table[data-rows="rows-{place}"] :is(th, td):nth-child({at + 1})' for at in hidden)
    note = f"on the screen, not on paper: {', '.join(heads[at] for at in hidden)}"
    return f'<style>@media print {{ {cells} {{ display: none; }} }}</style><p class="paper">{text(note)}</p>'


def _rank(name: str) -> int:
    """How little a column says; 0: it always stays."""
    known = HEADS.get(name)
    if name.startswith("quality.") and name != RECALL:
        return _OTHER_QUALITY
    return known.gives_way if known else 0


def _row(cells: Sequence[str], winner: bool, words: Sequence[int]) -> str:
    inside = "".join(f"<td{_left(at in words)}>{text(cell)}</td>" for at, cell in enumerate(cells))
    return f'<tr class="won">{inside}</tr>' if winner else f"<tr>{inside}</tr>"


def _left(word: bool) -> str:
    return " class=word" if word else ""


def _script_data(data: Any) -> str:
    """JSON that cannot end its element."""
    encoded = json.dumps(data, separators=(",", ":"))
    return encoded.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
