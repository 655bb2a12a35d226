"""Brings a bundle of artifacts that was built elsewhere into this host's cache: all of it, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tunetui_agent.build.cache import META, ArtifactCache
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.build.prebuilt import Origin, record_origins
from tunetui_agent.bundle import MAX_BUNDLE_BYTES, Manifest, damaged, extract
from tunetui_agent.folder import FolderError, HostFolder, is_disk_full, take_lock

if TYPE_CHECKING:
    from collections.abc import Sequence

_DRAFT = ".bundle-"
_CHUNK_BYTES = 1 << 20
_LEFT_BEHIND_SECONDS = 3600.0


def unpack(host: HostFolder, stream: IO[bytes], kernel: str = "") -> dict[str, Any]:
    """Reads a bundle to its end, checks all of it, then moves its artifacts into the cache one by one.

    With ``kernel``, a bundle of another kernel is refused.

    Raises:
        FolderError: "bundle" (what is wrong with it), "disk-full", "folder", "busy".
    """
    host.prepare()
    lock = take_lock(host.root / "locks" / "unpack.lock")
    if lock is None:
        raise FolderError("busy", "another bundle is being unpacked on this host: try again")
    try:
        _remove_leftovers(host.builds)
        with tempfile.TemporaryDirectory(prefix=_DRAFT, dir=host.builds) as name:
            draft = Path(name)
            _spool(stream, draft / "bundle.zip")
            manifest, files = extract(draft / "bundle.zip", draft / "builds")
            if kernel and manifest.kernel != kernel:
                raise FolderError("bundle", f"the bundle is of the kernel {manifest.kernel}, not of {kernel}")
            for key, names in files.items():
                _check(draft, key, names, manifest)
            added = _move(host.root, draft, list(files))
        return _recorded(host.root, manifest, sum(not _is_twin(key) for key in files), added)
    except OSError as error:
        code = "disk-full" if is_disk_full(error) else "folder"
        raise FolderError(code, f"the bundle cannot be unpacked: {error.strerror or error}") from None
    finally:
        os.close(lock)


def _spool(stream: IO[bytes], path: Path) -> None:
    size = 0
    with path.open("xb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BUNDLE_BYTES:
                raise FolderError("bundle", f"the bundle is over {MAX_BUNDLE_BYTES >> 20} MiB")
            file.write(chunk)


def _check(draft: Path, key: str, names: Sequence[str], manifest: Manifest) -> None:
    """An artifact's digest is that of its files, and it speaks of no others."""
    folder = draft / "builds" / key
    try:
        meta = json.loads((folder / META).read_bytes())
        own = [meta["file"], *meta.get("more", [])]
        mentioned = {*own, *meta.get("files", {}).values()}
        language = meta["language"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise damaged(f"the artifact {key} does not say what it is") from None
    if {META, *own} != set(names) or not mentioned <= set(own):
        raise damaged(f"the artifact {key} speaks of other files than it has")
    if language not in manifest.languages:
        raise damaged(f"the artifact {key} is of a language that the manifest does not name")
    if ArtifactCache(draft).find(key) is None:
        raise damaged(f"the digest of artifact {key} is not that of its files")


def _move(root: Path, draft: Path, keys: Sequence[str]) -> int:
    """Traced twins first, so that the timed one stands for both; how many (twins not counted) were not there yet."""
    cache, added = ArtifactCache(root), 0
    for key in sorted(keys, key=_is_twin, reverse=True):
        if cache.find(key) is not None:  # what is damaged was removed by this
            continue
        try:
            (draft / "builds" / key).rename(cache.folder(key))
        except OSError:
            if cache.find(key) is None:  # unless a builder was first
                raise
        added += not _is_twin(key)
    cache.trim(keep=set(keys))
    return added


def _is_twin(key: str) -> bool:
    return key == traced_key(key.partition("-")[0])


def _recorded(root: Path, manifest: Manifest, artifacts: int, added: int) -> dict[str, Any]:
    record_origins(root, {
        language: Origin(compiler, sorted(manifest.architectures), manifest.failures)
        for language, compiler in manifest.languages.items()
    })  # fmt: skip
    return {
        "ok": True,
        "kernel": manifest.kernel,
        "languages": manifest.languages,
        "architectures": manifest.architectures,
        "artifacts": artifacts,
        "added": added,
        "failures": len(manifest.failures),
    }


def _remove_leftovers(builds: Path) -> None:
    """Of an `unpack` that was killed."""
    for folder in builds.glob(f"{_DRAFT}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFT_BEHIND_SECONDS:
                shutil.rmtree(folder)
