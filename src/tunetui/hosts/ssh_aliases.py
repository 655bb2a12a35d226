"""Which hosts the user's SSH configuration names, to choose from; what they mean is for `ssh -G` to say."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from tunetui.core.cleaning import clean

_MOST_BYTES = 1 << 20
_DEEPEST = 8
_MOST_FILES = 64


def aliases(config: Path | None = None) -> list[str]:
    """Every plain name behind ``Host`` in ``config`` (the user's own by default) and what it includes, in its order.

    Patterns (``*``, ``?``, ``!``) name no host.  A file that cannot be read names none.
    """
    path = config or Path.home() / ".ssh" / "config"
    return list(dict.fromkeys(_names(path, path.parent, _DEEPEST)))


def _names(path: Path, base: Path, depth: int) -> Iterator[str]:
    for line in _lines(path):
        words = _words(line)
        if len(words) < 2:
            continue
        if words[0].lower() == "host":
            yield from (name for name in words[1:] if not set(name) & set("*?!") and clean(name) == name)
        elif words[0].lower() == "include" and depth:
            for pattern in words[1:]:
                for found in _found(pattern, base):
                    yield from _names(found, base, depth - 1)


def _lines(path: Path) -> list[str]:
    try:
        if not path.is_file():
            return []
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").splitlines()
    except (OSError, ValueError):
        return []


def _words(line: str) -> list[str]:
    """``Host a b``, ``Host=a``; comments and what cannot be read are nothing."""
    try:
        words = shlex.split(line.strip(), comments=True)
    except ValueError:
        return []
    if words and "=" in words[0]:
        head, _, rest = words[0].partition("=")
        words = [head, *([rest] if rest else []), *words[1:]]
    return [word for word in words if word != "="]


def _found(pattern: str, base: Path) -> list[Path]:
    """The files that an ``Include`` means."""
    path = Path(pattern).expanduser() if pattern.startswith("~/") else Path(pattern)
    root, rest = (Path(path.anchor), path.relative_to(path.anchor)) if path.is_absolute() else (base, path)
    try:
        return sorted(root.glob(str(rest)))[:_MOST_FILES]
    except (OSError, ValueError, NotImplementedError):
        return []
