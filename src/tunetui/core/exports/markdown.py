"""A leaderboard as Markdown: tables for every problem, targets, method and provenance."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tunetui.core.board_cells import cells_of
from tunetui.core.board_figures import (
    INTERVAL,
    Line,
    confidence_of,
    default_columns,
    lines_of,
    metric_header,
)
from tunetui.core.claim_words import claim_head, claim_notes, claim_rows
from tunetui.core.claims import claim_tables, claims_in
from tunetui.core.exports.choosing import device_name, provenance_lines
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui.core.readiness import readiness
from tunetui.core.verdict_words import asked, cost, judged, under_load

_SPECIAL = "\\|*_`<>[]#~"


def markdown(leaderboard: Leaderboard, boards: Sequence[Board]) -> str:
    """The whole leaderboard; figures have as many digits as their uncertainty supports."""
    lines = [f"# {escaped(leaderboard.run.name)}", ""]
    for board in boards:
        title = " ".join(assignments(board.problem))
        lines += [f"## {escaped(title)}, {escaped(device_name(leaderboard, board))}", ""]
        shown = lines_of(board)
        if shown:
            lines += [*_table(leaderboard, board, shown), ""]
        lines += [f"- under load: {escaped(under_load(board, part))}" for part in board.reliability]
        lines += [f"- {escaped(f'{each.verdict}: {asked(each)}: {judged(each)}')}" for each in board.targets]
        lines += ["", f"**{escaped(readiness(leaderboard, board))}**", ""] if board.targets else []
    spent = cost(leaderboard)
    lines += [f"- cost: {escaped(spent)}"] if spent else []
    for table in claim_tables(msgspec.structs.replace(leaderboard, boards=list(boards)), claims_in(leaderboard)):
        lines += ["", f"## {escaped(table.label)}", "", *rows_of(claim_head(table), claim_rows(table)), ""]
        lines += [f"- {escaped(note)}" for note in claim_notes(table)]
    lines += ["", "## Provenance", "", *(f"- {escaped(line)}" for line in provenance_lines(leaderboard, boards))]
    method = leaderboard.method
    said = (method.ranking, method.eviction, method.race, method.visits, method.drift)
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in said if line), ""])


def escaped(text: str) -> str:
    """Text in which nothing is markup."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in one_line(text))


def rows_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of text in which nothing is markup."""
    lines = ["| " + " | ".join(map(escaped, row)) + " |" for row in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def _table(leaderboard: Leaderboard, board: Board, shown: Sequence[Line]) -> list[str]:
    names = default_columns(leaderboard, board, shown)
    if any(line.entry.cause for line in shown):
        names = [*names, "status", "cause"]
    columns = [cells_of(name, list(leaderboard.kernel.metrics), shown) for name in names]
    heads = [
        escaped(heading_of(name, confidence_of(leaderboard), column.prefix))
        for name, column in zip(names, columns, strict=True)
    ]
    rows = [
        "| " + " | ".join(map(escaped, row)) + " |" for row in zip(*(column.texts for column in columns), strict=True)
    ]
    sides = [":---" if not column.numeric else "---:" for column in columns]
    return ["| " + " | ".join(heads) + " |", f"|{'|'.join(sides)}|", *rows]


def heading_of(name: str, confidence: str, prefix: str = "") -> str:
    """A column's name with its unit, which may have an SI prefix."""
    if name.startswith("latency_ms.") and name != "latency_ms.n":
        return f"{name.partition('.')[2]} ms"
    if name == INTERVAL:
        return f"{confidence} % interval ± %"
    if name.startswith("quality."):
        return name.partition(".")[2]
    what, unit = metric_header(name)
    what = what.replace("_", " ") if unit else what  # an axis is called as the grid calls it
    return " ".join(filter(None, [what, prefix, unit]))
