"""A leaderboard on stdout: tables with what stands below them, JSON, or CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tunetui.cli.board_table import table_columns
from tunetui.cli.narration import Face
from tunetui.cli.tables import lay_out
from tunetui.cli.verdict_lines import cost_lines, verdict_lines
from tunetui.core import figures
from tunetui.core.board_figures import (
    RACED_MARK,
    Line,
    default_columns,
    in_every_row,
    in_rows_that_have_it,
    is_raced,
    lines_of,
)
from tunetui.core.labels import assignments, one_line, trial_label
from tunetui.core.leaderboard import Board, Claim, DevicePart, Leaderboard
from tunetui.core.targets import MET, MISSED, Verdict
from tunetui.core.text_fitting import wrapped
from tunetui_agent.messages import Value

_LABELS_PER_CAUSE = 5
_WORTH_SAYING = {"unfinished": "not finished", "interrupted": "interrupted", "budget": "ended by its budget",
                 "failed": "failed before its end"}  # fmt: skip


def print_leaderboard(leaderboard: Leaderboard, form: str, face: Face) -> None:
    """Write the leaderboard in one of the forms of ``--format``."""
    if form == "table":
        face.lines(report_lines(leaderboard, face))
    elif form == "json":
        from tunetui.cli.exports import as_json

        face.lines([as_json(leaderboard)])
    elif form == "csv":
        from tunetui.cli.exports import as_csv

        face.lines(as_csv([leaderboard]))


def report_lines(
    leaderboard: Leaderboard,
    face: Face,
    rows: Mapping[int, Sequence[Line]] | None = None,
    columns: Sequence[str] | None = None,
) -> list[str]:
    """The report as lines; ``rows`` (board's place to its lines) and ``columns`` stand for all and the usual ones."""
    lines: list[str] = []
    without = [
        place for place, board in enumerate(leaderboard.boards) if rows is not None and board.rows and not rows[place]
    ]
    if len(without) == len(leaderboard.boards):
        without = without[1:]  # one says it for all
    for place, board in enumerate(leaderboard.boards):
        if place in without:
            continue
        shown = list(rows[place]) if rows is not None else lines_of(board)
        lines += [*([""] if lines else []), *board_lines(leaderboard, board, shown, face, columns)]
    if without:
        lines += ["", f"no row to show of {figures.counted(len(without), 'other problem')}"]
    lines += cost_lines(leaderboard, face.width)
    lines += _claims(leaderboard.compare, face.width)
    return lines


def board_lines(
    leaderboard: Leaderboard, board: Board, shown: Sequence[Line], face: Face, columns: Sequence[str] | None = None
) -> list[str]:
    """One problem on one device: heading, table, what was left out, failures, targets."""
    ranked = [line for line in shown if line.entry.rank is not None]
    others = [line for line in shown if line.entry.rank is None]
    lines = [face.heading(text) for text in _heading(leaderboard, board, face.width)]
    tabled = list(shown) if columns else ranked
    if tabled:
        lines += _table(leaderboard, board, tabled, face, columns)
    elif not others:
        lines.append("no row to show" if board.rows else "nothing was measured for this problem")
    lines += _unranked(others, face.width)
    lines += verdict_lines(leaderboard, board, face.width)
    return lines


def measured_rows(leaderboard: Leaderboard) -> int:
    """How many configurations have a rank."""
    return sum(entry.rank is not None for board in leaderboard.boards for entry in board.rows)


def missed_targets(leaderboard: Leaderboard) -> list[Verdict]:
    """Targets that are surely missed."""
    return [verdict for verdict in leaderboard.verdicts() if verdict.verdict == MISSED]


def unmet_targets(leaderboard: Leaderboard) -> list[Verdict]:
    """Targets that are missed or undecided."""
    return [verdict for verdict in leaderboard.verdicts() if verdict.verdict != MET]


def _heading(leaderboard: Leaderboard, board: Board, width: int | None) -> list[str]:
    device = next((part for part in leaderboard.devices if part.id == board.device), None)
    words = [one_line(leaderboard.kernel.name), *assignments(board.problem)]
    where = f"on {_device(device)}" if device else "not measured on any device"
    ended = _WORTH_SAYING.get(leaderboard.run.ended)
    tail = [f"({ended})"] if ended else []
    return wrapped([*words, *where.split(" "), *tail], width, indent="  ", first="")


def _device(device: DevicePart) -> str:
    memory = device.attributes.get("memory_bytes")
    cores = device.attributes.get("cores")
    facts = [f"{figures.count(cores)} cores"] if cores else []
    facts += [figures.memory(memory)] if memory else []
    return one_line(device.name or device.id) + (f" ({', '.join(facts)})" if facts else "")


def _table(
    leaderboard: Leaderboard, board: Board, tabled: Sequence[Line], face: Face, columns: Sequence[str] | None
) -> list[str]:
    names = list(columns) if columns else default_columns(leaderboard, board, tabled)
    table = lay_out(table_columns(leaderboard, names, tabled), None if columns else face.width)
    lines = [*(face.heading(line) for line in table.header), *table.body]
    if table.left_out:
        words = ["left", "out", "for", "width:", *", ".join(map(one_line, table.left_out)).split(" ")]
        lines += [
            face.faint(line) for line in wrapped([*words, "(--format csv has all)"], face.width, indent="  ", first="")
        ]
    if "rank" in names and any(is_raced(line) for line in tabled):
        text = f"{RACED_MARK} measured in turns, in one race of the finalists; the other figures come from the sweep"
        lines += [face.faint(line) for line in wrapped(text.split(" "), face.width, indent="  ", first="")]
    constant = {} if columns else in_every_row(board, tabled)
    if constant:
        words = ["in", "every", "row:", *assignments(constant)]
        lines += [face.faint(line) for line in wrapped(words, face.width, indent="  ", first="")]
    partly = {} if columns else in_rows_that_have_it(board, tabled)
    if partly:
        words = ["in", "every", "row", "that", "has", "it:", *assignments(partly)]
        lines += [face.faint(line) for line in wrapped(words, face.width, indent="  ", first="")]
    return lines


def _unranked(others: Sequence[Line], width: int | None) -> list[str]:
    """Rows without a rank, gathered by cause."""
    gathered: dict[tuple[str, str], list[str]] = {}
    for line in others:
        label = trial_label(line.entry.implementation, line.entry.configuration)
        gathered.setdefault((line.entry.status, line.entry.cause), []).append(label)
    lines = [f"not ranked: {figures.counted(len(others), 'configuration')}"] if others else []
    for (status, cause), labels in gathered.items():
        why = f"{status.replace('_', ' ')}: {cause}" if cause else status.replace("_", " ")
        lines += wrapped(one_line(why).split(" "), width, indent="    ", first="  ")
        for label in labels[:_LABELS_PER_CAUSE]:
            lines += wrapped(label.split(" "), width, indent="      ", first="    ")
        if len(labels) > _LABELS_PER_CAUSE:
            lines.append(f"    and {figures.count(len(labels) - _LABELS_PER_CAUSE)} more (--format csv has all)")
    return lines


def _claims(claims: Sequence[Claim], width: int | None) -> list[str]:
    lines = []
    for claim in claims:
        facts: dict[str, Value] = {} if claim.latency_ms is None else {"latency_ms": claim.latency_ms}
        facts |= claim.facts
        kind = "simulated by its author" if claim.simulated else "by the grid's author"
        words = [*one_line(claim.label).split(" "), "-", *assignments(facts), *f"({kind}; never ranked)".split(" ")]
        lines += ["", *wrapped(words, width, indent="  ", first="claim, not measured: ")]
    return lines
