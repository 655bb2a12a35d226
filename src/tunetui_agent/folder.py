"""The agent's private folder on a host: checked names, private modes, locks that live as long as their holder."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import time
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_LAST_RECORD = re.compile(rb'\{"seq":\d+,"t":[^,]+,"kind":"RunEnded"')
_PROBES_BEFORE_BUSY = 5  # asking whether a lock is free holds it for microseconds


class FolderError(Exception):
    """The host folder cannot be used; ``code`` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def checked_name(name: str) -> str:
    """``name`` itself if it may become a file name.  Raises FolderError."""
    if not _NAME.fullmatch(name):
        raise FolderError("bad-name", f"{name[:80]!r} is no name: letters, digits, '_', '-' and '.', no dot in front")
    return name


def boot_id() -> str:
    """What tells one boot of this machine from the next, or "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def default_root() -> Path:
    """``$XDG_CACHE_HOME/tunetui``, or ``~/.cache/tunetui``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "tunetui"


class HostFolder:
    """``runs/<run>/``, ``locks/`` and ``builds/`` below one folder that belongs to this user alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.builds = root / "builds"

    def prepare(self) -> None:
        """Make what is missing.

        Raises:
            FolderError: "folder" when it is not private or cannot be written, "disk-full" when there is no room.
        """
        try:
            for folder in (self.root, self.root / "runs", self.root / "locks", self.builds):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _from_os(error, self.root) from None
        self.check()

    def check(self) -> None:
        """Raise FolderError unless the folder is ours and nobody else may write into it."""
        try:
            found = self.root.stat()
        except OSError as error:
            raise _from_os(error, self.root) from None
        if not stat.S_ISDIR(found.st_mode):
            raise FolderError("folder", f"{self.root} is not a folder")
        if found.st_uid != os.getuid():
            raise FolderError("folder", f"{self.root} belongs to user {found.st_uid}, not to us ({os.getuid()})")
        if found.st_mode & 0o022:
            mode = stat.S_IMODE(found.st_mode)
            raise FolderError("folder", f"{self.root} can be written by others (mode {mode:04o}): chmod 700 it")

    def run(self, name: str) -> RunFolder:
        return RunFolder(self.root / "runs" / checked_name(name))

    def runs(self) -> list[RunFolder]:
        """Every run folder, by name."""
        try:
            names = sorted(entry.name for entry in (self.root / "runs").iterdir() if entry.is_dir())
        except OSError:
            return []
        return [RunFolder(self.root / "runs" / name) for name in names if _NAME.fullmatch(name)]

    def device_lock(self, device: str) -> Path:
        return self.root / "locks" / f"{checked_name(device)}.lock"

    def device_holder(self, device: str) -> Path:
        """What says, for people, which run holds the device."""
        return self.root / "locks" / f"{checked_name(device)}.json"


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.spec = path / "spec.json"
        self.meta = path / "meta.json"
        self.lock = path / "lock"
        self.journal = path / "journal.jsonl"
        self.inbox = path / "inbox.jsonl"
        self.doorbell = path / "doorbell"
        self.watched = path / "watched"  # whoever follows the run holds a shared lock on it
        self.dealer = path / "dealer"  # names the follower whose commands are taken
        self.stderr = path / "stderr.log"
        self.ballast = path / "ballast"
        self.references = path / "references"  # what workers keep for the next one; gone when the run ends

    def read_meta(self) -> dict[str, Any] | None:
        return read_object(self.meta)

    def state(self) -> str:
        """One of "running", "done" (ended in order), "rebooted" and "dead"."""
        if is_held(self.lock):
            return "done" if ended(self.journal) else "running"  # it may still wait for its worker to leave a GPU
        if ended(self.journal):
            return "done"
        meta = self.read_meta() or {}
        return "rebooted" if meta.get("boot_id", "") != boot_id() else "dead"


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def write_object(path: Path, value: dict[str, Any], *, sync: bool = True) -> None:
    """Replace a file by a JSON object: whole or not at all, and with ``sync`` on disk before this returns."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(json.dumps(value, separators=(",", ":")).encode())
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def bring_to_disk(path: Path) -> None:
    """Whatever was written to a file outlives a power cut from here on."""
    held = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def take_lock(path: Path) -> int | None:
    """An exclusive lock held until the returned descriptor is closed, by us or by our death; None if it is held."""
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for attempt in range(_PROBES_BEFORE_BUSY):
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        except OSError:
            if attempt + 1 < _PROBES_BEFORE_BUSY:
                time.sleep(0.02)
    os.close(held)
    return None


def is_held(path: Path) -> bool:
    """Whether somebody alive holds an exclusive lock; needs no right to write."""
    try:
        probe = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(probe)
    return False


def is_watched(path: Path) -> bool:
    """Whether somebody holds a shared lock."""
    try:
        probe = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(probe)
    return False


def ended(journal: Path) -> bool:
    """Whether a journal's last whole record is `RunEnded`."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 65536))
            lines = file.read().split(b"\n")
    except OSError:
        return False
    return len(lines) > 1 and is_last_record(lines[-2])


def is_last_record(line: bytes) -> bool:
    """Whether a journal line is `RunEnded`."""
    return _LAST_RECORD.match(line) is not None


def _from_os(error: OSError, path: Path) -> FolderError:
    code = "disk-full" if is_disk_full(error) else "folder"
    return FolderError(code, f"{path}: {error.strerror or error}")


def is_disk_full(error: OSError) -> bool:
    """Whether a write failed for want of room: the disk, the quota or a limit on file sizes."""
    return (error.errno or 0) in _NO_ROOM


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
