"""The runs of a host: listed, stopped, cleaned away."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.children import archive
from tunetui_agent.dealers import claim, present_dealer
from tunetui_agent.environment.folders import remove_old
from tunetui_agent.folder import read_object, take_lock
from tunetui_agent.inbox import deliver

if TYPE_CHECKING:
    from collections.abc import Collection

    from tunetui_agent.folder import HostFolder, RunFolder

DAY_SECONDS = 86400.0
_REFERENCE = ("id", "implementation", "problem", "configuration", "provenance")
"""Fields of a trial that its records have, too."""
AGENTS_KEPT = 3
"""Of the agents that no run needs, the newest."""
ENVIRONMENT_DAYS = 14.0
"""Environments take minutes to build: one that was used this lately stays, however young the runs are that go."""


def list_runs(host: HostFolder) -> list[dict[str, Any]]:
    """Every run with its state, what its agent wrote down at its start, and how long ago that was."""
    found = []
    for run in host.runs():
        meta = run.read_meta() or {}
        began = meta.get("started")
        age = time.time() - began if isinstance(began, (int, float)) else None
        found.append({"run": run.name, "state": run.state(), "meta": meta, "age_seconds": age})
    return found


def recount(run: RunFolder, claimant: str = "") -> dict[str, Any]:
    """What somebody who did not begin a run has to know to take it up: what it was told, and which trials it was given.

    A ``claimant`` deals it from here on, unless another who does is there: "dealer" says who.
    """
    meta, spec = run.read_meta(), read_object(run.spec)
    if meta is None or spec is None:
        return {"ok": False, "error": "no-such-run", "text": f"there is no run {run.name}"}
    try:
        dealer = claim(run, claimant) if claimant else present_dealer(run)
    except OSError as error:
        return {"ok": False, "error": "folder", "text": error.strerror or str(error)}
    dealt, closed = [], False
    with contextlib.suppress(OSError), run.inbox.open("rb") as inbox:
        for line in inbox:
            try:
                command = json.loads(line)
                if command["kind"] in ("EnqueueTrials", "RequeueTrials"):
                    trials = [{name: trial[name] for name in _REFERENCE} for trial in command["trials"]]
                    dealt.append({"command": command["command"], "trials": trials})
                closed = closed or command["kind"] == "CloseQueue"
            except (ValueError, TypeError, LookupError):  # torn, or none of ours: the agent told its journal
                continue
    return {
        "ok": True, "run": run.name, "state": run.state(), "about": spec.get("about"), "device": meta.get("device"),
        "files": spec.get("kernel", {}).get("files"), "dealt": dealt, "closed": closed,
        "dealer": dealer,
    }  # fmt: skip


def stop(run: RunFolder, *, at_once: bool) -> dict[str, Any]:
    """Ask a run's agent to end, after the present trial or at once."""
    from tunetui_agent.messages import CancelRun, StopRun, encode_command

    command = f"stop-{uuid.uuid4().hex[:12]}"
    line = encode_command(CancelRun(command=command) if at_once else StopRun(command=command))
    state = run.state()
    if run.read_meta() is None:
        return {"ok": False, "error": "no-such-run", "text": f"there is no run {run.name}"}
    try:
        if state == "running":
            deliver(run, line)
    except OSError as error:
        return {"ok": False, "error": "not-delivered", "text": error.strerror or str(error)}
    return {"ok": True, "run": run.name, "state": state}


def collect_garbage(
    host: HostFolder, days: float, acknowledged: Collection[str] | None = None, *, pretend: bool = False
) -> list[str]:
    """Remove old runs, never a live one; agents and environments that none needs.

    Args:
        days: what is older by this host's clock is old.
        acknowledged: runs of which somebody has every record and that are old by that one's clock, whatever ours says:
            only these are removed; None: any.
        pretend: say what would be removed, and remove nothing.

    Returns:
        The names of the runs removed.
    """
    removed = []
    for run in host.runs():
        if acknowledged is None:
            is_old = _last_written(run.journal, run.path) <= time.time() - days * DAY_SECONDS
        else:
            is_old = run.name in acknowledged
        if not is_old:
            continue
        lock = take_lock(run.lock)
        if lock is not None:
            if not pretend:
                shutil.rmtree(run.path, ignore_errors=True)
            removed.append(run.name)
            os.close(lock)
    if not pretend:
        _remove_agents(host, days)
        pythons = [str((run.read_meta() or {}).get("python", "")) for run in host.runs()]
        remove_old(host, max(days, ENVIRONMENT_DAYS), pythons)
    return removed


def _remove_agents(host: HostFolder, days: float) -> None:
    packed = sorted((host.root / "agent").glob("*.pyz"), key=_last_written, reverse=True)
    needed = {archive(), *(Path((run.read_meta() or {}).get("agent", "")) for run in host.runs())}
    for old in packed[AGENTS_KEPT:]:
        if old not in needed and _last_written(old) < time.time() - days * DAY_SECONDS:
            old.unlink(missing_ok=True)


def _last_written(*paths: Path) -> float:
    for path in paths:
        try:
            return path.stat().st_mtime
        except OSError:
            continue
    return 0.0
