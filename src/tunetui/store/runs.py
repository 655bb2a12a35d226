"""Run folders: where a run's journal lives, and who holds it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from tunetui.core.errors import TunetuiError
from tunetui.store.atomic import explained

JOURNAL = "journal.jsonl"
_LOCK = "lock"
_TRIES, _PAUSE_SECONDS = 5, 0.02
"""`list_runs` holds each lock for a moment to see whether it is free; that is no other tunetui."""


class Holder(msgspec.Struct, frozen=True):
    """Which tunetui has a run in hand; ``since`` in Unix seconds."""

    pid: int
    host: str
    since: float


class RunHeldError(TunetuiError):
    """Another tunetui on this machine has the run in hand; ``holder`` says which, where that is known."""

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        who = "another process"
        if holder is not None:
            since = datetime.fromtimestamp(holder.since).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            who = f"process {holder.pid} on {holder.host}, since {since}"
        super().__init__(
            f"this run is in the hands of another tunetui: {who}",
            hint=f"wait for it, stop it, or name other outputs with -o (the run is kept in {folder})",
        )
        self.folder, self.holder = folder, holder


class KeptRun(msgspec.Struct, frozen=True):
    """A run on disk; ``updated`` is when its journal last grew, in Unix seconds."""

    name: str
    folder: Path
    journal: Path
    updated: float
    bytes: int
    holder: Holder | None


def runs_root(environment: Mapping[str, str] = os.environ) -> Path:
    """``$XDG_DATA_HOME/tunetui/runs``; a relative XDG_DATA_HOME is ignored, as its specification says."""
    home = Path(environment.get("XDG_DATA_HOME", ""))
    base = home if home.is_absolute() else Path(environment.get("HOME") or Path.home()) / ".local" / "share"
    return base / "tunetui" / "runs"


def run_id(name: str, stem: Path) -> str:
    """The folder name of the run that writes to ``stem``: ``<name>-<8 hex digits of the absolute stem>``."""
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:60] or "run"
    place = os.fsencode(Path(os.path.abspath(stem)))  # noqa: PTH100 - resolve() would follow a link that may change
    return f"{slug}-{hashlib.blake2b(place, digest_size=4).hexdigest()}"


class RunFolder:
    """One run's folder, held until closed; the system lets go of it when this process dies in any way."""

    def __init__(self, folder: Path, *, fresh: bool = False, untouched: bool = False) -> None:
        """Make the folder where it does not exist, and take hold of it.

        With ``fresh`` the journal that is there is renamed and kept; ``archived`` is its new path.  With ``untouched``
        nothing is made or held: the folder is only named.

        Raises:
            RunHeldError: another tunetui has it.
            StoreError: it cannot be made or written.
        """
        self.folder = folder
        self.journal = folder / JOURNAL
        self.archived: Path | None = None
        self._lock = -1
        if untouched:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explained(error, folder / _LOCK) from None
        try:
            self._take()
            if fresh and self.journal.exists():
                self.archived = _free_name(folder)
                self.journal.rename(self.archived)
        except OSError as error:
            self.close()
            raise explained(error, self.journal) from None
        except RunHeldError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; harmless when done twice."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take(self) -> None:
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE_SECONDS)
        else:
            raise RunHeldError(self.folder, _holder(self.folder))
        said = msgspec.json.encode(Holder(os.getpid(), socket.gethostname(), round(time.time(), 3)))
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, said + b"\n", 0)


def holder_of(folder: Path) -> Holder | None:
    """Which tunetui of this machine has a run in hand; None where none has, or where it does not say."""
    return _holder(folder) if _is_held(folder) else None


def list_runs(root: Path) -> list[KeptRun]:
    """Every run kept under ``root``, the latest first; an empty list where there is no such folder."""
    found = []
    for journal in root.glob(f"*/{JOURNAL}"):
        try:
            status = journal.stat()
        except OSError:  # removed meanwhile
            continue
        folder = journal.parent
        found.append(KeptRun(folder.name, folder, journal, status.st_mtime, status.st_size, holder_of(folder)))
    return sorted(found, key=lambda run: (-run.updated, run.name))


def _holder(folder: Path) -> Holder | None:
    try:
        return msgspec.json.decode((folder / _LOCK).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _is_held(folder: Path) -> bool:
    try:
        probe = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(probe)
    return False


def _free_name(folder: Path) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    for number in range(1, 1000):
        path = folder / f"journal-{stamp}{'' if number == 1 else f'-{number}'}.jsonl"
        if not path.exists():
            return path
    return folder / f"journal-{stamp}-{time.time_ns()}.jsonl"
