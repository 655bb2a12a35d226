"""Starts a run: takes its locks, leaves the terminal and the link behind, and says whether that worked."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import signal
import socket
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

from tunetui_agent import __version__
from tunetui_agent.children import archive
from tunetui_agent.dealers import claim as claim_run
from tunetui_agent.folder import (
    FolderError,
    boot_id,
    bring_to_disk,
    ended,
    is_disk_full,
    read_object,
    take_lock,
    write_object,
)
from tunetui_agent.inbox import Inbox, deliver
from tunetui_agent.journal import Journal, JournalError
from tunetui_agent.messages import PROTOCOL, AgentStarted, decode_spec
from tunetui_agent.supervisor import Claim, Supervisor
from tunetui_agent.system import system_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunetui_agent.folder import HostFolder
    from tunetui_agent.messages import RunSpec


LEAVING_SECONDS = 20.0
"""A run that has ended holds its device until its worker is gone, but not longer than it takes to give that one up."""


class Refusal(Exception):
    """The run cannot start; ``answer`` is what the app is told."""

    def __init__(self, error: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.answer = {"ok": False, "error": error, "text": text, **more}


def start(host: HostFolder, raw: bytes, idle_seconds: float) -> dict[str, Any]:
    """Begin the run described by ``raw`` in a process of its own: a `RunSpec` as JSON, and commands on lines behind it.

    Returns:
        ``{"ok": true, "run", "epoch", "pid"}`` or ``{"ok": false, "error", "text", ...}`` with error one of "spec",
        "protocol", "bad-name", "folder", "disk-full", "run-exists", "device-busy" (with "holder"), "died".
    """
    described, _, commands = raw.partition(b"\n")
    commands = commands[: commands.rfind(b"\n") + 1]  # the link may have ended in the middle of one
    try:
        spec, document = _spec_in(described)
        host.device_lock(spec.device)
        host.run(spec.run)
        host.prepare()
    except Refusal as refusal:
        return refusal.answer
    except FolderError as error:
        return {"ok": False, "error": error.code, "text": str(error)}
    verdict, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(verdict)
        _leave(functools.partial(_serve, host, spec, document, commands, idle_seconds), said)
    os.close(said)
    with os.fdopen(verdict, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer:
        return {"ok": False, "error": "died", "text": "the agent died before it could say why"}
    found: dict[str, Any] = json.loads(answer)
    return found


def _spec_in(raw: bytes) -> tuple[RunSpec, dict[str, Any]]:
    try:
        document = json.loads(raw)
    except ValueError:
        raise Refusal("spec", "the run's description is no JSON") from None
    if not isinstance(document, dict):
        raise Refusal("spec", "the run's description is no JSON object")
    if document.get("protocol") != PROTOCOL:
        wanted = document.get("protocol")
        text = f"this agent speaks protocol {PROTOCOL}, the app asked for {wanted}"
        raise Refusal("protocol", text, have=PROTOCOL, want=wanted)
    try:
        return decode_spec(document), document
    except ValueError as error:
        raise Refusal("spec", str(error)) from None


def _leave(serve: Callable[[int], None], said: int) -> None:
    """Out of the caller's session and out of its sight; never returns."""
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            os.chdir("/")
            serve(said)
        status = 0
    except BaseException:  # noqa: BLE001 - below is the process's end: nothing may run on into the caller's code
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _serve(
    host: HostFolder, spec: RunSpec, document: dict[str, Any], commands: bytes, idle_seconds: float, said: int
) -> None:
    try:
        claim, answer = _claim(host, spec, document, commands, idle_seconds)
    except Refusal as refusal:
        _say(said, refusal.answer)
        return
    _point_streams_at(claim.run.stderr)
    _say(said, answer)
    Supervisor(claim).run()


def _claim(
    host: HostFolder, spec: RunSpec, document: dict[str, Any], commands: bytes, idle_seconds: float
) -> tuple[Claim, dict[str, Any]]:
    """Everything that only one agent may have; the locks live as long as this process."""
    holder = host.device_holder(spec.device)
    try:
        device = _take_device(host, spec.device)
    except OSError as error:
        raise _refused_by_os(error) from None
    if device is None:
        found = read_object(holder) or {}
        text = f"device {spec.device} is busy with run {found.get('run', 'of unknown name')}"
        raise Refusal("device-busy", text, holder=found)
    run = host.run(spec.run)
    try:
        run.path.mkdir(mode=0o700)
    except FileExistsError:
        raise Refusal("run-exists", f"run {spec.run} exists already", run=spec.run) from None
    except OSError as error:
        raise _refused_by_os(error) from None
    meta = _meta(spec)
    try:
        if take_lock(run.lock) is None:
            raise Refusal("run-exists", f"run {spec.run} is being started by somebody else", run=spec.run)
        run.watched.touch(mode=0o600)
        if spec.dealer:
            claim_run(run, spec.dealer)
        inbox = Inbox(run)
        if commands:
            deliver(run, commands)
        journal = Journal(run.journal, run.ballast)
        write_object(run.spec, document, sync=False)
        write_object(holder, meta, sync=False)  # for people, and for as long as this process lives
        journal.append(_hello(spec, meta))
        write_object(run.meta, meta, sync=False)
    except (OSError, JournalError) as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise _refused_by_os(error) from None

    def release_device() -> None:
        holder.unlink(missing_ok=True)
        os.close(device)

    def settle() -> None:
        for path in (run.spec, run.meta):
            bring_to_disk(path)

    claim = Claim(spec, run, host.root, journal, inbox, idle_seconds, settle, release_device)
    return claim, {"ok": True, "run": spec.run, "epoch": meta["epoch"], "pid": meta["pid"]}


def _take_device(host: HostFolder, device: str) -> int | None:
    """The device's lock, or None where a run is at work there.  Of one that has ended the worker is waited for."""
    patience = time.monotonic() + LEAVING_SECONDS
    while (lock := take_lock(host.device_lock(device))) is None and time.monotonic() < patience:
        name = (read_object(host.device_holder(device)) or {}).get("run")
        if isinstance(name, str) and not ended(host.run(name).journal):
            return None
    return lock


def _meta(spec: RunSpec) -> dict[str, Any]:
    packed = archive()
    return {
        "protocol": PROTOCOL,
        "version": __version__,
        "run": spec.run,
        "device": spec.device,
        "epoch": uuid.uuid4().hex,
        "pid": os.getpid(),
        "boot_id": boot_id(),
        "host": socket.gethostname(),
        "started": round(time.time(), 3),
        "kernel": spec.kernel.name,
        "agent": str(packed) if packed else "",
        "python": sys.executable,
    }


def _hello(spec: RunSpec, meta: dict[str, Any]) -> AgentStarted:
    return AgentStarted(
        protocol=PROTOCOL,
        version=__version__,
        run=spec.run,
        epoch=meta["epoch"],
        pid=meta["pid"],
        boot_id=meta["boot_id"],
        host=meta["host"],
        platform=system_name(),
        python=platform.python_version(),
    )


def _refused_by_os(error: OSError | JournalError) -> Refusal:
    full = isinstance(error, JournalError) or is_disk_full(error)
    return Refusal("disk-full" if full else "folder", str(error))


def _point_streams_at(log: Path) -> None:
    """The caller's pipes must end although we live on."""
    null = os.open(os.devnull, os.O_RDWR)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(null)
    os.close(target)


def _say(pipe: int, answer: dict[str, Any]) -> None:
    os.write(pipe, json.dumps(answer).encode())
    os.close(pipe)
