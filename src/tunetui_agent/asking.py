"""One question to a child process that is killed where it does not answer in time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from typing import Any

from tunetui_agent.children import agent_environment, death_of

_GRACE_SECONDS = 2.0


def ask_child(command: list[str], timeout_seconds: float) -> dict[str, Any]:
    """Runs a command in a process group of its own; its last line of stdout is the answer."""
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=agent_environment(), start_new_session=True
        )
    except OSError as error:
        return {"error": f"no process could be started: {error.strerror}"}
    try:
        stdout, stderr = child.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        return {"error": f"no answer within {timeout_seconds:g} s{_end(child)}", "hung": True}
    lines = stdout.splitlines()
    try:
        answer = json.loads(lines[-1])
    except (IndexError, ValueError):
        answer = None
    if isinstance(answer, dict):
        return answer
    said = " ".join(stderr.decode(errors="replace").split())[-300:]
    return {"error": f"the process that asked {death_of(child.returncode)}{': ' + said if said else ''}"}


def _end(child: subprocess.Popen[bytes]) -> str:
    """Waits for a killed child; one that stays is stuck in the kernel, and waiting longer would hang the doctor too."""
    try:
        child.communicate(timeout=_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return f", and process {child.pid} cannot even be killed"
    return ""
