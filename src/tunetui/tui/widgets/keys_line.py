"""The keys of the present screen on one line: one widget, where Textual's own footer mounts two for every key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.app import App
from textual.screen import Screen

from tunetui.tui.widgets.drawing import Drawing, Piece

_APART = 1
"""Blank cells around each key and between its label and the next key."""


@dataclass(frozen=True)
class KeyHint:
    """A key as it is shown; ``everywhere``: it belongs to the app, and stays where there is no room for all."""

    key: str
    shown: str
    label: str
    help: str
    enabled: bool
    everywhere: bool

    @property
    def cells(self) -> int:
        """How much room it takes."""
        return cell_len(self.shown) + cell_len(self.label) + 3 * _APART


class KeysLine(Drawing):
    """Bindings that ask to be shown, the nearest to the focus first; a click is the key.

    Where not all fit, those of the screen give way from their end, those of the app stay.
    """

    DEFAULT_CSS = "KeysLine { dock: bottom; height: 1; background: $panel; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__(id=id)
        self.hints: list[KeyHint] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_updated)

    def _bindings_updated(self, screen: Screen[Any]) -> None:
        """Another focus, or another command is grey."""
        if not self.is_attached or screen is not self.screen:
            return
        hints = list(self._found(screen))
        if hints != self.hints:
            self.hints = hints
            self.redraw()

    def _found(self, screen: Screen[Any]) -> list[KeyHint]:
        by_action: dict[str, KeyHint] = {}
        for node, binding, enabled, tooltip in screen.active_bindings.values():
            if binding.show and binding.action not in by_action:
                by_action[binding.action] = KeyHint(
                    binding.key, self.app.get_key_display(binding), binding.description, tooltip, enabled,
                    isinstance(node, App),
                )  # fmt: skip
        return list(by_action.values())

    def shown_hints(self, width: int) -> list[KeyHint]:
        """Those that there is room for."""
        room = width - sum(hint.cells for hint in self.hints if hint.everywhere)
        kept = []
        for hint in self.hints:
            if not hint.everywhere:
                room -= hint.cells
            if hint.everywhere or room >= 0:
                kept.append(hint)
        return kept

    def draw(self, width: int, height: int) -> list[list[Piece]]:
        """Key and label in turns; without the key's tone where it would do nothing now."""
        key_style, grey = self.tones["accent"] + Style(bold=True), self.tones["muted"]
        pieces: list[Piece] = []
        for hint in self.shown_hints(width):
            pieces.append((f" {hint.shown} ", key_style if hint.enabled else grey))
            pieces.append((f"{hint.label} ", None if hint.enabled else grey))
        return [pieces]

    def hint_at(self, x: int) -> KeyHint | None:
        """The key that is drawn at a column."""
        end = 0
        for hint in self.shown_hints(self.size.width):
            end += hint.cells
            if x < end:
                return hint
        return None

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Its help, for those who wait."""
        hint = self.hint_at(event.x)
        self.tooltip = hint.help or None if hint is not None else None

    def on_click(self, event: events.Click) -> None:
        """As if it had been pressed."""
        hint = self.hint_at(event.x)
        if hint is not None:
            self.app.simulate_key(hint.key)
