"""Text fitted to a terminal's columns: measured, cut, wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def text_width(text: str) -> int:
    """Terminal columns that ``text`` takes; wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def fit(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, its end replaced by an ellipsis where it is longer (words, not figures)."""
    if text_width(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += _character_width(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…" if width > 0 else ""


def header_lines(name: str, unit: str = "") -> tuple[str, ...]:
    """A name over its unit; a long snake_case name is broken at underscores so that columns stay narrow."""
    words = name.replace(".", "_").split("_")
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < 7:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return (*lines, unit) if unit else tuple(lines)


def wrapped(words: Sequence[str], width: int | None, *, indent: str = "", first: str | None = None) -> list[str]:
    """Words joined by blanks into lines of at most ``width``; a word is never broken."""
    lines, present = [], indent if first is None else first
    empty = True
    for word in words:
        extended = present + ("" if empty else " ") + word
        if not empty and width is not None and text_width(extended) > width:
            lines.append(present)
            present = indent + word
        else:
            present = extended
        empty = False
    return [*lines, present] if not empty else lines


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
