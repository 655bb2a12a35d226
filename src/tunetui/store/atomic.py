"""Files that are either the old one or the whole new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tunetui.core.errors import TunetuiError


class StoreError(TunetuiError):
    """A file that cannot be written or read."""


def write_atomically(files: Mapping[Path, bytes]) -> None:
    """Replace every file by its new content, through temporary files beside them that reached the disk first.

    Raises:
        StoreError: no such folder, read-only, no space, ...; the old files are as they were.
    """
    with contextlib.ExitStack() as left_over:
        ready = {}
        for path, data in files.items():
            try:
                ready[path] = _temporary(path, data, left_over)
            except OSError as error:
                raise explained(error, path) from None
        for path, temporary in ready.items():
            try:
                temporary.replace(path)
                _sync_folder(path.parent)
            except OSError as error:
                raise explained(error, path) from None


def _temporary(path: Path, data: bytes, left_over: contextlib.ExitStack) -> Path:
    """A file beside ``path`` with ``data``, on the disk; removed by ``left_over`` unless renamed before."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    left_over.callback(temporary.unlink, missing_ok=True)
    with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(0o666 & ~_umask())
    return temporary


def explained(error: OSError, path: Path, doing: str = "write") -> StoreError:
    """What the system said, in words, with what to do about it."""
    folder = path.parent
    if error.errno == errno.ENOENT and not folder.is_dir():
        return StoreError(f"cannot {doing} {path}: there is no folder {folder}", hint=f"mkdir -p {folder}")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return StoreError(f"cannot {doing} {path}: {error.strerror}", hint=f"is {folder} yours, and not read-only?")
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return StoreError(
            f"cannot {doing} {path}: {error.strerror}", hint="make room; what was there before is unharmed"
        )
    if error.errno == errno.EISDIR or path.is_dir():
        return StoreError(f"cannot {doing} {path}: it is a folder", hint="name a file")
    return StoreError(f"cannot {doing} {path}: {error.strerror or error}")


def _sync_folder(folder: Path) -> None:
    """Put the renaming itself on the disk; where a file system cannot, the file is whole all the same."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def check_writable(path: Path) -> None:
    """Find out before any work is done whether `write_atomically` to ``path`` could succeed.

    Raises:
        StoreError: no such folder, read-only, ...
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise explained(error, path) from None
    os.close(handle)
    Path(name).unlink(missing_ok=True)
