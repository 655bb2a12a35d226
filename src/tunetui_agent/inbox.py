"""Commands on their way to a running agent: appended to a file by many, read by one, announced by a doorbell."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from tunetui_agent.folder import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunetui_agent.folder import RunFolder

_RING = b"\n"
_ATOMIC_BYTES = 4096  # PIPE_BUF: what a pipe takes whole


def deliver(run: RunFolder, lines: bytes) -> None:
    """Hand whole command lines (each with its newline) to the agent.

    They go through the inbox file; where the disk is full, short ones go through the doorbell itself, so that a
    run can always be stopped.

    Raises:
        OSError: no agent listens, or the disk is full and the lines are too long for the doorbell.
    """
    doorbell = os.open(run.doorbell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _append(run, lines)
    except OSError as error:
        if not is_disk_full(error):
            raise
        for line in lines.splitlines(keepends=True):
            if len(line) > _ATOMIC_BYTES:
                raise
            os.write(doorbell, line)
    else:
        with contextlib.suppress(BlockingIOError):  # full: the agent has rings enough to wake up by
            os.write(doorbell, _RING)
    finally:
        os.close(doorbell)


def _append(run: RunFolder, lines: bytes) -> None:
    inbox = os.open(run.inbox, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        fcntl.flock(inbox, fcntl.LOCK_EX)
        size = os.fstat(inbox).st_size
        if size and os.pread(inbox, 1, size - 1) != b"\n":
            os.write(inbox, b"\n")  # somebody died, or ran out of disk, in the middle of a line
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(inbox, rest) :]
    finally:
        os.close(inbox)


class Inbox:
    """The agent's end: makes the files, says when to look, yields each whole line once."""

    def __init__(self, run: RunFolder) -> None:
        """Raises OSError where the files cannot be made."""
        os.mkfifo(run.doorbell, 0o600)
        # Read and write: the pipe never ends, however many writers come and go.
        self.doorbell = os.open(run.doorbell, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._file = os.open(run.inbox, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._taken_bytes = 0
        self._pending = b""

    def lines(self) -> Iterator[bytes]:
        """Every command line that came in since the last call."""
        rung = b""
        with contextlib.suppress(BlockingIOError):
            while chunk := os.read(self.doorbell, 65536):
                rung += chunk
        yield from filter(None, rung.split(b"\n"))
        while chunk := os.pread(self._file, 1 << 22, self._taken_bytes):
            self._taken_bytes += len(chunk)
            *lines, self._pending = (self._pending + chunk).split(b"\n")
            yield from filter(None, lines)
