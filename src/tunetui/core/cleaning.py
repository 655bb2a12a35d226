"""Text from files and hosts made safe for a terminal: what could steer it is shown instead of obeyed."""

from __future__ import annotations

import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that draw nothing and may steer: controls (C0, DEL, C1), formats (bidirectional marks,
zero-width characters, tags), lone surrogates, line and paragraph separators."""


def clean(text: str) -> str:
    r"""``text`` with everything hidden as a visible escape (``\x1b``, ``\u202e``); newline and tab stay."""
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
