"""Tells at once when a file grew or its writer is gone, and soon where the system cannot tell."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_IN_MODIFY, _IN_CLOSE_WRITE = 0x002, 0x008
POLL_SECONDS = 0.02
"""How often a reader looks for itself where inotify is missing, or all of a user's instances are in use."""


class Watch:
    """Waits for news of ``grows`` (it was written to), of ``closes`` (a writer let go of it), or of other descriptors."""

    def __init__(self, grows: Path, closes: Path) -> None:
        self._fd = _inotify({grows: _IN_MODIFY, closes: _IN_CLOSE_WRITE})

    def wait(self, others: Sequence[int], timeout_seconds: float) -> list[int]:
        """Which of ``others`` can be read; empty when time is up or one of the files has news."""
        if self._fd is None:
            return select.select(others, [], [], min(timeout_seconds, POLL_SECONDS))[0]
        ready = select.select([self._fd, *others], [], [], timeout_seconds)[0]
        if self._fd in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._fd, 65536)
        return [each for each in ready if each != self._fd]


def _inotify(masks: dict[Path, int]) -> int | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
    if fd < 0:
        return None
    for path, mask in masks.items():
        if libc.inotify_add_watch(fd, os.fsencode(path), mask) < 0:
            os.close(fd)
            return None
    return fd
