"""Leaderboard files: TOML for people, JSON for programs, equal in content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import toml_rs

from tunetui.core.errors import InputError
from tunetui.core.leaderboard import SCHEMA_VERSION, SUFFIXES, Leaderboard
from tunetui.core.soundness import contradiction
from tunetui.store.atomic import StoreError, explained, write_atomically
from tunetui.store.collecting import collection_paused
from tunetui.store.toml_reading import loads, split_rows
from tunetui.store.toml_writing import dumps

_ONE_LINE_EACH = ("boards.rows", "boards.targets", "devices", "compare")
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<place>[^`]*)`)?$", re.DOTALL)
_NOT_FINITE = re.compile(rb"[=,\[]\s*[+-]?(?:inf|nan)\b")
"""What TOML has for figures that are none; also in a text, which only costs a look."""
_HEADER = "# Written by tunetui; docs/files.md explains the fields. Times are in the units that their names say.\n\n"


def write_leaderboard(leaderboard: Leaderboard, stem: Path) -> list[Path]:
    """Write ``STEM.leaderboard.toml`` and ``STEM.leaderboard.json``: both, or neither.

    Raises:
        StoreError: a file cannot be written; what was there before is unharmed.
    """
    texts = {SUFFIXES[".toml"]: to_toml(leaderboard), SUFFIXES[".json"]: to_json(leaderboard)}
    files = {stem.with_name(stem.name + suffix): text for suffix, text in texts.items()}
    write_atomically(files)
    return list(files)


def to_toml(leaderboard: Leaderboard) -> bytes:
    """The leaderboard as TOML text in UTF-8.

    Raises:
        StoreError: it holds a value that TOML cannot (a whole number beyond 64 bits).
    """
    try:
        with collection_paused():
            return (_HEADER + dumps(_row_by_row(leaderboard), inline_below=_ONE_LINE_EACH)).encode()
    except ValueError as error:
        raise StoreError(f"cannot write the leaderboard as TOML: {error}") from None


def _row_by_row(leaderboard: Leaderboard) -> dict[str, Any]:
    """Plain data but for the rows, which `dumps` takes one at a time: a third faster at 100,000."""
    data: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(leaderboard, boards=[]))
    boards = [msgspec.to_builtins(msgspec.structs.replace(board, rows=[])) for board in leaderboard.boards]
    for plain, board in zip(boards, leaderboard.boards, strict=True):
        if board.rows:
            plain["rows"] = board.rows
    return data | ({"boards": boards} if boards else {})


def to_json(leaderboard: Leaderboard) -> bytes:
    """The leaderboard as JSON text in UTF-8, one row a line."""
    fields = []
    for name in leaderboard.__struct_fields__:
        value = getattr(leaderboard, name)
        if value in (None, [], {}):  # left out, as everywhere else
            continue
        if name == "boards":
            fields.append(b'"boards":[\n' + b",\n".join(_board_json(board) for board in value) + b"\n]")
        else:
            fields.append(msgspec.json.encode(name) + b":" + msgspec.json.encode(value))
    return b"{" + b",\n".join(fields) + b"}\n"


def _board_json(board: Any) -> bytes:
    head = msgspec.json.encode(msgspec.structs.replace(board, rows=[]))
    if not board.rows:
        return head
    rows = b",\n".join(map(msgspec.json.Encoder().encode, board.rows))
    return head[:-1] + b',"rows":[\n' + rows + b"\n]}"


def read_leaderboard(path: Path) -> Leaderboard:
    """The leaderboard in a ``.toml`` or ``.json`` file.

    Raises:
        InputError: not such a file, or one that contradicts itself: the message has the file, the key path, what was
            expected and what was found.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}") from None
    except OSError as error:
        raise InputError(explained(error, path, "read").message) from None
    with collection_paused():
        if path.suffix == ".json":  # which has neither NaN nor infinity
            return _sound(read_json(text, str(path)), str(path), finite=True)
        return _sound(read_toml(text, str(path)), str(path), finite=_NOT_FINITE.search(text) is None)


def read_toml(text: bytes, name: str) -> Leaderboard:
    """The leaderboard in TOML text, whatever it says; ``name`` is for messages.  Raises as `read_leaderboard`."""
    try:
        decoded = text.decode()
        parts = split_rows(decoded)
        data = loads(decoded) if parts is None else parts[0]
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 text (byte {error.start})") from None
    except toml_rs.TOMLDecodeError as error:
        raise InputError(f"{name}: not TOML: {_first_words(str(error))}") from None
    leaderboard = _typed(data, name)
    if parts is not None:
        boards = [msgspec.structs.replace(b, rows=rows) for b, rows in zip(leaderboard.boards, parts[1], strict=True)]
        leaderboard = msgspec.structs.replace(leaderboard, boards=boards)
    return leaderboard


def read_json(text: bytes, name: str) -> Leaderboard:
    """The leaderboard in JSON text, whatever it says; ``name`` is for messages.  Raises as `read_leaderboard`."""
    try:
        _refuse_newer(msgspec.json.decode(text, type=_Versioned).schema_version, name)
        return msgspec.json.decode(text, type=Leaderboard)
    except msgspec.ValidationError as error:
        raise _misfit(error, name, _plain_json(text, name)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name}: not JSON: {error}") from None


def _sound(leaderboard: Leaderboard, name: str, *, finite: bool) -> Leaderboard:
    wrong = contradiction(leaderboard, finite=finite)
    if wrong:
        raise InputError(
            f"{name}: {wrong}",
            hint="a hand, or damage, changed it: nothing in this file can be relied on; measure again",
        )
    return leaderboard


def _plain_json(text: bytes, name: str) -> Any:
    """The whole text untyped: what does not fit may also be broken further on."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{name}: not JSON: {error}") from None


class _Versioned(msgspec.Struct):
    schema_version: int


def _typed(data: Any, name: str) -> Leaderboard:
    try:
        _refuse_newer(msgspec.convert(data, _Versioned).schema_version, name)
        return msgspec.convert(data, Leaderboard)
    except msgspec.ValidationError as error:
        raise _misfit(error, name, data) from None


def _refuse_newer(version: int, name: str) -> None:
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{name}: written by a newer tunetui (schema_version {version}; this one knows {SCHEMA_VERSION})",
            hint="update tunetui to read it; nothing in it was changed",
        )
    if version < 1:
        raise InputError(f"{name}: schema_version: expected 1 or more, found {version}")


def _misfit(error: msgspec.ValidationError, name: str, data: Any) -> InputError:
    """Msgspec's words as file, key path, expected, found."""
    match = _PLACE.match(str(error))
    what, place = (match["what"], match["place"] or "$") if match else (str(error), "$")
    path = place.removeprefix("$").removeprefix(".") or "the file"
    hint = ""
    if isinstance(data, dict) and "schema_version" not in data:
        return InputError(
            f"{name}: schema_version: expected a leaderboard, found no such key",
            hint="leaderboards are called STEM.leaderboard.toml or .json; tunetui --batch writes them",
        )
    if "unknown field" in what:
        what = what.replace("Object contains unknown field", "unknown field")
        hint = "a newer tunetui, or a hand, wrote it; it is refused because writing the file again would lose it"
    found = _at(data, place)
    said = f", found {found!r:.80}" if found is not None and "unknown" not in what else ""
    return InputError(f"{name}: {path}: {what[:1].lower() + what[1:]}{said}", hint=hint)


def _at(data: Any, place: str) -> Any:
    """The scalar at msgspec's place ("$.boards[0].rows[3].trial"); None for anything else."""
    for part in re.findall(r"\[(\d+)\]|\.?([^.\[\]$]+)", place):
        index, key = part
        if index and isinstance(data, list) and int(index) < len(data):
            data = data[int(index)]
        elif key and isinstance(data, dict) and key in data:
            data = data[key]
        else:
            return None
    return data if isinstance(data, str | int | float | bool) else None


def _first_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{lines[0]}: {lines[-1]}" if len(lines) > 1 else text
