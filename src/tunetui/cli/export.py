"""``tunetui export``: a leaderboard as a file of another program."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from tunetui.cli.exports import as_csv
from tunetui.cli.narration import stderr_face, stdout_face
from tunetui.core.board_figures import lines_of
from tunetui.core.errors import ExitCode
from tunetui.core.exports.choosing import one_board, one_implementation, provenance_of_row
from tunetui.core.exports.code import c_header, mojo_table
from tunetui.core.exports.html import html
from tunetui.core.exports.markdown import markdown
from tunetui.core.exports.tuners import kernel_tuner_cache, t4_metadata, t4_results, wisdom
from tunetui.core.leaderboard import Board, Leaderboard

_Writer = Callable[[Leaderboard, argparse.Namespace], str]


def run_export(parsed: argparse.Namespace) -> int:
    """Write the leaderboard in the format that was asked for."""
    from tunetui.session import read_leaderboard

    text = _WRITERS[parsed.to](read_leaderboard(parsed.file), parsed)
    if parsed.output is None:
        stdout_face(no_color=True).lines(text.removesuffix("\n").split("\n"))
        return ExitCode.OK
    _write(parsed.output, text)
    stderr_face(no_color=True).lines([f"wrote {parsed.output}"])
    return ExitCode.OK


def _write(path: Path, text: str) -> None:
    from tunetui.session.saving import save_files

    save_files({path: text.encode()})


def _boards(leaderboard: Leaderboard, parsed: argparse.Namespace) -> list[Board]:
    return leaderboard.boards if parsed.board is None else [one_board(leaderboard, parsed.board)]


def _kernel_tuner(leaderboard: Leaderboard, parsed: argparse.Namespace) -> str:
    board = one_board(leaderboard, parsed.board)
    return kernel_tuner_cache(leaderboard, board, one_implementation(leaderboard, [board], parsed.implementation))


def _t4(leaderboard: Leaderboard, parsed: argparse.Namespace) -> str:
    return t4_results(leaderboard, one_board(leaderboard, parsed.board))


def _of_winners(write: Callable[[Leaderboard, list[Board], str], str], language: str) -> _Writer:
    def writer(leaderboard: Leaderboard, parsed: argparse.Namespace) -> str:
        boards = _boards(leaderboard, parsed)
        return write(leaderboard, boards, one_implementation(leaderboard, boards, parsed.implementation, language))

    return writer


def _csv(leaderboard: Leaderboard, parsed: argparse.Namespace) -> str:
    boards = set(map(id, _boards(leaderboard, parsed)))
    rows = [[lines_of(board) if id(board) in boards else [] for board in leaderboard.boards]]
    return "\n".join(as_csv([leaderboard], rows, beside=provenance_of_row)) + "\n"


def _markdown(leaderboard: Leaderboard, parsed: argparse.Namespace) -> str:
    return markdown(leaderboard, _boards(leaderboard, parsed))


_WRITERS: dict[str, _Writer] = {
    "kernel-tuner": _kernel_tuner,
    "t4": _t4,
    "t4-metadata": lambda leaderboard, _: t4_metadata(leaderboard),
    "csv": _csv,
    "markdown": _markdown,
    "html": lambda leaderboard, parsed: html(leaderboard, _boards(leaderboard, parsed)),
    "c-header": _of_winners(c_header, "cuda"),
    "mojo": _of_winners(mojo_table, "mojo"),
    "wisdom": _of_winners(wisdom, "cuda"),
}
