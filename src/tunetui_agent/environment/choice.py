"""Remembers which Python was chosen for a kind of device, for as long as nothing that decided it has changed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.folder import read_object, write_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunetui_agent.environment.interpreters import Interpreter

FORMAT = 1


def remember(folder: Path, kind: str, asked: str, chosen: Interpreter) -> None:
    """Note the choice for ``asked`` (the Python that the user named, or ""); a full disk costs only the note."""
    note = {
        "format": FORMAT,
        "asked": asked,
        "python": chosen.python,
        "user_site": chosen.user_site,
        "version": ".".join(map(str, chosen.version)),
        "modules": chosen.modules,
        "driver": _driver(),
        "seen": _seen([chosen.python, *chosen.files]),
    }
    with contextlib.suppress(OSError):
        write_object(folder / f"{kind}.json", note)


def recall(folder: Path, kind: str, asked: str) -> dict[str, Any] | None:
    """The note, unless the Python, one of its modules or the driver is another one by now."""
    note = read_object(folder / f"{kind}.json")
    if note is None or note.get("format") != FORMAT or note.get("asked") != asked:
        return None
    seen = note.get("seen")
    if note.get("driver") != _driver() or not isinstance(seen, dict) or not seen:
        return None
    return note if _seen(seen) == seen else None


def _driver() -> str:
    """What the loaded NVIDIA kernel module says of itself; "" where there is none."""
    try:
        return Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _seen(paths: Iterable[str]) -> dict[str, int]:
    """Path to the time of its last change in nanoseconds; 0 where it is not there."""
    found = {}
    for path in paths:
        try:
            found[str(path)] = Path(path).stat().st_mtime_ns
        except (OSError, ValueError):
            found[str(path)] = 0
    return found
