"""Plain data as TOML text: one group of figures per line, so that a leaderboard row reads like a card."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_INT64 = 1 << 63


def dumps(data: Mapping[str, Any], *, inline_below: Collection[str] = ()) -> str:
    """TOML 1.0 text of nested mappings, lists, text, numbers and booleans, in their order.

    ``inline_below`` names dotted paths of tables whose own tables are written on one line each.

    Raises:
        ValueError: a value that TOML cannot hold (None, a whole number beyond 64 bits, NaN), with its path.
    """
    lines: list[str] = []
    _table(lines, "", "", data, frozenset(inline_below))
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(lines: list[str], path: str, header: str, table: Mapping[str, Any], inline: frozenset[str]) -> None:
    """The lines of one table; ``path`` is plain for look-ups, ``header`` quoted for the file."""
    flat = path in inline
    deeper: list[tuple[str, Any]] = []
    for key, value in table.items():
        if not flat and (isinstance(value, Mapping) or _holds_tables(value)):
            deeper.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value, path, key)}")
    for key, value in deeper:
        below, quoted = f"{path}.{key}".lstrip("."), f"{header}.{_key(key)}".lstrip(".")
        for item in [value] if isinstance(value, Mapping) else value:
            lines.append(f"\n[{quoted}]" if isinstance(value, Mapping) else f"\n[[{quoted}]]")
            _table(lines, below, quoted, item, inline)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _key(key: str) -> str:
    return _KEYS.get(key) or _KEYS.setdefault(key, key if _BARE.fullmatch(key) else _text(key))


_KEYS: dict[str, str] = {}
"""Keys as written; a leaderboard has few different ones and many of each."""


def _value(value: Any, path: str, key: str) -> str:
    kind = type(value)
    if kind is float:
        if value - value != 0:
            raise ValueError(f"{path}.{key}: {value} is not a figure")
        return repr(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        if not -_INT64 <= value < _INT64:
            raise ValueError(f"{path}.{key}: {value} is beyond the 64 bits of a TOML integer")
        return str(value)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        return "{ " + ", ".join([f"{_key(k)} = {_value(v, path, k)}" for k, v in value.items()]) + " }"
    if isinstance(value, list):
        if value and type(value[0]) is int and _all_small(value):
            return msgspec.json.encode(value).decode()
        return "[" + ", ".join([_value(item, path, key) for item in value]) + "]"
    raise ValueError(f"{path}.{key}: TOML has no {kind.__name__}")


def _all_small(values: list[Any]) -> bool:
    """Whether these are 64-bit whole numbers throughout: the quick way for raw samples."""
    return set(map(type, values)) == {int} and min(values) >= -_INT64 and max(values) < _INT64


def _text(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL, which TOML wants escaped."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
