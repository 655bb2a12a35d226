"""Text made to fit one line of cells, with nothing in it that a terminal would obey."""

from __future__ import annotations

from rich.cells import cell_len, chop_cells, set_cell_size

HIDDEN = "·"
"""What stands for a character that draws nothing: controls, bidirectional marks, joiners, newlines."""


def literal(text: str) -> str:
    """``text`` with every character that draws nothing as one visible dot; as long as it was."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else HIDDEN for each in text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells: padded (on the left if ``right``), or cut with an ellipsis.

    Wide characters count as two cells; one that would be cut in half becomes a space.
    """
    text = literal(text)
    if text.isascii():
        if len(text) > width:
            return text[: max(width - 1, 0)] + "…" if width > 0 else ""
        return text.rjust(width) if right else text.ljust(width)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    padding = " " * (width - cells)
    return padding + text if right else text + padding


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` cells; at least one line."""
    text = literal(text)
    if text.isascii() and len(text) <= width:  # nearly every line
        return [text]
    return chop_cells(text, max(width, 2)) or [""]
