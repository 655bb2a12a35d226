"""Takes one wheel that comes on stdin: begun where an earlier attempt broke off, and kept only if its hash is right."""

from __future__ import annotations

import hashlib
import os
from typing import IO, TYPE_CHECKING, Any

from tunetui_agent.environment.folders import remove, wheels_of
from tunetui_agent.environment.request import checked_wheel
from tunetui_agent.folder import FolderError, HostFolder, checked_name, is_disk_full, take_lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CHUNK_BYTES = 1 << 18


def receive(
    host: HostFolder, name: str, size: int, sha256: str, stream: IO[bytes], say: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Says how many bytes are here already, reads the others, checks; what comes too short is kept for the next time.

    Raises:
        FolderError: "busy" while another sends the same, "hash", "short", "disk-full", "folder".
    """
    host.prepare()
    target = wheels_of(host) / checked_wheel(name)
    part = target.with_name(f".{target.name}.{sha256[:16]}.part")
    lock = None
    try:
        lock = take_lock(host.root / "locks" / checked_name(f"wheel-{sha256[:16]}.lock"))
        if lock is None:
            raise FolderError("busy", f"{name} is being sent by somebody else")
        if _digest(target) == sha256:
            say({"say": "have", "offset": size})
            return {"ok": True, "name": name}
        part.touch(mode=0o600)
        if part.stat().st_size > size:
            os.truncate(part, 0)
        offset = part.stat().st_size
        say({"say": "have", "offset": offset})
        _read(stream, part, size - offset)
        if part.stat().st_size < size:
            raise FolderError("short", f"{name} came to {part.stat().st_size} of {size} bytes")
        if _digest(part) != sha256:
            remove(part)
            raise FolderError("hash", f"{name} did not arrive as it is: its SHA-256 is another")
        part.replace(target)
    except OSError as error:
        code = "disk-full" if is_disk_full(error) else "folder"
        raise FolderError(code, f"{target}: {error.strerror or error}") from None
    finally:
        if lock is not None:
            os.close(lock)
    return {"ok": True, "name": name}


def _read(stream: IO[bytes], part: Path, missing: int) -> None:
    with part.open("ab") as file:
        while missing > 0 and (chunk := stream.read1(min(_CHUNK_BYTES, missing))):  # type: ignore[attr-defined]
            file.write(chunk)
            missing -= len(chunk)


def _digest(path: Path) -> str:
    """Hex SHA-256 of a file, "" where there is none."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES * 4):
                digest.update(chunk)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()
