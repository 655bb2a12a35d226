"""Builds one environment in a process that outlives its caller: beside its place, checked, then renamed."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tunetui_agent.asking import ask_child
from tunetui_agent.environment.choice import remember
from tunetui_agent.environment.folders import READY, environment, environments_of, python_of, remove, wheels_of
from tunetui_agent.environment.interpreters import ask
from tunetui_agent.folder import FolderError, HostFolder, is_disk_full, write_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui_agent.environment.request import BuildRequest

UNPACKED_FACTOR = 2.5
"""An installed wheel with its compiled Python against the wheel: what is set aside before anything is fetched."""

_PR_SET_PDEATHSIG = 1
_NETWORK_TRIES, _NETWORK_SECONDS = 2, 15
_TAIL_LINES = 40
_BUNDLED_SECONDS = 30.0
_BUNDLED = """
import ensurepip, glob, json, os, sysconfig
folders = [sysconfig.get_config_var("WHEEL_PKG_DIR"), os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")]
found = [wheel for folder in folders if folder for wheel in sorted(glob.glob(os.path.join(folder, "pip-*.whl")))]
print(json.dumps({"pip": found[0] if found else ""}))
"""
_WHEEL = re.compile(r"(?:Downloading|Using cached|Processing) (?:\S*/)?([A-Za-z0-9_.+%-]+\.whl)")
_NO_WAY_OUT = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|Name or service not known|Network is unreachable"
    r"|ConnectTimeout|Connection refused|ProxyError|Connection to \S+ timed out|Max retries exceeded|SSLError"
)
_NOT_PIPS = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_CONSTRAINT",
             "PIP_NO_INDEX", "PIP_DRY_RUN", "PIP_REQUIRE_VIRTUALENV", "PIP_LOG", "PIP_QUIET", "PIP_VERBOSE")  # fmt: skip


@dataclass
class Progress:
    """What whoever waits is told: the step, how far it is, in bytes of wheels."""

    events: IO[str]
    total_bytes: int
    done_bytes: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def step(self, step: str, text: str) -> None:
        """A new step."""
        self._say({"say": "progress", "step": step, "text": text, "done": self.done_bytes, "total": self.total_bytes})

    def wheel(self, name: str, size: int) -> None:
        """Pip turned to this wheel: the ones before it are here."""
        self.done_bytes = sum(self.seen.values())
        self.seen[name] = size
        self.step("wheels", name)

    def end(self, answer: dict[str, Any]) -> None:
        """The last line."""
        self._say({"say": "done", **answer})

    def _say(self, said: dict[str, Any]) -> None:
        self.events.write(json.dumps(said) + "\n")
        self.events.flush()


def build(host: HostFolder, request: BuildRequest, events: Path, attempt: str) -> None:
    """Builds; every outcome is the last line of ``events``.  The caller holds the environment's lock."""
    folder = environment(host, request.key)
    part, scratch = (folder.with_name(f".{request.key}.{attempt}.{what}") for what in ("part", "tmp"))
    with events.open("w", encoding="utf-8") as file:
        progress = Progress(file, sum(request.sizes.values()))
        try:
            _remove_unfinished(folder)
            answer = _Building(host, request, part, scratch, progress).run(folder)
        except FolderError as error:
            answer = {"ok": False, "error": error.code, "text": str(error)}
        except OSError as error:
            code = "disk-full" if is_disk_full(error) else "folder"
            answer = {"ok": False, "error": code, "text": f"{folder.parent}: {error.strerror or error}"}
        finally:
            remove(part)
            remove(scratch)
        progress.end(answer)


class _Building:
    def __init__(self, host: HostFolder, request: BuildRequest, part: Path, scratch: Path, progress: Progress) -> None:
        self._host, self._request, self._part, self._scratch = host, request, part, scratch
        self._progress = progress
        self._wheels = wheels_of(host)

    def run(self, folder: Path) -> dict[str, Any]:
        """The environment at ``folder``, and what it can do."""
        request = self._request
        there = self._whole(folder)
        if there is not None:  # somebody was first, or asks again because its link was lost
            self._drop_wheels()  # which may have been sent after somebody was first
            return there
        self._check_room()
        self._scratch.mkdir(mode=0o700)
        self._progress.step("environment", f"a new environment of {request.python}")
        self._run([request.python, "-I", "-m", "venv", "--without-pip", str(self._part)], "no environment can be made")
        requirements = self._scratch / "requirements.txt"
        requirements.write_text(request.requirements)
        self._install(requirements)
        self._progress.step("check", "the modules are imported")
        found = ask(str(python_of(self._part)), request.kind, request.cuda)
        if found.why:
            raise FolderError("environment", f"what was installed does not work: {found.why}")
        write_object(self._part / READY, {"key": request.key, "made": time.time(), "modules": found.modules})
        remove(folder)  # of another time: not whole, or it would have been used
        self._part.rename(folder)
        self._drop_wheels()
        whole = self._whole(folder)
        if whole is None:
            raise FolderError("environment", f"{folder} does not work where it lies")
        return whole

    def _whole(self, folder: Path) -> dict[str, Any] | None:
        if not (folder / READY).exists():
            return None
        found = ask(str(python_of(folder)), self._request.kind, self._request.cuda)
        if found.why:
            return None
        remember(environments_of(self._host), self._request.kind, "", found)
        return {"ok": True, "python": found.python}

    def _drop_wheels(self) -> None:
        for name in [*self._request.sizes, self._request.pip]:
            if name:
                remove(self._wheels / name)

    def _check_room(self) -> None:
        space = os.statvfs(self._host.root)
        free, need = space.f_bavail * space.f_frsize, int(self._progress.total_bytes * UNPACKED_FACTOR)
        if free < need:
            text = (
                f"{self._host.root} has {free >> 20:,} MiB free, and the environment needs {max(1, need >> 20):,} MiB"
            )
            raise FolderError("disk-full", text)

    def _install(self, requirements: Path) -> None:
        python, request = str(python_of(self._part)), self._request
        wheel = self._wheels / request.pip if request.pip else bundled_pip(python)
        if wheel is not None:
            pip = [
                python,
                "-I",
                str(wheel / "pip"),
            ]  # which runs from there: to install it takes longer than all the rest
        else:
            self._run([python, "-I", "-m", "ensurepip"], "pip cannot be installed")
            pip = [python, "-I", "-m", "pip"]
        source = ["--no-index", "--find-links", str(self._wheels)] if request.offline else [
            "--retries", str(_NETWORK_TRIES), "--timeout", str(_NETWORK_SECONDS),
        ]  # fmt: skip
        self._progress.step("wheels", "")
        # Not compiled ahead: most of NumPy and CuPy is never imported, and what is is compiled when it is checked below.
        self._run([
            *pip, "install", "--no-compile", "--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-input", "--no-cache-dir",
            "--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off", *source,
            "-r", str(requirements),
        ], "the wheels cannot be installed", self._hear)  # fmt: skip

    def _run(self, command: list[str], failure: str, hear: Callable[[str], None] = lambda _: None) -> None:
        """Runs a command to its end.  Raises FolderError with what it said."""
        tail: list[str] = []
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self._surroundings(), cwd=self._scratch, preexec_fn=_die_with_parent,  # noqa: PLW1509 - no threads here
        ) as child:  # fmt: skip
            for raw in child.stdout or ():
                line = raw.decode(errors="replace").rstrip()
                tail = [*tail[1 - _TAIL_LINES :], line]
                hear(line)
        if child.returncode:
            raise _refusal(failure, tail, offline=self._request.offline)

    def _hear(self, line: str) -> None:
        found = _WHEEL.search(line)
        if found and found[1] in self._request.sizes:
            self._progress.wheel(found[1], self._request.sizes[found[1]])
        elif line.startswith("Installing collected packages"):
            self._progress.done_bytes = self._progress.total_bytes
            self._progress.step("install", "the wheels are unpacked")

    def _surroundings(self) -> dict[str, str]:
        """Ours, but nothing of Python's or pip's that would lead elsewhere; an index or a proxy of the user's stays."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in _NOT_PIPS}
        return {**kept, "TMPDIR": str(self._scratch), "LC_ALL": "C.UTF-8"}


def bundled_pip(python: str) -> Path | None:
    """The wheel of pip that a Python's ensurepip would install; None where it has none, or has it at no usual place."""
    answer = ask_child([python, "-I", "-c", _BUNDLED], _BUNDLED_SECONDS)
    return Path(str(answer["pip"])) if answer.get("pip") else None


def _refusal(failure: str, tail: list[str], *, offline: bool) -> FolderError:
    text = "\n".join(tail)
    errors = [line for line in tail if line.startswith("ERROR:")]
    said = " ".join((errors or tail[-1:] or ["it said nothing"])[0].split())[:400]
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return FolderError("disk-full", f"{failure}: there is no room left on the disk")
    if "DO NOT MATCH THE HASHES" in text:
        return FolderError("hash", f"{failure}: a wheel is not the one that was locked (its SHA-256 differs)")
    if not offline and _NO_WAY_OUT.search(text):
        return FolderError("no-way-out", "this host cannot reach the package index")
    return FolderError("install", f"{failure}: {said}")


def _remove_unfinished(folder: Path) -> None:
    """Of builders that were killed: nobody else builds this one now."""
    for left in folder.parent.glob(f".{folder.name}.*"):
        if left.suffix in (".part", ".tmp"):
            remove(left)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
