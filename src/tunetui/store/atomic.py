"""Files that are either the old one or the whole new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
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
            with _explaining(path):
                ready[path] = _temporary(path, data, left_over)
        with ThreadPoolExecutor(max(1, len(ready))) as together:  # a disk takes several as quickly as one
            synced = {path: together.submit(os.fsync, file.fileno()) for path, (_, file) in ready.items()}
        for path in ready:
            with _explaining(path):
                synced[path].result()
        for path, (temporary, _) in ready.items():
            with _explaining(path):
                temporary.replace(path)
        for path in {path.parent: path for path in ready}.values():
            with _explaining(path):
                _sync_folder(path.parent)


@contextlib.contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explained(error, path) from None


def _temporary(path: Path, data: bytes, left_over: contextlib.ExitStack) -> tuple[Path, FileIO]:
    """A file beside ``path`` with ``data``, open until ``left_over`` closes it, and removes it unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    left_over.callback(temporary.unlink, missing_ok=True)
    # Unbuffered: to close it must not mean to write what the disk has refused already.
    file = left_over.enter_context(open(handle, "wb", buffering=0))  # noqa: PTH123, SIM115 - a descriptor; closed there
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
    temporary.chmod(0o666 & ~_umask())
    return temporary, file


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
