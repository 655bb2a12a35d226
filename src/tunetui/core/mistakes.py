"""Mistakes of a file, collected so that all are told at once: source, key path, expected, found."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError

Path = tuple[str | int, ...]
"""Where in a file: keys and list positions from the root."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN_MISTAKES = 50
_SHOWN_NAMES = 20
_SHOWN_CHARACTERS = 60


class Mistake(NamedTuple):
    """One mistake: where, and what was expected and found."""

    path: Path
    text: str


class Mistakes:
    """Collects the mistakes of one file; ``overrides`` says which key paths a ``--set`` option gave."""

    def __init__(self, source: str, overrides: Mapping[Path, str] | None = None) -> None:
        self.source = source
        self.overrides = dict(overrides or {})
        self.found: list[Mistake] = []

    def add(self, path: Path, text: str) -> None:
        """Note one mistake at ``path``."""
        self.found.append(Mistake(path, text))

    def extend(self, mistakes: Iterable[Mistake]) -> None:
        """Note mistakes that were found elsewhere."""
        self.found.extend(mistakes)

    def raise_if_any(self) -> None:
        """Raise InputError, one line a mistake, if there is any."""
        if not self.found:
            return
        lines = [self._line(mistake) for mistake in dict.fromkeys(self.found)]
        if len(lines) > _SHOWN_MISTAKES:
            lines[_SHOWN_MISTAKES:] = [f"{clean(self.source)}: and {len(lines) - _SHOWN_MISTAKES} more mistakes"]
        raise InputError("\n".join(lines))

    def place(self, path: Path) -> str:
        """The file or the option that ``path`` comes from, and the path: "grid.toml: constraints.where[0]"."""
        return clean(f"{self._source_of(path)}: {show_path(path)}" if path else self._source_of(path))

    def _line(self, mistake: Mistake) -> str:
        return f"{self.place(mistake.path)}: {clean(mistake.text)}"

    def _source_of(self, path: Path) -> str:
        above = (path[:length] for length in range(len(path), 0, -1))
        return next((self.overrides[part] for part in above if part in self.overrides), self.source)


def show_path(path: Path) -> str:
    """``axes.tile_size[2]``; a key that TOML would quote is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False))
    return text


def type_name(value: Any) -> str:
    """The word a grid's author knows a TOML type by."""
    names = {bool: "bool", int: "int", float: "float", str: "str", list: "list", dict: "table"}
    return names.get(type(value), "date or time")


def describe(value: Any) -> str:
    """A value and its type as found in a file, short enough for one line."""
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    return f"{literal(value)} ({type_name(value)})"


def literal(value: Any) -> str:
    """A scalar as TOML would write it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 2**63:
        return "an int of more than 64 bits"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` is most likely a misspelling of."""
    found = difflib.get_close_matches(name[:100], list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The words for a name that is not among ``known``: the nearest one, else all of them."""
    names = list(dict.fromkeys(known))
    close = nearest(name, names)
    if close is not None:
        return f"unknown {what} {literal(name)}; did you mean {literal(close)}?"
    if not names:
        return f"unknown {what} {literal(name)}; there are none"
    return f"unknown {what} {literal(name)}; expected {one_of(names)}"


def one_of(values: Iterable[Any]) -> str:
    """``"cpu" or "gpu"``, cut where there are many."""
    shown = [literal(value) for value in values]
    if len(shown) > _SHOWN_NAMES:
        shown = [*shown[:_SHOWN_NAMES], f"{len(shown) - _SHOWN_NAMES} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " or " + shown[-1]
