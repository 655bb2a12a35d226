"""Keeps built artifacts by content hash: written atomically, checked when found, limited in size."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

LIMIT_BYTES = 2 << 30
"""Default size of all artifacts together; the least recently used go first."""

META = "artifact.json"
_IN_USE_SECONDS = 3600


def content_key(*parts: Any) -> str:
    """24 hex digits over the JSON of everything that decides what an artifact is."""
    return blake2b(_text(parts), digest_size=12).hexdigest()


def content_keys(*shared: Any) -> Callable[..., str]:
    """`content_key` of these parts and of what is given behind them; what all share is written and hashed once."""
    begun = blake2b(_text(shared)[:-1] + b",", digest_size=12)

    def key(*parts: Any) -> str:
        whole = begun.copy()
        whole.update(_text(parts)[1:])
        return whole.hexdigest()

    return key


def _text(parts: Sequence[Any]) -> bytes:
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()


class ArtifactCache:
    """Folders ``<cache>/builds/<key>/`` with payload files and `META` (file, more, sha256, bytes, the builder's own fields)."""

    def __init__(self, cache: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._root = cache / "builds"
        self._limit_bytes = limit_bytes
        self._opened_ns = time.time_ns()

    def folder(self, key: str) -> Path:
        """Where the artifact of this key lies, or will."""
        return self._root / key

    def find(self, key: str) -> dict[str, Any] | None:
        """The artifact's `META`, marked as used now; None where it is missing or damaged (then it is removed)."""
        folder = self.folder(key)
        try:
            meta = json.loads((folder / META).read_text())
            files = [folder / name for name in (meta["file"], *meta.get("more", []))]
            intact = _digest(files) == meta["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            meta, intact = None, False
        if not intact:
            shutil.rmtree(folder, ignore_errors=True)
            return None
        os.utime(folder / META)
        return dict(meta)

    def store(self, key: str, payload: Path, fields: dict[str, Any], more: Sequence[Path] = ()) -> None:
        """Puts copies of (or hard links to) the files under the key; whoever looks sees all of it or nothing.

        Raises:
            OSError: no room, or no right to write.
        """
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._root))
        try:
            files = [payload, *more]
            for file in files:
                _link_or_copy(file, draft / file.name)
            size = sum(file.stat().st_size for file in files)
            meta = {**fields, "file": payload.name, "sha256": _digest(files), "bytes": size}
            if more:
                meta["more"] = [file.name for file in more]
            (draft / META).write_text(json.dumps(meta, indent=1))
            folder = self.folder(key)
            shutil.rmtree(folder, ignore_errors=True)
            draft.replace(folder)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if self.find(key) is None:  # another builder may have been first: then all is well
                raise

    def trim(self, keep: set[str]) -> list[str]:
        """Removes the least recently used artifacts over the limit; returns the removed keys.

        Never those in ``keep``, nor what was used since this cache was opened or in the last hour: a run builds ahead of
        its device, and races at its end what it built at its beginning.  One run may need more than the limit.
        """
        found = []
        in_use_ns = min(self._opened_ns, time.time_ns() - _IN_USE_SECONDS * 10**9)
        for folder in self._root.glob("[!.]*"):
            try:
                meta = json.loads((folder / META).read_text())
                found.append(((folder / META).stat().st_mtime_ns, folder.name, int(meta["bytes"])))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # being written or removed by another builder
        total = sum(size for _, _, size in found)
        removed = []
        for used_ns, key, size in sorted(found):
            if total <= self._limit_bytes or used_ns >= in_use_ns:
                break
            if key not in keep:
                shutil.rmtree(self.folder(key), ignore_errors=True)
                removed.append(key)
                total -= size
        return removed


def _digest(files: Sequence[Path]) -> str:
    """Of the contents of all files, in order."""
    digest = sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _link_or_copy(source: Path, to: Path) -> None:
    """A hard link where the file system allows it: the variants of one batch share one library."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copyfile(source, to)
