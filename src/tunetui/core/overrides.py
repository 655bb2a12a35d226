"""`--set axes.tile_size=16,32`: values from the command line put into a grid's table before it is decoded."""

from __future__ import annotations

import re
import tomllib
from typing import Any, NamedTuple

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError
from tunetui.core.mistakes import Path, describe, show_path

_LISTS = ("axes", "implementations")  # always lists, so that one value needs no brackets
_COMMAS = (*_LISTS, "problem")
_TEXTS = ("name", "kernel", "device")  # always str, so that name=2024 needs no quotes
_KEY = re.compile(r'[A-Za-z0-9_-]+|"[^"]*"')


class Override(NamedTuple):
    """One ``--set`` option: where its value goes, the value as TOML data, and the option as given."""

    path: Path
    value: Any
    option: str


def parse_override(text: str) -> Override:
    """One ``KEY=VALUE``.

    Raises:
        InputError: no ``=``, an empty key, or nothing between two commas.
    """
    option = f"--set {text}"
    key, equals, value = text.partition("=")
    path = _split_key(key.strip())
    if not equals or not path:
        raise InputError(clean(f"{option}: expected KEY=VALUE, such as axes.tile_size=16,32"))
    return Override(path, read_value(path, value.strip(), option), option)


def apply_overrides(data: dict[str, Any], overrides: list[Override]) -> dict[str, Any]:
    """``data`` with every override in its place; later ones win.

    Raises:
        InputError: a key goes through something that is not a table.
    """
    for override in overrides:
        data = _put(data, override, 0)
    return data


def overridden_paths(data: dict[str, Any], overrides: list[Override]) -> dict[Path, str]:
    """Which option each key path comes from, tables included that only an option brought into ``data``."""
    paths: dict[Path, str] = {}
    for override in overrides:
        inner: Any = data
        for depth, key in enumerate(override.path, start=1):
            inner = inner.get(key) if isinstance(inner, dict) else None
            if inner is None or depth == len(override.path):
                paths[override.path[:depth]] = override.option
    return paths


def _split_key(key: str) -> Path:
    if key.startswith("targets."):  # the metric's own dots are part of its name
        return ("targets", key.removeprefix("targets.").strip('"'))
    parts = [part.strip() for part in key.split(".")]
    return tuple(part.strip('"') for part in parts) if all(_KEY.fullmatch(part) for part in parts) else ()


def read_value(path: Path, text: str, option: str) -> Any:
    """What was typed for ``path``, as TOML data; lists need no brackets and words no quotes.

    Raises:
        InputError: nothing between two commas; told with ``option``.
    """
    if path == ("constraints", "where"):
        values = _toml(text, None) if text[:1] == "[" else None  # no expression begins with a bracket
        return values if isinstance(values, list) else [text]
    if path[0] in _TEXTS:
        value = _toml(text, text)
        return value if isinstance(value, str) else text
    if path[0] not in _COMMAS or text[:1] in ("[", "{"):
        return _toml(text, text)
    values = _toml(f"[{text}]", None)
    if values is None:
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise InputError(clean(f"{option}: expected a value between commas, found none"))
        values = [_toml(part, part) for part in parts]
    return values if len(values) != 1 or path[0] in _LISTS else values[0]


def _toml(text: str, otherwise: Any) -> Any:
    """``text`` read as one TOML value; ``otherwise`` where it is none."""
    if "\n" in text or "\r" in text:
        return otherwise
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return otherwise


def _put(table: dict[str, Any], override: Override, depth: int) -> dict[str, Any]:
    key = str(override.path[depth])
    if depth == len(override.path) - 1:
        return {**table, key: override.value}
    inner = table.get(key, {})
    if not isinstance(inner, dict):
        place = show_path(override.path[: depth + 1])
        raise InputError(clean(f"{override.option}: {place}: expected a table, found {describe(inner)}"))
    return {**table, key: _put(inner, override, depth + 1)}
