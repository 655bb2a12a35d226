"""Colour themes from TOML files: checked before Textual sees them, because a wrong colour would end the app."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.theme import Theme

from tunetui.core.cleaning import clean

DEFAULT_THEME = "slate"
_COLOURS = (
    "primary", "secondary", "accent", "foreground", "background", "surface", "panel", "boost", "success", "warning",
    "error",
)  # fmt: skip
_REQUIRED = ("primary", "foreground", "background")
_MOST_BYTES = 64_000


@dataclass(frozen=True)
class ThemeProblem:
    """A theme file that could not be used."""

    file: Path
    text: str

    def __str__(self) -> str:
        return f"{clean(str(self.file))}: {self.text}; the theme is left out"


class _WrongThemeError(ValueError):
    """What is wrong with a theme file, in words."""


def load_themes(folders: Iterable[Path]) -> tuple[dict[str, Theme], list[ThemeProblem]]:
    """Every usable theme by name, a later folder's over an earlier one's, and what is wrong with the others."""
    themes: dict[str, Theme] = {}
    problems = []
    for folder in folders:
        for file in sorted(folder.glob("*.toml")) if folder.is_dir() else []:
            try:
                theme = read_theme(file)
            except _WrongThemeError as error:
                problems.append(ThemeProblem(file, clean(str(error))[:300]))
            else:
                themes[theme.name] = theme
    return themes, problems


def read_theme(file: Path) -> Theme:
    """One theme file.  Raises ValueError: what is wrong with it, in words."""
    try:
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise _WrongThemeError(f"a theme has at most {_MOST_BYTES:,} bytes")
        data = tomllib.loads(text.decode())
    except OSError as error:
        raise _WrongThemeError(error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _WrongThemeError(f"not TOML: {error}") from None
    return _checked(data, file.stem)


def _checked(data: dict[str, Any], stem: str) -> Theme:
    for name in data:
        if name not in {*_COLOURS, "name", "dark", "variables"}:
            raise _WrongThemeError(f"{name}: no such key; there is: name, dark, variables, {', '.join(_COLOURS)}")
    for name in _REQUIRED:
        if name not in data:
            raise _WrongThemeError(f"{name} is missing")
    for name in _COLOURS:
        if name in data:
            _check_colour(name, data[name])
    name, dark, variables = data.get("name", stem), data.get("dark", True), data.get("variables", {})
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 40:
        raise _WrongThemeError("name: expected 1 to 40 printable characters")
    if not isinstance(dark, bool):
        raise _WrongThemeError(f"dark: expected true or false, found {dark!r}")
    if not isinstance(variables, dict):
        raise _WrongThemeError("variables: expected a table of colours")
    for key, value in variables.items():
        _check_colour(f"variables.{key}", value)
    theme = Theme(name=name, dark=dark, variables=variables, **{key: data[key] for key in _COLOURS if key in data})
    try:
        theme.to_color_system().generate()
    except (ColorParseError, ValueError, KeyError) as error:
        raise _WrongThemeError(f"no colours can be made of it: {error}") from None
    return theme


def _check_colour(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise _WrongThemeError(f'{name}: expected a colour such as "#1a2b3c", found {value!r}')
    try:
        Color.parse(value)
    except ColorParseError:
        raise _WrongThemeError(f'{name}: expected a colour such as "#1a2b3c", found {value!r}') from None
