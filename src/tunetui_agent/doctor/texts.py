"""Reads the small texts in which Linux describes itself."""

from __future__ import annotations

from pathlib import Path

_MOST_CHARACTERS = 1 << 20


def read_text(path: Path) -> str:
    """The file's text without surrounding blanks; "" where it is not there or not ours to read."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MOST_CHARACTERS).strip()
    except OSError:
        return ""
