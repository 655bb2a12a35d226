"""Every key of a screen and what it does, made from the commands themselves; and what was said so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding
from textual.keys import format_key
from textual.screen import Screen

from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.keys import split_keys
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.text import TextScreen
from tunetui.tui.spans import Spans, plain, toned
from tunetui.tui.widgets.tones import Tone

if TYPE_CHECKING:
    from tunetui.tui.telling import Said


_NEXT_PART = Binding(
    "tab,shift+tab", "app.focus_next", "To the next part of the screen that scrolls, or the one before"
)


def help_screen(name: str, groups: Mapping[str, Sequence[AnyCommand]], keymap: Mapping[str, str],
                moves: Sequence[Binding]) -> TextScreen:  # fmt: skip
    """The help of a screen."""
    return TextScreen(f"Help: {name}", help_lines(groups, keymap, moves))


def help_lines(
    groups: Mapping[str, Sequence[AnyCommand]], keymap: Mapping[str, str], moves: Sequence[Binding] = ()
) -> list[Spans]:
    """Keys, help and the name that a settings file uses, group by group."""
    lines: list[Spans] = []
    for group, commands in groups.items():
        lines += [toned(group, "strong")] if commands else []
        for command in commands:
            keys = _shown(keymap.get(command.id, command.key))
            lines.append(
                ((f"  {keys:<14}", "accent"), (f"{command.help()}  ", None), (f"[keys] {command.id}", "muted"))
            )
        lines.append(plain(""))
    by_action: dict[str, list[Binding]] = {}
    for move in moves:
        by_action.setdefault(move.action, []).append(move)
    if moves:
        lines.append(toned("Where the cursor is", "strong"))
    for same in by_action.values():
        keys = " ".join(format_key(key) for move in same for key in split_keys(move.key))
        lines.append(((f"  {keys:<14}", "accent"), (same[0].description, None)))
    return lines


def moves_of(screen: CommandScreen) -> list[Binding]:
    """What arrows and other keys do in the part of a screen that has the focus, under the user's keymap."""
    moves = [
        binding
        for node, binding, *_ in screen.active_bindings.values()
        if not isinstance(node, Screen | App) and binding.description
    ]
    return [*moves, _NEXT_PART] if len(screen.focus_chain) > 1 else moves


def notices_screen(said: Sequence[Said]) -> TextScreen:
    """What the app said, the latest first."""
    tones: dict[str, Tone] = {"warning": "warning", "error": "bad"}
    lines: list[Spans] = [
        ((time.strftime("%H:%M:%S  ", time.localtime(each.t)), "muted"), (each.text, tones.get(each.severity)))
        for each in reversed(said)
    ]
    return TextScreen("Notices", lines or [toned("nothing was said yet", "muted")])


def _shown(keys: str) -> str:
    return " ".join(format_key(key) for key in split_keys(keys))
