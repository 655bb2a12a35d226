"""Plain data as TOML text: one group of figures per line, so that a leaderboard row reads like a card.

A leaderboard may have 100,000 rows of forty values, so what is flat goes through msgspec's JSON encoder, whose
texts, numbers and arrays are TOML's, and is taken apart by counting: see `_quick_pairs`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, get_origin, get_type_hints

import msgspec

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PERHAPS_TOO_LONG = re.compile(" = -?[0-9]{19}")
_INT64 = 1 << 63
_SPACED = 16
"""Arrays up to this long are read by people."""
_SCALARS = frozenset({str, int, float, bool})
_JSON = msgspec.json.Encoder()


def dumps(data: dict[str, Any], *, inline_below: Collection[str] = ()) -> str:
    """TOML 1.0 text of nested dicts, lists, text, numbers and booleans; in every table the scalars come first.

    Items of a list of tables may be msgspec structs, which become tables one at a time.
    ``inline_below`` names dotted paths of tables whose own tables are written on one line each.

    Raises:
        ValueError: a value that TOML cannot hold (None, a whole number beyond 64 bits, NaN), with its path.
    """
    text = ""
    for pairs in (_quick_pairs, _exact_pairs):
        lines: list[str] = []
        _Writer(lines, frozenset(inline_below), pairs).table("", "", data)
        text = "\n".join(lines).lstrip("\n") + "\n"
        if "\x7f" not in text and " = null" not in text and not _PERHAPS_TOO_LONG.search(text):
            break  # else something that JSON lets pass: the exact way escapes or refuses it
    return text


class _Writer:
    """Collects the lines of nested tables; ``pairs`` writes what is flat."""

    def __init__(
        self, lines: list[str], inline: frozenset[str], pairs: Callable[[dict[str, Any], str, str], str]
    ) -> None:
        self.lines = lines
        self.inline = inline
        self.pairs = pairs

    def table(self, path: str, header: str, table: dict[str, Any]) -> None:
        """One table and all below; ``path`` is plain for look-ups, ``header`` quoted for the file."""
        scalars = {key: value for key, value in table.items() if type(value) in _SCALARS}
        if scalars:
            self.lines.append(self.pairs(scalars, "\n", path))
        flat = path in self.inline
        deeper: list[tuple[str, Any]] = []
        for key, value in table.items():
            if key in scalars:
                continue
            if flat and type(value) is dict and value:
                self.lines.append(f"{_key(key)} = {{ {self.pairs(value, ', ', path)} }}")
            elif not flat and (isinstance(value, dict) or _holds_tables(value)):
                deeper.append((key, value))
            else:
                self.lines.append(f"{_key(key)} = {_value(value, path, key)}")
        for key, value in deeper:
            self._below(f"{path}.{key}".lstrip("."), f"{header}.{_key(key)}".lstrip("."), value)

    def _below(self, path: str, header: str, value: Any) -> None:
        single = isinstance(value, dict)
        title = f"\n[{header}]" if single else f"\n[[{header}]]"
        for item in [value] if single else value:
            self.lines.append(title)
            card = _quick_card(item) if path in self.inline and self.pairs is _quick_pairs else None
            if card is not None:
                self.lines.append(card)
            else:
                self.table(path, header, item if type(item) is dict else msgspec.to_builtins(item))


def _holds_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict | msgspec.Struct) for item in value)


def _exact_pairs(table: dict[str, Any], separator: str, path: str) -> str:
    """``key = value`` of every item."""
    return separator.join([f"{_key(key)} = {_value(value, path, key)}" for key, value in table.items()])


def _quick_pairs(table: dict[str, Any], separator: str, path: str) -> str:
    """The same by way of JSON, but for what `dumps` looks for afterwards.

    In ``{"a":1,"b":"x"}`` every key ends in ``":`` and every pair but the first begins with ``,"``.  Text that
    holds either makes one too many of them, and so do arrays and tables: then the exact way is taken.
    """
    text = _JSON.encode(table).decode()
    if text.count('":') != len(table) or text.count(',"') != len(table) - 1 or not _all_bare(table):
        return _exact_pairs(table, separator, path)
    return text[2:-1].replace('":', " = ").replace(',"', separator)


def _quick_card(item: Any) -> str | None:
    """All lines of a struct of scalars, flat dicts and arrays of numbers, from its JSON; None where that is not exact.

    A leaderboard's rows, three times as fast as value by value.  Outside strings, ``":`` follows a key and ``,"``
    comes before one.  A string can hold the first only by an escape or by beginning with a colon, the second only by
    ending with a comma; a brace in a string makes one more brace than there are dicts; and an array of several strings
    has commas of its own.  Then value by value it is.
    """
    if not isinstance(item, msgspec.Struct):
        return None
    text, numbers = _without_last_numbers(_JSON.encode(item).decode())
    outside, *dicts = text[2:].split('":{"')
    count = len(dicts)
    if text.count("{") != count + 1 or text.count("}") != count or not _tame(text):
        return None
    dict_fields, list_fields = _fields_of(type(item))
    for name in dict_fields:
        if not _all_bare(getattr(item, name)):
            return None
    if '"]' in text:
        for name in list_fields:
            values = getattr(item, name)
            if len(values) > 1 and str in map(type, values):
                return None
    parts = [outside.replace(',"', "\n").replace('":', " = ")]
    for piece in dicts:
        inside, _, outside = piece.partition("}")
        parts.append(inside.replace(',"', ", ").replace('":', " = "))
        parts.append(outside.replace(',"', "\n").replace('":', " = "))
    return _braced(parts) + numbers


def _without_last_numbers(text: str) -> tuple[str, str]:
    """An object's JSON without its last brace, and apart from it the numbers in brackets that it ends with, if it does.

    Raw samples are half of a row, and nothing in them needs looking at.
    """
    cut = text.rfind(":[") + 1
    numbers = text[cut:-1]
    if cut and numbers.endswith("]") and '"' not in numbers and "{" not in numbers:
        return text[:cut], numbers
    return text[:-1], ""


def _tame(text: str) -> bool:
    """Whether no string in this JSON can be taken for its punctuation; spelled out, since every row asks."""
    return not (
        "\\" in text
        or ':":' in text
        or ',":' in text
        or '[":' in text
        or ',",' in text
        or ',"}' in text
        or ',"]' in text
    )


@functools.lru_cache(maxsize=64)
def _fields_of(kind: type) -> tuple[list[str], list[str]]:
    """Names of a struct's dict fields and of its list fields."""
    hints = get_type_hints(kind)
    return tuple([name for name, hint in hints.items() if get_origin(hint) is wanted] for wanted in (dict, list))  # type: ignore[return-value]


def _braced(parts: list[str]) -> str:
    """``outside, inside, outside, ...`` with the braces of the dicts between them."""
    parts[1::2] = [f" = {{ {inside} }}" for inside in parts[1::2]]
    return "".join(parts)


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
        return "{ " + _exact_pairs(value, ", ", path) + " }" if value else "{}"
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
