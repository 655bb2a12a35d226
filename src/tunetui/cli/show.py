"""``tunetui show``: saved leaderboards in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import msgspec

from tunetui.cli.exports import as_csv, as_json
from tunetui.cli.narration import stdout_face
from tunetui.cli.report import report_lines
from tunetui.core.board_figures import Line, lines_of
from tunetui.core.errors import ExitCode, ExpressionError, InputError
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.selection import find_column, matching, names_of, order

Chosen = list[list[Line]]
"""The rows of each board of one leaderboard, as asked for."""


def run_show(parsed: argparse.Namespace) -> int:
    """Print the files that the command line names; all are read before anything is printed."""
    from tunetui.session import read_leaderboard

    if parsed.descending and not parsed.sort:
        raise InputError("--descending needs a column", hint="for example: --sort latency_ms.p95 --descending")
    if parsed.columns and parsed.format == "json":
        raise InputError("--columns has no meaning with --format json", hint="JSON is the file's own structure")
    leaderboards = [read_leaderboard(path) for path in parsed.files]
    chosen = [choose(one, parsed.sort, parsed.where, parsed.top, descending=parsed.descending) for one in leaderboards]
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "csv":
        face.lines(as_csv(leaderboards, chosen, _asked_columns(parsed.columns, leaderboards)))
        return ExitCode.OK
    for place, (one, boards) in enumerate(zip(leaderboards, chosen, strict=True)):
        if parsed.format == "json":
            face.lines([as_json(narrowed(one, boards))])
            continue
        if len(leaderboards) > 1:
            face.lines([*([""] if place else []), face.heading(f"== {one_line(parsed.files[place])}")])
        columns = _asked_columns(parsed.columns, [one])
        face.lines(report_lines(one, face, dict(enumerate(boards)), columns))
    return ExitCode.OK


def choose(
    leaderboard: Leaderboard, sort: str | None, where: str | None, top: int | None, *, descending: bool
) -> Chosen:
    """The rows of every board: filtered, ordered, the first ``top``.

    Raises:
        InputError: an expression or a column that this leaderboard cannot answer.
    """
    boards = [lines_of(board) for board in leaderboard.boards]
    known = names_of([line for lines in boards for line in lines])
    column = find_column(sort, known) if sort else None
    chosen = []
    for lines in boards:
        kept = _holding(lines, where, known) if where else lines
        kept = order(kept, column, descending=descending) if column else kept
        chosen.append(kept[:top])
    return chosen


def _holding(lines: Sequence[Line], where: str, known: Sequence[str]) -> list[Line]:
    try:
        return matching(lines, where, known)
    except ExpressionError as error:
        raise ExpressionError(f"--where: {error.message}", expression=where, hint=error.hint) from None


def narrowed(leaderboard: Leaderboard, chosen: Chosen) -> Leaderboard:
    """The leaderboard with the chosen rows alone."""
    boards = [
        msgspec.structs.replace(board, rows=[line.entry for line in lines])
        for board, lines in zip(leaderboard.boards, chosen, strict=True)
    ]
    return msgspec.structs.replace(leaderboard, boards=boards)


def _known(leaderboard: Leaderboard) -> list[str]:
    return names_of([line for board in leaderboard.boards for line in lines_of(board)])


def _asked_columns(asked: str | None, leaderboards: Sequence[Leaderboard]) -> list[str] | None:
    if asked is None:
        return None
    known = list(dict.fromkeys(name for one in leaderboards for name in _known(one)))
    names = [name.strip() for name in asked.split(",") if name.strip()]
    if not names:
        raise InputError("--columns names no column", hint="for example: --columns rank,implementation,p95")
    return list(dict.fromkeys(find_column(name, known) for name in names))
