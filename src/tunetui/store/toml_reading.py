"""Large leaderboards in TOML, read a few rows at a time: twice as fast as at once, and the same in the end."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import toml_rs

from tunetui.core.leaderboard import Entry

_ROW = "\n[[boards.rows]]\n"
_OF_A_ROW = re.compile(r"^\[\[?boards\.rows", re.MULTILINE)
_AT_ONCE = 20
"""The parser's time per row grows with the size of its document; this is where it was least."""

_FEW = 200


def loads(text: str) -> Any:
    """Plain data of TOML 1.0 text.

    Raises:
        toml_rs.TOMLDecodeError: it is not TOML.
    """
    return toml_rs.loads(text, toml_version="1.0.0")


def split_rows(text: str) -> tuple[Any, list[list[Entry]]] | None:
    """Everything but the rows as plain data, and the rows of every board; None where only a plain `loads` will do.

    Relies on nothing but TOML: a line ``[[boards.rows]]`` outside a multi-line text begins a row, and a line that
    begins with ``[`` ends it.  Whatever does not fit this picture is left to `loads`, errors and their places too.
    """
    pieces = text.split(_ROW)
    if len(pieces) < _FEW or '"""' in text or "'''" in text:
        return None
    around = [pieces[0]]
    rows: list[list[str]] = [[] for _ in range(_boards_in(pieces[0]))]
    for piece in pieces[1:]:
        row, bracket, rest = piece.partition("\n[")
        if not rows:
            return None
        rows[-1].append(row)
        if bracket:
            if _OF_A_ROW.search("[" + rest):
                return None
            around.append("\n[" + rest)
            rows += [[] for _ in range(_boards_in("\n[" + rest))]
    try:
        data = loads("".join(around))
        entries = [_entries(board) for board in rows]
    except (toml_rs.TOMLDecodeError, msgspec.ValidationError, _OddError):
        return None
    boards = data.get("boards", [])
    if len(boards) != len(rows) or any("rows" in board for board in boards):
        return None
    return data, entries


def _entries(rows: list[str]) -> list[Entry]:
    found: list[Entry] = []
    for begin in range(0, len(rows), _AT_ONCE):
        data = loads(_ROW + _ROW.join(rows[begin : begin + _AT_ONCE]))
        if data.keys() != {"boards"} or data["boards"].keys() != {"rows"}:
            raise _OddError
        found += msgspec.convert(data["boards"]["rows"], list[Entry])
    return found


class _OddError(Exception):
    """A row that holds tables of something else."""


def _boards_in(text: str) -> int:
    return text.count("\n[[boards]]\n")
