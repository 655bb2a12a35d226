"""The few ways in which a piece of text can stand out, as names that a theme gives colours to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

Tone = Literal["accent", "good", "warning", "bad", "muted", "strong"]
"""Never the only sign of anything: the text says the same, for eyes and terminals without colour."""

TONES: tuple[Tone, ...] = ("accent", "good", "warning", "bad", "muted", "strong")

ToneStyles = Mapping[Tone, Style]

_VARIABLES: Mapping[Tone, str] = {
    "accent": "text-accent", "good": "text-success", "warning": "text-warning", "bad": "text-error",
}  # fmt: skip
_MUTED = 0.7
"""How much of the text's colour is left of it."""


def tone_styles(widget: Widget) -> dict[Tone, Style]:
    """What each tone adds to a widget's own style, from the theme's colours: keep it until `notify_style_update`.

    Textual's component classes would say the same, at the price of matching all style rules once for each tone of
    each widget, whenever anything about the widget changes.
    """
    variables = widget.app.theme_variables
    styles = {tone: Style(color=Color.parse(variables[name]).rich_color) for tone, name in _VARIABLES.items()}
    ground, text = widget.background_colors[1], Color.parse(variables["foreground"])
    muted = Style(color=ground.blend(text, _MUTED, alpha=1.0).rich_color)
    return {**styles, "muted": muted, "strong": Style(bold=True)}
