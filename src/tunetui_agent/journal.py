"""The agent's append-only journal: one write per record, disk syncs in groups, room kept for the last words."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import time
from typing import TYPE_CHECKING, Any

from tunetui_agent import clock
from tunetui_agent.folder import is_disk_full
from tunetui_agent.messages import AgentStarted, RunEnded, TrialFailed, TrialMeasured, encode_event
from tunetui_agent.syncing import Syncing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYNC_SECONDS = 0.05
"""A record is on disk at most this much later: what a power cut can cost."""
DEAR_SECONDS = 1.0
"""A trial that took longer is synced at once."""
BALLAST_BYTES = 16384


class JournalError(Exception):
    """A record could not be written; the text says why."""


class Journal:
    """Writes records with dense sequence numbers from 0; only one process may hold one.

    ``write()`` alone survives the death of this process; the sync matters when the machine dies.
    """

    def __init__(self, path: Path, ballast: Path) -> None:
        """Raises OSError where the files cannot be made."""
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._ballast = ballast
        with ballast.open("wb") as file:
            _reserve(file.fileno(), BALLAST_BYTES)
        self._next_seq = 0
        self._whole_bytes = os.fstat(self._fd).st_size
        self._dirty_since: float | None = None
        self._syncing = Syncing()

    def append(self, event: Any) -> None:
        """Write one record.

        Raises:
            JournalError: it could not be written whole; `last_words` is then all that may still be said.
            ValueError: a figure of the event is not finite.
        """
        try:
            self._syncing.check()
        except OSError as error:
            raise _unwritable(error) from None
        self._write(event)

    def _write(self, event: Any) -> None:
        line = encode_event(self._next_seq, clock.now(), event)
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            raise _unwritable(error) from None
        if written != len(line):
            raise _unwritable(OSError(errno.ENOSPC, "written in part"))
        self._next_seq += 1
        self._whole_bytes += written
        now = time.monotonic()
        if self._dirty_since is None:
            self._dirty_since = now
        if _is_dear(event):
            self._dirty_since = now - SYNC_SECONDS

    def sync_due(self) -> float | None:
        """The monotonic time by which `begin_sync` should be called, or None when all is on disk or on its way there."""
        if self._syncing.has_failed:
            return time.monotonic()
        return None if self._dirty_since is None else self._dirty_since + SYNC_SECONDS

    def begin_sync(self, beside: Callable[[], None] = lambda: None) -> None:
        """Have every record brought to disk while others are written, and before them what ``beside`` brings there.

        Raises:
            JournalError: the last time it did not work.
        """

        def work() -> None:
            beside()
            _sync_data(self._fd)

        try:
            self._syncing.check()
        except OSError as error:
            raise _unwritable(error) from None
        if self._syncing.is_busy:
            self._dirty_since = time.monotonic()
        else:
            self._dirty_since = None
            self._syncing.begin(work)

    def sync(self) -> None:
        """Bring every record to disk.  Raises JournalError."""
        self._syncing.wait()
        try:
            self._syncing.check()
            if self._dirty_since is not None:
                _sync_data(self._fd)
        except OSError as error:
            raise _unwritable(error) from None
        self._dirty_since = None

    def last_words(self, event: RunEnded) -> bool:
        """Write and sync the last record even on a full disk; whether that worked."""
        with contextlib.suppress(OSError):
            self._ballast.unlink()
        try:
            _lift_soft_limit()
            # A torn line is closed, never cut away: a reader may be past its start already.
            if os.fstat(self._fd).st_size != self._whole_bytes:
                os.write(self._fd, b"\n")
            self._write(event)
            self._syncing.wait()
            self._syncing = Syncing()  # what went wrong before is why this one is the last
            self.sync()
        except (OSError, JournalError):
            return False
        return True


def _unwritable(error: OSError) -> JournalError:
    what = "disk full" if is_disk_full(error) else (error.strerror or str(error))
    return JournalError(f"{what}: the journal of this run cannot be written any further")


def _is_dear(event: Any) -> bool:
    if isinstance(event, (TrialMeasured, TrialFailed)):
        return event.seconds > DEAR_SECONDS
    return isinstance(event, (AgentStarted, RunEnded))


def _reserve(fd: int, size: int) -> None:
    """Give the file its room on the disk, now."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:  # macOS
        os.write(fd, b"\n" * size)
        os.fsync(fd)


def _sync_data(fd: int) -> None:
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:  # macOS
        os.fsync(fd)


def _lift_soft_limit() -> None:
    """A soft limit on file sizes is a warning that may be overstepped for one record."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
