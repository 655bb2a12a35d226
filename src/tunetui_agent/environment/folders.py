"""Where environments lie on a host: ``env/<key>/`` and what helps to build them; how the old ones go."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui_agent.folder import FolderError, checked_name, is_disk_full, take_lock

if TYPE_CHECKING:
    from collections.abc import Collection

    from tunetui_agent.folder import HostFolder

READY = "ready.json"
"""In an environment that is whole; its time of change is when it was last used."""
MOST_BYTES = 8 << 30
"""Environments over this together go, the one not used for longest first."""
_DAY_SECONDS = 86400.0
_UNFINISHED_DAYS = 1.0


def environments_of(host: HostFolder) -> Path:
    """The folder of all environments, made where it is missing.  Raises FolderError."""
    return _made(host.root / "env")


def wheels_of(host: HostFolder) -> Path:
    """Where wheels that were sent lie until they are installed.  Raises FolderError."""
    return _made(host.root / "wheels")


def environment(host: HostFolder, key: str) -> Path:
    """The folder of one environment."""
    return environments_of(host) / checked_name(key)


def lock_of(folder: Path) -> Path:
    """Held by whoever builds the environment."""
    return folder.with_name(f".{folder.name}.lock")


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def built_pythons(folder: Path) -> list[Path]:
    """The interpreters of the environments that are whole, the one used last first."""
    ready = sorted(folder.glob(f"*/{READY}"), key=_changed, reverse=True)
    return [python_of(each.parent) for each in ready]


def mark_used(folder: Path, python: str) -> None:
    """Keeps the environment of ``python``, if it is one of ours, from being the next to go."""
    program = Path(python)
    if folder in program.parents:
        with contextlib.suppress(OSError):
            os.utime(program.parents[1] / READY)


def remove_old(host: HostFolder, days: float, needed: Collection[str], most_bytes: int = MOST_BYTES) -> list[str]:
    """Removes environments not used for ``days``, the oldest while all are too large, and what builds left behind.

    ``needed`` are Pythons that runs still go on with.  Returns the names of the environments removed.
    """
    folder = host.root / "env"
    removed, total = [], 0
    for python in built_pythons(folder):
        place = python.parents[1]
        total += _size_bytes(place)
        old = _changed(place / READY) < time.time() - days * _DAY_SECONDS
        in_use = any(place in Path(each).parents for each in needed)
        if (old or total > most_bytes) and not in_use and _removed(place):
            removed.append(place.name)
    left = [part for part in folder.glob(".*") if part.suffix != ".lock"]
    for part in [*left, *(host.root / "wheels").glob("*")]:
        if _changed(part) < time.time() - _UNFINISHED_DAYS * _DAY_SECONDS:
            remove(part)
    return removed


def remove(path: Path) -> None:
    """A file or a tree, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _removed(place: Path) -> bool:
    lock = take_lock(lock_of(place))
    if lock is None:
        return False
    try:
        with contextlib.suppress(OSError):
            (place / READY).unlink()  # first: a tree half removed must not be taken for a whole one
        remove(place)
    finally:
        os.close(lock)
    return True


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        code = "disk-full" if is_disk_full(error) else "folder"
        raise FolderError(code, f"{folder}: {error.strerror}") from None
    return folder


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _size_bytes(place: Path) -> int:
    size = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(OSError):
                size += Path(folder, name).lstat().st_size
    return size
