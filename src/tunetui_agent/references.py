"""Keeps the float64 references of a run in files, so that its next worker process need not compute them again."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

MOST_BYTES = 64 << 20
"""Of one reference: what is larger is computed again by each process."""


class References:
    """Arrays, or dicts and tuples of arrays, below one private folder; a kernel's reference may return other things too,
    and those are not kept.  Whatever cannot be written or read is simply computed.
    """

    def __init__(self, folder: Path | None, files: dict[str, str]) -> None:
        """``files`` are the kernel's: with another text a reference is another one."""
        self._folder = folder
        self._sources = json.dumps(files, sort_keys=True)

    def key(self, *told: Any) -> str:
        """The name of the reference to what is told: the problem, and the inputs' checksums."""
        return blake2b(json.dumps([self._sources, *told], sort_keys=True).encode(), digest_size=16).hexdigest()

    def read(self, key: str) -> Any | None:
        """What was kept under this name, or None."""
        if self._folder is None:
            return None
        try:
            with self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                return _joined({name: kept[name] for name in kept.files})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, key: str, value: Any) -> None:
        """Keep it where that is possible: whole or not at all."""
        parts = _parted(value)
        if self._folder is None or parts is None or sum(part.nbytes for part in parts.values()) > MOST_BYTES:
            return
        draft = self._path(f".{key}.{os.getpid()}")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            with draft.open("wb") as file:
                np.savez(file, **parts)  # of plain numbers alone: nothing is pickled
            draft.replace(self._path(key))
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink()

    def _path(self, name: str) -> Path:
        return Path(self._folder or "") / f"{name}.npz"


def _parted(value: Any) -> dict[str, Any] | None:
    """Arrays by a name that says where they belong; None for what is nothing of the kind."""
    if isinstance(value, np.ndarray):
        parts = {"whole": value}
    elif isinstance(value, dict) and value and all(isinstance(name, str) for name in value):
        parts = {f"of_{name}": part for name, part in value.items()}
    elif isinstance(value, tuple) and value:
        parts = {f"at_{place}": part for place, part in enumerate(value)}
    else:
        return None
    plain = all(type(part) is np.ndarray and part.dtype.kind in "biufc" for part in parts.values())
    return parts if plain and not any("/" in name for name in parts) else None


def _joined(parts: dict[str, Any]) -> Any:
    if "whole" in parts:
        return parts["whole"]
    if "at_0" in parts:
        return tuple(parts[f"at_{place}"] for place in range(len(parts)))
    return {name.removeprefix("of_"): part for name, part in parts.items()}
