"""The few ways in which a piece of text can stand out, as names that a theme gives colours to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rich.style import Style
from textual.widget import Widget

Tone = Literal["accent", "good", "warning", "bad", "muted", "strong"]
"""Never the only sign of anything: the text says the same, for eyes and terminals without colour."""

TONES: tuple[Tone, ...] = ("accent", "good", "warning", "bad", "muted", "strong")

ToneStyles = Mapping[Tone, Style]

TONE_CLASSES = frozenset(f"tone--{tone}" for tone in TONES)

TONE_CSS = """
    & > .tone--accent { color: $text-accent; }
    & > .tone--good { color: $text-success; }
    & > .tone--warning { color: $text-warning; }
    & > .tone--bad { color: $text-error; }
    & > .tone--muted { color: $foreground 70%; }
    & > .tone--strong { text-style: bold; }
"""
"""Goes into the DEFAULT_CSS of a widget that has `TONE_CLASSES` among its component classes."""


def tone_styles(widget: Widget) -> dict[Tone, Style]:
    """What each tone adds to a widget's own style.  Walks the style sheets: keep it until `notify_style_update`."""
    return {tone: widget.get_component_rich_style(f"tone--{tone}", partial=True) for tone in TONES}
