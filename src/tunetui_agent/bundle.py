"""The bundle file: artifacts of one kernel as a zip that one machine builds and another one runs.

Members are ``<key>/<file>`` as in the artifact cache, and ``manifest.json`` last: a bundle without it is no bundle.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui_agent.build.cache import META
from tunetui_agent.folder import FolderError, is_disk_full

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui_agent.build.cache import ArtifactCache

FORMAT = 1
MANIFEST = "manifest.json"
MAX_BUNDLE_BYTES = 1 << 30
MAX_UNPACKED_BYTES = 2 << 30
MAX_MEMBER_BYTES = 256 << 20
MAX_MANIFEST_BYTES = 32 << 20
MAX_MEMBERS = 500_000
LANGUAGES = ("cuda", "mojo")

_MEMBER = re.compile(r"([0-9a-f]{24}(?:-traced)?)/([A-Za-z0-9_-][A-Za-z0-9_.-]{0,199})", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{24}", re.ASCII)
_ARCHITECTURE = re.compile(r"sm_[0-9]{2,4}[af]?", re.ASCII)
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds."""

    kernel: str
    tunetui: str  # version that built it
    languages: dict[str, str]  # to the compiler's version, as it said of itself
    architectures: list[str]
    counts: dict[str, int]  # implementation to artifacts, traced twins not counted
    failures: dict[str, str] = field(default_factory=dict)  # key of what could not be built -> cause, one line
    format: int = FORMAT


class BundleWriter:
    """Writes beside the file's final name; only `close` makes it appear."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f".{path.name}.{os.getpid()}.part")
        self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED)
        self._added: set[str] = set()

    def add(self, cache: ArtifactCache, key: str) -> bool:
        """One artifact as it lies in the cache; whether it is there, whole."""
        meta = cache.find(key)
        if meta is None:
            return False
        if key not in self._added:
            self._added.add(key)
            for name in (META, meta["file"], *meta.get("more", [])):
                self._zip.writestr(_member(f"{key}/{name}"), (cache.folder(key) / name).read_bytes())
        return True

    def close(self, manifest: Manifest) -> None:
        """Finish the file.  Raises OSError."""
        self._zip.writestr(_member(MANIFEST), json.dumps(asdict(manifest), indent=1).encode())
        self._zip.close()
        with self._part.open("rb") as file:
            os.fsync(file.fileno())
        self._part.replace(self._path)

    def discard(self) -> None:
        """Leave nothing behind, unless it was closed."""
        with contextlib.suppress(OSError):  # a full disk
            self._zip.close()
        self._part.unlink(missing_ok=True)


def extract(bundle: Path, to: Path) -> tuple[Manifest, dict[str, list[str]]]:
    """Writes every artifact of a bundle below ``to``, and returns the manifest and each key's files.

    Nothing of the bundle is believed: names, kinds, sizes and repetitions are looked at before anything is written.

    Raises:
        FolderError: "bundle" with what is wrong with it, "disk-full", "folder".
    """
    try:
        with zipfile.ZipFile(bundle) as opened:
            members = _checked_members(opened)
            manifest = read_manifest(opened.read(MANIFEST))
            files: dict[str, list[str]] = {}
            for key, name, info in members:
                files.setdefault(key, []).append(name)
                _write(opened, info, to / key / name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise damaged(str(error)) from None
    except OSError as error:
        code = "disk-full" if is_disk_full(error) else "folder"
        raise FolderError(code, f"the bundle cannot be unpacked: {error.strerror or error}") from None
    return manifest, files


def read_manifest(data: bytes) -> Manifest:
    """A manifest with every field of its kind.  Raises FolderError("bundle")."""
    try:
        found = json.loads(data)
    except ValueError:
        raise damaged("its manifest is no JSON") from None
    if not isinstance(found, dict):
        raise damaged("its manifest is no object")
    if found.get("format") != FORMAT:
        raise FolderError(
            "bundle", f"the bundle has format {str(found.get('format'))[:20]}, this tunetui reads {FORMAT}"
        )
    fields: list[Any] = [found.get(name) for name in ("languages", "architectures", "counts", "failures")]
    languages, architectures, counts, failures = fields
    whole = (
        all(_is_line(found.get(name)) for name in ("kernel", "tunetui"))
        and _is_table(languages, LANGUAGES.__contains__, _is_line)
        and isinstance(architectures, list)
        and all(isinstance(each, str) and _ARCHITECTURE.fullmatch(each) for each in architectures)
        and _is_table(counts, _is_line, lambda value: type(value) is int)
        and _is_table(failures, _KEY.fullmatch, _is_line)
    )
    if not whole:
        raise damaged("its manifest is not as tunetui writes it")
    return Manifest(found["kernel"], found["tunetui"], found["languages"], found["architectures"], counts, failures)


def damaged(why: str) -> FolderError:
    """The refusal of a bundle that cannot be used."""
    return FolderError("bundle", f"the bundle is damaged or no bundle of tunetui: {why[:300]}")


def one_line(text: str) -> str:
    """Printable text of one line that fits a manifest."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return "".join(character if character.isprintable() else "?" for character in line)[:400]


def _checked_members(opened: zipfile.ZipFile) -> list[tuple[str, str, zipfile.ZipInfo]]:
    infos = opened.infolist()
    if len(infos) > MAX_MEMBERS:
        raise damaged(f"{len(infos)} members, at most {MAX_MEMBERS} are allowed")
    names: set[str] = set()
    members: list[tuple[str, str, zipfile.ZipInfo]] = []
    for info in infos:
        name = info.orig_filename  # as it stands in the file, before zipfile makes something of it
        shown, matched = ascii(name[:100]), _MEMBER.fullmatch(name)
        if name != MANIFEST and matched is None:
            raise damaged(f"the member name {shown} is not allowed")
        if name in names:
            raise damaged(f"the member {shown} is there twice")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise damaged(f"the member {shown} is no plain file")
        if info.file_size > (MAX_MANIFEST_BYTES if matched is None else MAX_MEMBER_BYTES):
            raise damaged(f"the member {shown} is too large ({info.file_size:,} bytes)")
        names.add(name)
        if matched is not None:
            members.append((matched[1], matched[2], info))
    total = sum(info.file_size for info in infos)
    if total > MAX_UNPACKED_BYTES:
        raise damaged(f"it would unpack to {total:,} bytes, at most {MAX_UNPACKED_BYTES:,} are allowed")
    if MANIFEST not in names:
        raise damaged(f"it has no {MANIFEST}")
    return members


def _write(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    """One member, never more of it than it announced."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    left = info.file_size
    with opened.open(info) as source, path.open("xb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise damaged(f"the member {info.filename[:100]!a} is larger than it says")
            file.write(chunk)


def _member(name: str) -> zipfile.ZipInfo:
    """The same bytes for the same content, whenever it was built."""
    info = zipfile.ZipInfo(name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 400 and value.isprintable()


def _is_table(value: Any, is_key: Any, is_value: Any) -> bool:
    return isinstance(value, dict) and all(is_key(key) and is_value(each) for key, each in value.items())
