"""Plain data as TOML text: one group of figures per line, so that a leaderboard row reads like a card.

A leaderboard may have 100,000 rows of forty values, so what is flat goes through msgspec's JSON encoder, whose
texts, numbers and arrays are TOML's, and is taken apart by counting: see `_flat`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PERHAPS_TOO_LONG = re.compile('":-?[0-9]{19}')
_INT64 = 1 << 63
_SPACED = 16
"""Arrays up to this long are read by people."""
_SCALARS = frozenset({str, int, float, bool})
_JSON = msgspec.json.Encoder()


def dumps(data: dict[str, Any], *, inline_below: Collection[str] = ()) -> str:
    """TOML 1.0 text of nested mappings, lists, text, numbers and booleans; in every table the scalars come first.

    ``inline_below`` names dotted paths of tables whose own tables are written on one line each.

    Raises:
        ValueError: a value that TOML cannot hold (None, a whole number beyond 64 bits, NaN), with its path.
    """
    lines: list[str] = []
    _table(lines, "", "", data, frozenset(inline_below))
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(lines: list[str], path: str, header: str, table: dict[str, Any], inline: frozenset[str]) -> None:
    """The lines of one table; ``path`` is plain for look-ups, ``header`` quoted for the file."""
    scalars = {key: value for key, value in table.items() if type(value) in _SCALARS}
    if scalars:
        lines.append(_pairs(scalars, "\n", path))
    flat = path in inline
    deeper: list[tuple[str, Any]] = []
    for key, value in table.items():
        if key in scalars:
            continue
        if not flat and (isinstance(value, dict) or _holds_tables(value)):
            deeper.append((key, value))
        else:
            lines.append(f"{_key(key)} = {_value(value, path, key)}")
    for key, value in deeper:
        below, quoted = f"{path}.{key}".lstrip("."), f"{header}.{_key(key)}".lstrip(".")
        single = isinstance(value, dict)
        title = f"\n[{quoted}]" if single else f"\n[[{quoted}]]"
        for item in [value] if single else value:
            lines.append(title)
            _table(lines, below, quoted, item, inline)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _pairs(table: dict[str, Any], separator: str, path: str) -> str:
    """``key = value`` of every item."""
    text = _flat(table, separator)
    if text is None:
        return separator.join([f"{_key(key)} = {_value(value, path, key)}" for key, value in table.items()])
    return text


def _flat(table: dict[str, Any], separator: str) -> str | None:
    """The pairs by way of JSON; None where that would not be exact.

    In ``{"a":1,"b":"x"}`` every key ends in ``":`` and every pair but the first begins with ``,"``.  Text that
    holds either makes one too many of them, and so do arrays and tables: then the slow way is taken.
    """
    text = _JSON.encode(table).decode()
    if (
        text.count('":') != len(table)
        or text.count(',"') != len(table) - 1
        or not _all_bare(table)
        or "\x7f" in text
        or ":null" in text
        or _PERHAPS_TOO_LONG.search(text)
    ):
        return None
    return text[2:-1].replace('":', " = ").replace(',"', separator)


_BARE_KEYS: dict[tuple[str, ...], bool] = {}
_KEYS: dict[str, str] = {}
"""What was found of keys before; a leaderboard has few different ones and many of each."""


def _all_bare(keys: Iterable[str]) -> bool:
    names = tuple(keys)
    if (known := _BARE_KEYS.get(names)) is None:
        known = all(_BARE.fullmatch(name) for name in names)
        if len(_BARE_KEYS) < 1000:
            _BARE_KEYS[names] = known
    return known


def _key(key: str) -> str:
    if (known := _KEYS.get(key)) is None:
        known = key if _BARE.fullmatch(key) else _text(key)
        if len(_KEYS) < 1000:
            _KEYS[key] = known
    return known


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
    if isinstance(value, dict):
        return "{ " + _pairs(value, ", ", path) + " }" if value else "{}"
    if isinstance(value, list):
        return _whole_numbers(value) or "[" + ", ".join([_value(item, path, key) for item in value]) + "]"
    raise ValueError(f"{path}.{key}: TOML has no {kind.__name__}")


def _whole_numbers(values: list[Any]) -> str:
    """An array of whole numbers from 0 on, the quick way for raw samples; empty text for anything else."""
    text = _JSON.encode(values).decode()
    if not text[1:-1].replace(",", "").isdigit() or "[" in text[1:] or max(values) >= _INT64:
        return ""
    return text if len(values) > _SPACED else text.replace(",", ", ")


def _text(text: str) -> str:
    """A TOML basic string; JSON's escapes are TOML's, but for DEL, which TOML wants escaped."""
    return _JSON.encode(text).decode().replace("\x7f", "\\u007f")
