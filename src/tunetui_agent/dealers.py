"""Who deals a run's trials: of all that follow it one at a time; another may claim it only when that one is gone.

A follower is there while its `attach` lives and has heard of it lately: one whose link fell silent is as good as gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunetui_agent.folder import RunFolder

SILENCE_SECONDS = 10.0
"""An app that deals says something every two seconds."""
_LONGEST_NAME_BYTES = 256


class NotTheDealerError(Exception):
    """Commands of somebody whom another has followed as the run's dealer; it says whom."""


def claim(run: RunFolder, client: str) -> str:
    """Have ``client`` deal the run unless another one does who is there; who deals it now.  Raises OSError."""
    with _held(run) as file:
        dealer = _named(file)
        if dealer != client and not (dealer and is_there(run, dealer)):
            os.pwrite(file, client.encode(), 0)
            os.ftruncate(file, len(client.encode()))
            dealer = client
    return dealer


def present_dealer(run: RunFolder) -> str:
    """Who deals the run and is there; "" where nobody does."""
    dealer = dealer_of(run)
    return dealer if dealer and is_there(run, dealer) else ""


def dealer_of(run: RunFolder) -> str:
    """Who dealt the run last, there or not; "" in a run that is older than dealers."""
    with contextlib.suppress(OSError):
        return run.dealer.read_bytes()[:_LONGEST_NAME_BYTES].decode(errors="replace")
    return ""


@contextlib.contextmanager
def as_dealer(run: RunFolder, client: str) -> Iterator[None]:
    """While commands of ``client`` are handed over nobody else can claim the run.  Raises NotTheDealerError, OSError."""
    if not run.dealer.exists():
        yield
        return
    with _held(run) as file:
        dealer = _named(file)
        if dealer not in ("", client):
            raise NotTheDealerError(dealer)
        yield


def note_of(run: RunFolder, client: str) -> Path:
    """The file that holds the process id of a follower's `attach`, and was touched when that last heard of it."""
    return run.path / f"attach-{client}.pid"


def is_attach(process: int, client: str) -> bool:
    """Whether a process is the `attach` of this follower."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"attach" in words and os.fsencode(client) in words


def is_there(run: RunFolder, client: str) -> bool:
    """Whether somebody follows the run under this name and was heard of lately, or has just claimed it to do so."""
    note = note_of(run, client)
    try:
        if not note.exists():
            return time.time() - run.dealer.stat().st_mtime < SILENCE_SECONDS
        silent = time.time() - note.stat().st_mtime
        return silent < SILENCE_SECONDS and is_attach(int(note.read_bytes()), client)
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _held(run: RunFolder) -> Iterator[int]:
    file = os.open(run.dealer, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _named(file: int) -> str:
    return os.pread(file, _LONGEST_NAME_BYTES, 0).decode(errors="replace")
