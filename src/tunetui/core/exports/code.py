"""The fastest configuration of every problem as source: a C header, and a Mojo module of comptime values."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from tunetui.core.errors import InputError
from tunetui.core.exports.choosing import best_of, device_name, provenance_lines, row_words
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import Board, Entry, Leaderboard
from tunetui_agent.messages import Value

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Column(NamedTuple):
    name: str
    kind: type
    values: list[Value]


class _Table(NamedTuple):
    kernel: str
    boards: list[tuple[Board, Entry]]
    columns: list[_Column]


def c_header(leaderboard: Leaderboard, boards: Sequence[Board], implementation: str) -> str:
    """A header for C99 and C++: one array of structs, one element for each problem and device."""
    table = _table(leaderboard, boards, implementation)
    kernel, guard = table.kernel, f"TUNETUI_{table.kernel.upper()}_TUNED_H"
    types = {int: "long long", float: "double", bool: "int", str: "const char *"}
    fields = [f"    {_spaced(types[column.kind])}{column.name};" for column in table.columns]
    rows = []
    for place, (board, row) in enumerate(table.boards):
        values = ", ".join(_c_value(column.values[place]) for column in table.columns)
        rows += [f"    /* {_commented(row_words(board, row))} */", f"    {{{values}}},"]
    alone = [f"#define {kernel.upper()}_{name.upper()} {_c_value(value)}" for name, value in _alone(table).items()]
    return "\n".join([
        "/*", *(f" * {_commented(line)}" for line in provenance_lines(leaderboard, boards)),
        f" * implementation {_commented(one_line(implementation))}; latencies are medians", " */",
        f"#ifndef {guard}", f"#define {guard}", "",
        *([*alone, ""] if alone else []),
        f"typedef struct {kernel}_tuned {{", *fields, f"}} {kernel}_tuned;", "",
        f"#define {kernel.upper()}_TUNED_COUNT {len(table.boards)}", "",
        f"static const {kernel}_tuned {kernel}_tuned_table[{kernel.upper()}_TUNED_COUNT] = {{", *rows, "};", "",
        "#endif", "",
    ])  # fmt: skip


def mojo_table(leaderboard: Leaderboard, boards: Sequence[Board], implementation: str) -> str:
    """A Mojo module: every column is a comptime array of `COUNT` values, one for each problem and device."""
    table = _table(leaderboard, boards, implementation)
    lines = [f"# {line}" for line in provenance_lines(leaderboard, boards)]
    lines += [f"# implementation {one_line(implementation)}; latencies are medians", "#"]
    lines += [f"# {place}: {row_words(board, row)}" for place, (board, row) in enumerate(table.boards)]
    lines += ["", f"comptime COUNT = {len(table.boards)}"]
    for column in table.columns:
        values = ", ".join(_mojo_value(value) for value in column.values)
        lines.append(f"comptime {column.name.upper()} = [{values}]")
    return "\n".join([*lines, ""])


def _table(leaderboard: Leaderboard, boards: Sequence[Board], implementation: str) -> _Table:
    """Columns of problem fields, axes, device and latency, one row for each board that has the implementation."""
    found = [(board, row) for board in boards if (row := best_of(board, implementation)) is not None]
    if not found:
        raise InputError("nothing was measured, so there is nothing to export")
    plain: list[dict[str, Value]] = []
    for board, row in found:
        latency = row.latency_ms.median if row.latency_ms else 0.0
        plain.append(
            {"device": device_name(leaderboard, board), **board.problem, **row.configuration, "latency_ms": latency}
        )
    names = list(dict.fromkeys(name for each in plain for name in each))
    columns = [_column(name, [each[name] for each in plain if name in each], len(plain)) for name in names]
    taken = [column.name.upper() for column in columns]
    if len(set(taken)) < len(taken):
        raise InputError("two names of problem fields or axes are the same in source code", hint=", ".join(names))
    return _Table(_identifier(leaderboard.kernel.name), found, columns)


def _column(name: str, values: list[Value], count: int) -> _Column:
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return _Column(_identifier(name), float, [float(value) for value in values])
    if len(values) < count or len(kinds) != 1:
        raise InputError(f"{name} has not one kind of value in every problem", hint="export one of them: --board N")
    return _Column(_identifier(name), kinds.pop(), values)


def _alone(table: _Table) -> dict[str, Value]:
    """The axes of the only row, so that they can be used as macros."""
    if len(table.boards) != 1:
        return {}
    axes = {_identifier(name) for name in table.boards[0][1].configuration}
    return {column.name: column.values[0] for column in table.columns if column.name in axes}


def _identifier(name: str) -> str:
    """A name that C and Mojo take."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return plain if _NAME.fullmatch(plain) else f"_{plain}"


def _spaced(kind: str) -> str:
    return kind if kind.endswith("*") else f"{kind} "


def _commented(text: str) -> str:
    """Text that cannot end a comment or go on in the next line."""
    return text.replace("\\", "_").replace("*/", "* /").replace("/*", "/ *")


def _c_value(value: Value) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return _quoted(value)
    return f"{value}LL" if isinstance(value, int) and abs(value) >= 2**31 else repr(value)


def _mojo_value(value: Value) -> str:
    if isinstance(value, bool):
        return "True" if value else "False"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A string literal of both languages: printable ASCII, all else as a question mark, nothing escapes."""
    plain = "".join(character if " " <= character <= "~" and character not in '\\"?' else "_" for character in text)
    return json.dumps(plain)
