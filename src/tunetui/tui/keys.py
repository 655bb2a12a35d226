"""The user's own keys: checked before they are used, because Textual takes any nonsense without a word."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from textual.keys import KEY_TO_UNICODE_NAME, REPLACED_KEYS, Keys, key_to_character

from tunetui.core.cleaning import clean
from tunetui.tui.commands.command import AnyCommand

_MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
_NAMED = frozenset(key.value for key in Keys) | frozenset({"space", "tab", "enter", "escape", "backspace", "delete"})
_NEVER = frozenset({"ctrl+c"})
"""Textual keeps it for itself."""


def checked_keys(
    asked: Mapping[str, str], scopes: Mapping[str, Sequence[AnyCommand]]
) -> tuple[dict[str, str], list[str]]:
    """The part of ``asked`` (command id to keys) that can be used, and what is wrong with the rest, in words.

    ``scopes`` are the commands that can be reached at one time, by a name for people; two of them on one key would
    hide each other.  An entry that clashes is left out, so that its command keeps the key that it had.
    """
    known = {command.id: command for commands in scopes.values() for command in commands}
    usable: dict[str, str] = {}
    problems = []
    for name, text in asked.items():
        wrong = _what_is_wrong(name, text, known)
        if wrong:
            problems.append(wrong)
        else:
            usable[name] = ",".join(split_keys(text))
    while clash := _first_clash(usable, scopes):
        name, words = clash
        problems.append(words)
        del usable[name]
    return usable, problems


def split_keys(text: str) -> list[str]:
    """The keys of a list such as ``ctrl+s, o``; a lone comma is the comma key."""
    if text.strip() == ",":
        return ["comma"]
    return [part.strip() for part in text.split(",") if part.strip()]


def is_key(name: str) -> bool:
    """Whether a terminal can send something of this name: ``p``, ``ctrl+s``, ``f5``, ``slash``, ``question_mark``."""
    *modifiers, key = name.split("+") if name != "+" else [name]
    if not set(modifiers) <= _MODIFIERS or not key:
        return False
    if len(key) == 1:
        return key.isprintable()
    if (
        key in _NAMED
        or name in _NAMED
        or key in KEY_TO_UNICODE_NAME
        or key in REPLACED_KEYS
        or key_to_character(key) is not None
    ):
        return True
    try:
        unicodedata.lookup(key.replace("_", " "))
    except KeyError:
        return False
    return True


def _what_is_wrong(name: str, text: object, known: Mapping[str, AnyCommand]) -> str:
    shown = clean(str(name))[:60]
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; the help screen (?) lists all"
        return f"[keys] {shown}: there is no such command{hint}"
    if not isinstance(text, str) or not split_keys(text):
        return f'[keys] {shown}: expected keys such as "ctrl+s" or "s,f5", found {clean(str(text))[:40]!r}'
    for key in split_keys(text):
        if not is_key(key):
            return f'[keys] {shown}: {clean(key)[:40]!r} is no key; write for example "ctrl+s", "f5", "slash"'
        if key in _NEVER:
            return f"[keys] {shown}: {key} cannot be given away"
    return ""


def _first_clash(usable: Mapping[str, str], scopes: Mapping[str, Sequence[AnyCommand]]) -> tuple[str, str] | None:
    for scope, commands in scopes.items():
        taken: dict[str, str] = {}
        for command in sorted(commands, key=lambda each: each.id in usable):  # those that keep their keys first
            for key in keys_of(command, usable):
                other = taken.setdefault(key, command.id)
                if other != command.id and command.id in usable:
                    return command.id, f"[keys] {command.id}: {key} is already {other} ({scope})"
    return None


def keys_of(command: AnyCommand, keymap: Mapping[str, str]) -> list[str]:
    """The keys that a command has under a keymap, in one spelling."""
    return [_spelling(key) for key in split_keys(keymap.get(command.id, command.key))]


def _spelling(key: str) -> str:
    character = key_to_character(key)
    return key if character is None else character


def clashes(scopes: Mapping[str, Iterable[AnyCommand]]) -> list[str]:
    """Default keys that two commands of one scope share; there must be none."""
    found = []
    for scope, commands in scopes.items():
        taken: dict[str, str] = {}
        for command in commands:
            for key in keys_of(command, {}):
                other = taken.setdefault(key, command.id)
                if other != command.id:
                    found.append(f"{scope}: {key} is {other} and {command.id}")
    return found
