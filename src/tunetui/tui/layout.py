"""Which panes of the Run screen there is room for, and in which order they give way."""

from __future__ import annotations

PANES = ("plot", "heatmap", "live", "log", "rail")
"""In the order in which they give way as the terminal gets smaller; title, table and the present trial stay."""

LEAST_WIDTH, LEAST_HEIGHT = 40, 8
_NEEDS = {"plot": (140, 32), "heatmap": (110, 30), "live": (100, 20), "log": (40, 16), "rail": (40, 12)}
"""Columns and lines that a pane needs the terminal to have."""


def shown_panes(width: int, height: int) -> frozenset[str]:
    """The panes for a terminal of this size; none where it is too small for anything."""
    return frozenset(pane for pane, (columns, lines) in _NEEDS.items() if width >= columns and height >= lines)


def is_too_small(width: int, height: int) -> bool:
    """Whether there is room for nothing but saying so."""
    return width < LEAST_WIDTH or height < LEAST_HEIGHT


def bottom_height(width: int, height: int) -> int:
    """Lines of the panes below the table."""
    if "heatmap" in shown_panes(width, height):
        return max(8, min(height // 4, 14))
    return 3 if height < 20 else 5
