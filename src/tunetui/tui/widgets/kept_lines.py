"""Widgets that, where nothing in them changed, are sent what they drew the last time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal
from textual.geometry import Region
from textual.scrollbar import ScrollBar
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.widget import Widget as _Widget
else:
    _Widget = object


class KeptLines(_Widget):
    """Of a frame in which one widget changed Textual asks every visible one for its lines, and looks its styles up each time.

    To be named before the class of Textual that it is mixed into, whose style sheet is that of its first widget class.
    """

    _kept: tuple[Region, list[Strip]] | None = None

    def render_lines(self, crop: Region) -> list[Strip]:
        known = self._styles_cache
        if self._kept is not None and self._kept[0] == crop and known._cache and not known._dirty_lines:  # noqa: SLF001
            return self._kept[1]
        strips = super().render_lines(crop)
        self._kept = crop, strips
        return strips


class KeptRow(KeptLines, Horizontal):
    """Widgets side by side."""


class KeptBar(KeptLines, ScrollBar):
    """A scrollbar."""
