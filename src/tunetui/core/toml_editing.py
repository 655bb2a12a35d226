"""One value of a TOML text changed, added or left out; every other byte, comments included, stays as it was."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunetui.core.errors import InputError

Keys = tuple[str, ...]
"""From the root table to a value: ("axes", "numpy", "tile_rows")."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_OPEN, _CLOSE = "[{", "]}"


@dataclass(frozen=True)
class _Statement:
    """``key = value`` somewhere: its keys from the root, where its line begins, its value, and where its line ends."""

    keys: Keys
    start: int
    value: slice
    end: int


@dataclass(frozen=True)
class _Section:
    """A ``[header]`` and what stands below it, up to the next; the root's begins at 0."""

    keys: Keys
    is_array: bool
    body: int
    statements: tuple[_Statement, ...]


def with_value(text: str, keys: Sequence[str], value: Any) -> str:
    """``text`` with ``value`` at ``keys``: in place of what stands there, else at the end of its table.

    Raises:
        InputError: the text is no TOML, or is written in a way that this cannot change safely.
    """
    wanted = _put(_loads(text), tuple(keys), value)
    return _checked(_with_value(text, tuple(keys), value), wanted)


def without_value(text: str, keys: Sequence[str]) -> str:
    """``text`` without what stands at ``keys``; unchanged where there is nothing.  Raises as `with_value`."""
    data, path = _loads(text), tuple(keys)
    if not _has(data, path):
        return text
    for section in _sections(text):
        for found in section.statements:
            if found.keys == path:
                return _checked(text[: found.start] + text[found.end :], _drop(data, path))
            if found.keys == path[: len(found.keys)]:
                inner = _drop({"x": tomllib.loads(f"x = {text[found.value]}")["x"]}, ("x", *path[len(found.keys) :]))
                return _checked(_replaced(text, found, inner["x"]), _drop(data, path))
    raise _unsafe(path)


def with_item(text: str, keys: Sequence[str], place: int, value: Any = None) -> str:
    """``text`` with one item of the list at ``keys`` changed, added (``place`` is its length) or, with None, left out.

    Raises as `with_value`.
    """
    path, data = tuple(keys), _loads(text)
    items = list(_get(data, path) or [])
    changed = [*items[:place], *([] if value is None else [value]), *items[place + 1 :]]
    found = next((one for section in _sections(text) for one in section.statements if one.keys == path), None)
    if found is None or not items or not changed or text[found.value][:1] != "[":
        return with_value(text, path, changed)
    spans = [slice(found.value.start + s.start, found.value.start + s.stop) for s in _items(text[found.value])]
    if value is not None and place < len(items):
        edited = text[: spans[place].start] + toml_value(value) + text[spans[place].stop :]
    elif value is not None:
        last = spans[-1].stop
        begin = text.rfind("\n", 0, spans[-1].start) + 1
        before = text[begin : spans[-1].start]
        gap = "\n" + before if begin > found.value.start and not before.strip() else " "
        edited = text[:last] + "," + gap + toml_value(value) + text[last:]
    elif place + 1 < len(items):
        edited = text[: spans[place].start] + text[spans[place + 1].start :]
    else:
        edited = text[: spans[place - 1].stop] + text[spans[place].stop :]
    return _checked(edited, _put(data, path, changed))


def toml_value(value: Any) -> str:
    """A scalar, list or table as TOML writes it on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return repr(value)


# ------------------------------------------------------------------------------------------------ editing


def _with_value(text: str, path: Keys, value: Any) -> str:
    sections = list(_sections(text))
    for section in sections:
        for found in section.statements:
            if found.keys == path:
                return _replaced(text, found, value)
            if found.keys == path[: len(found.keys)]:  # an inline table that holds it
                whole = tomllib.loads(f"x = {text[found.value]}")["x"]
                return _replaced(text, found, _put({"x": whole}, ("x", *path[len(found.keys) :]), value)["x"])
    line = f"{_key(path[-1])} = {toml_value(value)}\n"
    own = next((section for section in sections if section.keys == path[:-1] and not section.is_array), None)
    if own is not None and (own.statements or own.keys or not sections[1:]):
        return _inserted(text, own.statements[-1].end if own.statements else own.body, line)
    if not path[:-1]:
        return line + text
    header = f"[{'.'.join(map(_key, path[:-1]))}]\n"
    kin = [place for place, section in enumerate(sections) if section.keys[:1] == path[:1]]
    if kin and kin[-1] + 1 < len(sections):
        last = sections[kin[-1]]
        return _inserted(text, last.statements[-1].end if last.statements else last.body, "\n" + header + line)
    gap = "\n" if text.strip() and not text.endswith("\n\n") else ""
    return _inserted(text, len(text), gap + header + line)


def _inserted(text: str, place: int, line: str) -> str:
    ended = place == 0 or text[place - 1] == "\n"
    return text[:place] + ("" if ended else "\n") + line + text[place:]


def _replaced(text: str, found: _Statement, value: Any) -> str:
    return text[: found.value.start] + toml_value(value) + text[found.value.stop :]


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)


def _checked(text: str, wanted: dict[str, Any]) -> str:
    """The edited text, if it says exactly what it should and nothing else."""
    try:
        said = tomllib.loads(text)
    except ValueError:
        said = {}
    if _filled(said) != _filled(wanted):
        raise _unsafe(())
    return text


def _unsafe(path: Keys) -> InputError:
    at = f" at {'.'.join(path)}" if path else ""
    return InputError(f"this file is written in a way that cannot be changed here{at}", hint="change it in an editor")


def _loads(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not TOML: {error}", hint="mend it in an editor") from None


# ---------------------------------------------------------------------------------------------- plain data


def _put(data: Mapping[str, Any], path: Keys, value: Any) -> dict[str, Any]:
    if len(path) == 1:
        return {**data, path[0]: value}
    inner = data.get(path[0], {})
    if not isinstance(inner, dict):
        raise _unsafe(path)
    return {**data, path[0]: _put(inner, path[1:], value)}


def _drop(data: Mapping[str, Any], path: Keys) -> dict[str, Any]:
    rest = {key: value for key, value in data.items() if key != path[0]}
    return rest if len(path) == 1 else {**data, path[0]: _drop(data[path[0]], path[1:])}


def _get(data: Any, path: Keys) -> Any:
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _has(data: Any, path: Keys) -> bool:
    holder = _get(data, path[:-1])
    return isinstance(holder, dict) and path[-1] in holder


def _filled(data: Any) -> Any:
    """Without tables that hold nothing: a header that is left alone says nothing."""
    if not isinstance(data, dict):
        return [type(data).__name__, data] if isinstance(data, bool | int | float) else data
    filled = {key: _filled(value) for key, value in data.items()}
    return {key: value for key, value in filled.items() if value != {}}


# ------------------------------------------------------------------------------------------------ scanning


def _sections(text: str) -> Iterator[_Section]:
    """Every table of a TOML text in its order, the root first, which may hold nothing."""
    head: tuple[Keys, bool, int] = ((), False, 0)
    statements: list[_Statement] = []
    place = 0
    while place < len(text):
        start, first = place, _skip(text, place, " \t")
        if text[first : first + 1] == "[":
            yield _Section(*head, tuple(statements))
            array = text.startswith("[[", first)
            keys, after = _read_keys(text, first + 1 + array)
            place = _line_end(text, after)
            head, statements = (keys, array, place), []
        elif text[first : first + 1] in {"", "\n", "\r", "#"}:
            place = _line_end(text, first)
        else:
            keys, equals = _read_keys(text, first)
            begin = _skip(text, equals + 1, " \t")
            stop = _value_end(text, begin)
            place = _line_end(text, stop)
            statements.append(_Statement((*head[0], *keys), start, slice(begin, stop), place))
    yield _Section(*head, tuple(statements))


def _read_keys(text: str, place: int) -> tuple[Keys, int]:
    """A dotted key, and the place of the ``=`` or ``]`` behind it."""
    keys = []
    while True:
        place = _skip(text, place, " \t")
        begin = place
        if text[place] in "\"'":
            place = _string_end(text, place)
        else:
            while text[place] not in " \t.=]":
                place += 1
        keys.append(next(iter(tomllib.loads(f"{text[begin:place]} = 0"))))
        place = _skip(text, place, " \t")
        if text[place] != ".":
            return tuple(keys), place
        place += 1


def _value_end(text: str, place: int) -> int:
    """Where the value that begins at ``place`` ends; blanks and a comment behind it are not part of it."""
    depth, end = 0, place
    while place < len(text):
        character = text[place]
        if character in "\"'":
            place = end = _string_end(text, place)
            continue
        if character == "#":
            if not depth:
                return end
            place = _line_end(text, place)
            continue
        if (character == "\n" and not depth) or (depth < 0):
            return end
        depth += (character in _OPEN) - (character in _CLOSE)
        place += 1
        if not character.isspace():
            end = place
    return end


def _items(array: str) -> list[slice]:
    """Where the items of ``[a, b]`` stand in it."""
    found: list[slice] = []
    place, depth, begin, end = 1, 0, -1, -1
    while place < len(array):
        character = array[place]
        step = place + 1
        if character in "\"'":
            step = _string_end(array, place)
        elif character == "#":
            place = _line_end(array, place)
            continue
        if depth == 0 and (character == "," or place == len(array) - 1):
            if begin >= 0:
                found.append(slice(begin, end))
            begin = -1
        elif not character.isspace():
            depth += (character in _OPEN) - (character in _CLOSE)
            begin, end = (place if begin < 0 else begin), step
        place = step
    return found


def _string_end(text: str, place: int) -> int:
    quote = text[place]
    if text.startswith(quote * 3, place):
        place += 3
        while not text.startswith(quote * 3, place):
            place += 2 if text[place] == "\\" and quote == '"' else 1
        place += 3
        while text[place : place + 1] == quote:  # up to two quotes may stand before the closing ones
            place += 1
        return place
    place += 1
    while text[place] != quote:
        place += 2 if text[place] == "\\" and quote == '"' else 1
    return place + 1


def _skip(text: str, place: int, characters: str) -> int:
    while place < len(text) and text[place] in characters:
        place += 1
    return place


def _line_end(text: str, place: int) -> int:
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1
