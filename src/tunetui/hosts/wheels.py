"""Fetches locked wheels onto this machine for hosts that have no way out; each is kept, and checked by its hash."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.hosts.environments import Wheel

_CHUNK_BYTES = 1 << 18
_SECONDS = 30.0


def find_wheel(folder: Path, name: str, wheel: Wheel) -> Path:
    """A wheel in a folder that the user filled.

    Raises:
        InputError: it is not there, or is another file.
    """
    path = folder / name
    found = digest(path)
    if not found:
        raise InputError(
            clean(f"{folder} lacks {name}"),
            hint=f"pip download --no-deps {wheel.name}=={wheel.version}, for that host's Python and machine;\n"
            f"or fetch {wheel.url}\nor leave the folder out: --offline-wheels alone fetches what is needed",
        )
    if found != wheel.sha256:
        raise InputError(clean(f"{path} is not the locked wheel: its SHA-256 is {found}, expected {wheel.sha256}"))
    return path


def fetch_wheel(cache: Path, name: str, wheel: Wheel, on_bytes: Callable[[int], None]) -> Path:
    """A wheel in our own cache, fetched where it is missing, from where an earlier attempt broke off.

    ``on_bytes`` gets how many bytes are there.  Blocks: call it in a thread.

    Raises:
        TunetuiError: it cannot be fetched or kept, or is not what was locked.
    """
    path, part = cache / name, cache / f".{wheel.sha256[:16]}.part"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if digest(path) == wheel.sha256:
            on_bytes(wheel.size)
            return path
        with part.with_suffix(".lock").open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # another tunetui may fetch the same: its bytes will do
            if digest(path) != wheel.sha256:
                _fetch(wheel, part, on_bytes)
                _keep(part, path, wheel)
        on_bytes(wheel.size)
    except urllib.error.HTTPError as error:
        raise TunetuiError(f"{wheel.url} cannot be fetched: {error.code} {clean(error.reason)}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = clean(str(getattr(error, "reason", "") or error))
        raise TunetuiError(
            f"{wheel.url} cannot be fetched: {reason}",
            hint="this machine has no way out either? give the wheels in a folder: --offline-wheels DIR",
        ) from None
    except OSError as error:
        raise TunetuiError(f"cannot keep {name} in {cache}: {error.strerror or error}") from None
    return path


def _keep(part: Path, path: Path, wheel: Wheel) -> None:
    if part.stat().st_size < wheel.size:
        raise TunetuiError(f"{wheel.url}: the connection ended early", hint="try again: what came is kept")
    if digest(part) != wheel.sha256:
        part.unlink()
        raise TunetuiError(f"{wheel.url} is not the locked file: its SHA-256 differs", hint="try again")
    part.replace(path)


def digest(path: Path) -> str:
    """Hex SHA-256 of a file, "" where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _fetch(wheel: Wheel, part: Path, on_bytes: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= wheel.size:
        part.unlink()
        have = 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(wheel.url, headers=headers)  # noqa: S310 - an https address of the lock
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        if have and answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            have = 0
        with part.open("ab" if have else "wb") as file:
            while data := answer.read(_CHUNK_BYTES):
                have += len(data)
                if have > wheel.size:
                    break
                file.write(data)
                on_bytes(have)
