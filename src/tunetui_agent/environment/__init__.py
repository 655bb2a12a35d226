"""The Python that measures on this host: one that is there already, or one that is built in the agent's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.environment.choice import recall, remember
from tunetui_agent.environment.folders import built_pythons, environments_of, mark_used
from tunetui_agent.folder import FolderError

if TYPE_CHECKING:
    from tunetui_agent.environment.interpreters import Interpreter
    from tunetui_agent.folder import HostFolder

MANAGED = "managed"
"""Asks for an environment of our own, whatever else this host has."""
_GPUS_SECONDS = 60.0
_INDEX, _INDEX_SECONDS = ("pypi.org", 443), 3.0


def look(host: HostFolder, kind: str, asked: str = "") -> dict[str, Any]:
    """What to measure with.

    ``asked`` is a Python that the user wants and no other, or `MANAGED`.

    Returns:
        ``{"ok", "state": "ready", "python", "user_site", "version", "modules", "how"}``, or
        ``{"ok", "state": "missing", "tried": [{"python", "why"}], "host": facts for choosing what to build}``.

    Raises:
        FolderError: "python" where the one asked for will not do, or the folder's own reasons.
    """
    host.prepare()
    folder = environments_of(host)
    asked = str(Path(asked).expanduser()) if asked.startswith("~/") else asked
    note = recall(folder, kind, asked)
    if note is not None:
        mark_used(folder, str(note["python"]))
        return _ready(note["python"], note["user_site"], note["version"], note["modules"], "remembered")
    return _look_around(host, kind, asked)


def _look_around(host: HostFolder, kind: str, asked: str) -> dict[str, Any]:
    # Loaded only here: what is remembered is asked for at the start of every run.
    from tunetui_agent.environment.interpreters import find

    folder = environments_of(host)
    cuda = _driver_cuda() if kind == "gpu" else ""
    major = int(cuda.partition(".")[0] or 0)
    if asked and asked != MANAGED:
        chosen: Interpreter | None = _only(asked, kind, major)
        tried: list[Interpreter] = []
    elif kind == "gpu" and not cuda:  # nothing to measure on: what is missing is not Python
        return _ready(sys.executable, False, ".".join(map(str, sys.version_info[:3])), {}, "no GPU")
    else:
        chosen, tried = find(kind, major, tuple(built_pythons(folder)), only_extra=asked == MANAGED)
    if chosen is None:
        shown = [{"python": each.python, "why": each.why} for each in tried]
        return {"ok": True, "state": "missing", "tried": shown, "host": _facts(host.root, cuda, tried)}
    remember(folder, kind, asked, chosen)
    mark_used(folder, chosen.python)
    return _ready(chosen.python, chosen.user_site, ".".join(map(str, chosen.version)), chosen.modules, "found")


def _only(python: str, kind: str, cuda: int) -> Interpreter:
    from tunetui_agent.environment.interpreters import ask

    found = ask(python, kind, cuda)
    if found.why:
        raise FolderError("python", f"{python} cannot be used: {found.why}")
    return found


def _ready(python: str, user_site: bool, version: str, modules: dict[str, str], how: str) -> dict[str, Any]:
    return {
        "ok": True, "state": "ready", "python": python, "user_site": user_site, "version": version,
        "modules": modules, "how": how,
    }  # fmt: skip


def _facts(root: Path, cuda: str, tried: list[Interpreter]) -> dict[str, Any]:
    import platform
    import shutil

    name, version = platform.libc_ver()
    makers = [each for each in tried if each.can_make and each.version[:2] >= (3, 10)]
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "glibc": version if name == "glibc" else "",
        "cuda": cuda,
        "free_bytes": shutil.disk_usage(root).free,
        "way_out": _way_out(),
        "pythons": [
            {"python": each.python, "version": list(each.version[:2]), "ensurepip": each.ensurepip} for each in makers
        ],
    }


def _way_out() -> bool | None:
    """Whether the package index can be reached; None where a proxy or an index of the user's own decides that."""
    import socket

    if any(os.environ.get(name) for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "PIP_INDEX_URL")):
        return None
    try:
        socket.create_connection(_INDEX, _INDEX_SECONDS).close()
    except OSError:
        return False
    return True


def _driver_cuda() -> str:
    """The CUDA version that the driver supports such as "12.8"; "" where there is no GPU that works."""
    from tunetui_agent.asking import ask_child
    from tunetui_agent.children import agent_command

    answer = ask_child(agent_command("doctor", "--part", "gpus"), _GPUS_SECONDS)
    gpus = answer.get("gpus") or [{}]
    return str(gpus[0].get("driver_version", ""))
