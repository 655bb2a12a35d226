"""A leaderboard as Markdown: tables for every problem, targets, method and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from tunetui.core import figures
from tunetui.core.board_figures import (
    INTERVAL,
    MEDIAN,
    Line,
    default_columns,
    lines_of,
    metric_header,
    plain,
    uncertain,
)
from tunetui.core.claims import REALITY_FORMULA, claim_tables, claims_in
from tunetui.core.exports.choosing import device_name, provenance_lines
from tunetui.core.labels import assignments, one_line
from tunetui.core.leaderboard import Board, Leaderboard
from tunetui.core.readiness import readiness

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
        for verdict in board.targets:
            value = figures.NOT_MEASURED if verdict.value is None else f"{verdict.value:.6g}"
            why = f" ({verdict.reason})" if verdict.reason else ""
            lines.append(
                escaped(f"- target {verdict.metric} {verdict.op} {verdict.bound:g}: {verdict.verdict}, {value}{why}")
            )
        lines += ["", f"**{escaped(readiness(leaderboard, board))}**", ""] if board.targets else []
    for table in claim_tables(leaderboard, claims_in(leaderboard)):
        stated = figures.NOT_MEASURED if table.latency_ms is None else f"{table.latency_ms:g} ms"
        lines.append(f"- claim, not measured: {escaped(table.label)} {stated}")
        for cell in table.cells:
            if cell.reality_factor is not None:
                words = " ".join(assignments(cell.problem))
                lines.append(f"  - {escaped(words)}: reality factor {cell.reality_factor:.3g} ({REALITY_FORMULA})")
    lines += ["", "## Provenance", "", *(f"- {escaped(line)}" for line in provenance_lines(leaderboard, boards))]
    method = leaderboard.method
    said = (method.ranking, method.eviction, method.race, method.visits, method.drift)
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in said if line), ""])


def escaped(text: str) -> str:
    """Text in which nothing is markup."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in one_line(text))


def _table(leaderboard: Leaderboard, board: Board, shown: Sequence[Line]) -> list[str]:
    names = default_columns(leaderboard, board, shown)
    if any(line.entry.cause for line in shown):
        names = [*names, "status", "cause"]
    heads = [escaped(heading_of(name)) for name in names]
    rows = ["| " + " | ".join(escaped(_cell(name, line)) for name in names) + " |" for line in shown]
    return ["| " + " | ".join(heads) + " |", "|" + "---|" * len(names), *rows]


def heading_of(name: str, confidence: str = "") -> str:
    """A column's name with its unit."""
    if name.startswith("latency_ms."):
        return f"{name.partition('.')[2]} ms"
    if name == INTERVAL:
        return f"±{confidence}% %" if confidence else "± %"
    what, unit = metric_header(name)
    return f"{what} {unit}".strip()


def _cell(name: str, line: Line) -> str:
    if name == "rank":
        return line.entry.rank or "-"
    value = line.figures.get(name)
    if value is None:
        return figures.NOT_MEASURED if name == MEDIAN else "-"
    if name == INTERVAL and isinstance(value, float):
        return figures.percent(value)
    if name.startswith("latency_ms.") and isinstance(value, float):
        return uncertain(value, line.relative)
    if name.startswith("quality.") and isinstance(value, float):
        return figures.quality(value)
    return plain(value)
