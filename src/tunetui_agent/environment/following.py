"""Has an environment built by a process of its own, or watches the one that builds it already, until it is there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.children import agent_command, agent_environment
from tunetui_agent.environment.building import build
from tunetui_agent.environment.folders import environment, environments_of, lock_of
from tunetui_agent.environment.request import BuildRequest, read_request
from tunetui_agent.folder import FolderError, HostFolder, is_held, take_lock

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 0.1
_BEAT_SECONDS = 1.0
_TELL_SECONDS = 5.0  # from taking a lock to having noted whose it is
_LOG_BYTES = 4000


def build_and_follow(host: HostFolder, raw: bytes, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The last line of a build's events; those before it go through ``say``, at least one a second.

    Whoever asks may leave and ask again: the build goes on.

    Raises:
        FolderError: "request", "folder", "disk-full", or "died" where the builder was killed.
    """
    host.prepare()
    request = read_request(raw)
    environments_of(host)
    log = environment(host, request.key).with_name(f".{request.key}.log")
    events = _started(host, raw, request, log)
    return _followed(events, lock_of(environment(host, request.key)), log, say)


def serve(host: HostFolder, raw: bytes) -> int:
    """The builder's own process: takes the lock, says on stdout which file to follow, builds."""
    request = read_request(raw)
    folder = environment(host, request.key)
    lock = take_lock(lock_of(folder))
    if lock is None:
        name = _other(lock_of(folder))
        return _tell(name)
    attempt = uuid.uuid4().hex[:8]
    for old in folder.parent.glob(f".{request.key}.*.events"):
        old.unlink(missing_ok=True)
    events = folder.with_name(f".{request.key}.{attempt}.events")
    events.touch(mode=0o600)
    os.ftruncate(lock, 0)
    os.pwrite(lock, events.name.encode(), 0)
    _tell(events.name)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever asked may go
    build(host, request, events, attempt)
    os.ftruncate(lock, 0)
    return 0


def _started(host: HostFolder, raw: bytes, request: BuildRequest, log: Path) -> Path:
    command = agent_command("environment-build", "--root", str(host.root), "--serve")
    with log.open("wb") as said:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=agent_environment(),
            start_new_session=True,
        )
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:  # type: ignore[union-attr]
        pipe.write(raw)
    name = child.stdout.readline().decode().strip() if child.stdout else ""
    if not name:
        raise FolderError("died", f"the builder ended before it began{_end_of(log)}")
    return environments_of(host) / Path(name).name


def _followed(events: Path, lock: Path, log: Path, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    position, last, spoke = (
        0,
        {"say": "progress", "step": "environment", "text": "an environment", "done": 0, "total": 0},
        0.0,
    )
    while True:
        alive = is_held(lock)  # asked first: what it wrote before its end is read below
        for line in _lines(events, position):
            position += len(line)
            said = json.loads(line)
            if said.pop("say", "") == "done":
                return dict(said)
            last = {"say": "progress", **said}
            say(last)  # each one: two steps may have gone by since the last look
            spoke = time.monotonic()
        if alive and not events.exists():  # it was of an attempt before the present one
            events, position = lock.parent / Path(_other(lock)).name, 0
            continue
        if not alive:
            raise FolderError("died", f"the builder was killed{_end_of(log)}")
        if time.monotonic() - spoke > _BEAT_SECONDS:
            say(last)
            spoke = time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _lines(events: Path, position: int) -> list[bytes]:
    """Whole lines from ``position`` on."""
    try:
        with events.open("rb") as file:
            file.seek(position)
            data = file.read()
    except OSError:
        return []
    return data[: data.rfind(b"\n") + 1].splitlines(keepends=True)


def _other(lock: Path) -> str:
    """The events of whoever holds the lock."""
    end = time.monotonic() + _TELL_SECONDS
    while time.monotonic() < end:
        name = lock.read_text(errors="replace").strip()
        if name and (lock.parent / Path(name).name).exists():
            return name
        time.sleep(_LOOK_SECONDS)
    return ""


def _tell(name: str) -> int:
    sys.stdout.write(name + "\n")
    sys.stdout.flush()
    return 0


def _end_of(log: Path) -> str:
    try:
        said = log.read_bytes()[-_LOG_BYTES:].decode(errors="replace").split()
    except OSError:
        return ""
    return f": {' '.join(said)[-300:]}" if said else ""
