"""One TOML table read key by key: wrong types, missing keys and unknown keys all become mistakes."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Collection, Iterator
from typing import Any

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError
from tunetui.core.mistakes import Mistakes, Path, describe, literal, nearest, one_of

_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_AT_END = " (at end of document)"
INT64 = range(-(2**63), 2**63)


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The root table of a TOML text.

    Raises:
        InputError: not TOML; names the line, the column and shows the line.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{clean(source)}: not TOML that can be read: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError is one, and an int of thousands of digits raises a plain one
        raise InputError(_syntax_error(clean(str(error)), text, clean(source))) from None


def _syntax_error(message: str, text: str, source: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    place = _PLACE.search(message)
    if place:
        line, column = int(place[1]), int(place[2])
        message = message[: place.start()]
    elif message.endswith(_AT_END):
        message = message.removesuffix(_AT_END)
        line, column = len(lines), len(lines[-1]) + 1
    else:
        return f"{source}: not TOML: {message}"
    shown = clean(lines[line - 1][:200]) if line <= len(lines) else ""
    return f"{source}: line {line}, column {column}: not TOML: {message}\n    {shown}"


class Table:
    """A table being read.  Every key that is asked for is a known key; `finish` reports all others."""

    def __init__(self, data: dict[str, Any], path: Path, mistakes: Mistakes) -> None:
        self._data = data
        self.path = path
        self.mistakes = mistakes
        self._asked: list[str] = []
        self._missing: dict[str, str] = {}

    def take(self, key: str) -> Any:
        """The raw value of ``key``, or None."""
        self._asked.append(key)
        return self._data.get(key)

    def wrong(self, key: str, expected: str) -> None:
        """Report that ``key`` holds something else than ``expected``; a missing key waits for `finish`."""
        if key in self._data:
            self.mistakes.add((*self.path, key), f"expected {expected}, found {describe(self._data[key])}")
        else:
            self._missing[key] = expected

    def text(self, key: str, default: str | None = None, *, choices: Collection[str] = (), empty: bool = False) -> str:
        """A string; required where ``default`` is None."""
        value = self.take(key)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and (not choices or value in choices) and (value or empty):
            return value
        expected = one_of(choices) if choices else "a str that is not empty"
        close = nearest(value, choices) if isinstance(value, str) else None
        self.wrong(key, expected + (f" (did you mean {literal(close)}?)" if close else ""))
        return default or ""

    def flag(self, key: str, default: bool) -> bool:
        """A bool."""
        value = self.take(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.wrong(key, "true or false")
        return default

    def number(
        self, key: str, *, whole: bool = False, above: float | None = None, low: float | None = None,
        high: float | None = None, below: float | None = None,
    ) -> Any:  # fmt: skip
        """A finite int (``whole``) or float within its limits, or None where it is absent or wrong."""
        value = self.take(key)
        if value is None:
            return None
        fits = _is_number(value, whole) and (
            (above is None or value > above)
            and (low is None or value >= low)
            and (high is None or value <= high)
            and (below is None or value < below)
        )
        if fits:
            return value if whole else float(value)
        words = {">": above, ">=": low, "<=": high, "<": below}
        limits = " and ".join(f"{sign} {limit}" for sign, limit in words.items() if limit is not None)
        self.wrong(key, f"{'an int' if whole else 'a number'} {limits}".rstrip())
        return None

    def texts(self, key: str) -> list[str] | None:
        """A list of strings, or None where it is absent; a wrong item becomes "", so that positions stay."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, list):
            self.wrong(key, "a list of str")
            return None
        for position, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                found = describe(item)
                self.mistakes.add((*self.path, key, position), f"expected a str that is not empty, found {found}")
        return [item.strip() if isinstance(item, str) else "" for item in value]

    def table(self, key: str) -> Table:
        """A table within this one; an empty one where it is absent or wrong."""
        value = self.take(key)
        if value is not None and not isinstance(value, dict):
            self.wrong(key, "a table")
            value = None
        return Table(value or {}, (*self.path, key), self.mistakes)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Every key of this table, each of which must be a table with a name of its own."""
        for key in self._data:
            yield key, self.table(key)

    def names(self) -> list[str]:
        """Every key; all count as known."""
        return [key for key, _ in self.items()]

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every key with its raw value; all count as known."""
        for key in self._data:
            yield key, self.take(key)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def finish(self) -> None:
        """Report unknown keys with the nearest known one, then required keys that are still missing."""
        for key in self._data:
            if key in self._asked:
                continue
            close = nearest(key, self._asked)
            self._missing.pop(close or "", None)  # misspelt is not missing as well
            meant = f"did you mean {literal(close)}?" if close else f"expected {one_of(self._asked)}"
            self.mistakes.add((*self.path, key), f"unknown key; {meant}")
        for key, expected in self._missing.items():
            self.mistakes.add((*self.path, key), f"expected {expected}, found nothing: the key is missing")


def is_scalar(value: Any) -> bool:
    """Whether a TOML value can be one value of an axis: bool, 64-bit int, finite float or str."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value in INT64
    return isinstance(value, str)


def _is_number(value: Any, whole: bool) -> bool:
    allowed = int if whole else (int, float)
    return isinstance(value, allowed) and not isinstance(value, bool) and is_scalar(value)
