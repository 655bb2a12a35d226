"""Real agents for the tests: a host folder of their own, a tiny kernel that can misbehave, and followers."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.tiny_kernels import REFERENCE, double_source
from tunetui_agent.folder import HostFolder, is_held
from tunetui_agent.messages import CloseQueue, EnqueueTrials, Trial, encode_command

PATIENCE_SECONDS = 300.0  # after which a follower that waits for what never comes is ended


def spec(run: str, **method: Any) -> dict[str, Any]:
    """A run of the tiny kernel, measured briefly."""
    return {
        "protocol": 1,
        "run": run,
        "device": "cpu",
        "kernel": {
            "name": "double",
            "reference": "reference.py",
            "files": {"reference.py": REFERENCE, "double.py": double_source()},
            "arguments": [
                {"name": "x", "role": "input", "dtype": "float32"},
                {"name": "y", "role": "output", "dtype": "float32"},
            ],
            "implementations": [
                {
                    "name": "numpy",
                    "language": "python",
                    "source": "double.py",
                    "parameters": ["how"],
                    "launches": [{"entry": "double", "arguments": ["x", "y"]}],
                }
            ],
        },
        "method": {
            "cache": "hot", "min_samples": 5, "max_samples": 10, "max_seconds": 20.0, "trial_timeout_seconds": 600.0, "warmup_seconds": 0.0,
            "warmup_samples": 1, "finalists": 0, "sentinel_seconds": 0.0, "revisit_percent": 0.0,
            "ceilings": "none", "energy": "none", **method,
        },
    }  # fmt: skip


def trial(how: str, implementation: str = "numpy") -> Trial:
    shapes = {"x": [1000], "y": [1000]}
    return Trial(
        id=f"{implementation} {how}",
        implementation=implementation,
        problem={"n": 1000},
        configuration={"how": how},
        provenance="0" * 16,
        shapes=shapes,
        dtypes=dict.fromkeys(shapes, "float32"),
    )


def enqueue(*hows: str, command: str = "enqueue") -> bytes:
    return encode_command(EnqueueTrials(command=command, trials=[trial(how) for how in hows]))


CLOSE = encode_command(CloseQueue(command="close"))


class Follower:
    """One ``attach`` process; what it says is read line by line."""

    def __init__(self, command: Sequence[str], folder: Path | None) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self._patience = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self._patience.start()
        self.raw: list[bytes] = []

    def send(self, *lines: bytes) -> None:
        """Small ones at once; what is larger than a pipe beside the reading, or each side would wait for the other."""
        data = b"".join(lines)
        if len(data) < 16384:
            self._write(data)
        else:
            threading.Thread(target=self._write, args=(data,), daemon=True).start()

    def _write(self, data: bytes) -> None:
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):  # it may have ended; the reading tells
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def said(self) -> Iterator[dict[str, Any]]:
        """Everything until it ends."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.raw.append(line)
            yield json.loads(line)

    def until(self, wanted: str | Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first record of a kind, control line of a name, or line that passes; reads no further."""
        for line in self.said():
            if wanted(line) if callable(wanted) else wanted in (line.get("kind"), line.get("ctl")):
                return line
        raise AssertionError(f"the follower ended without {wanted}: {self.raw[-5:]!r}")

    def records(self) -> list[dict[str, Any]]:
        """The journal's records until the end, control lines left out."""
        return [line for line in self.said() if "ctl" not in line]

    def journal_bytes(self) -> bytes:
        return b"".join(line for line in self.raw if not line.startswith(b'{"ctl"'))

    def close(self) -> None:
        self._patience.cancel()
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                assert stream
                stream.close()
        self.process.wait()


class Host:
    """A host folder and the agent's command line; ends whatever it started."""

    def __init__(self, root: Path, python: Sequence[str] = (sys.executable, "-m", "tunetui_agent")) -> None:
        self.root = root
        self.folder = HostFolder(root)
        self._python = list(python)
        self._followers: list[Follower] = []

    def command(self, name: str, *arguments: str) -> list[str]:
        return [*self._python, name, "--root", str(self.root), *arguments]

    def ask(self, name: str, *arguments: str, stdin: bytes = b"", **more: Any) -> dict[str, Any]:
        done = subprocess.run(
            self.command(name, *arguments), input=stdin, capture_output=True, timeout=PATIENCE_SECONDS, **more
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def start(self, run: dict[str, Any], *arguments: str, **more: Any) -> dict[str, Any]:
        return self.ask("start", *arguments, stdin=json.dumps(run).encode(), **more)

    def attach(self, run: str, *arguments: str, cwd: Path | None = None) -> Follower:
        follower = Follower(self.command("attach", "--run", run, *arguments), cwd)
        self._followers.append(follower)
        return follower

    def measure(self, run: dict[str, Any], *hows: str) -> list[dict[str, Any]]:
        """All records of a run of these trials."""
        assert self.start(run)["ok"]
        follower = self.attach(run["run"])
        follower.send(enqueue(*hows), CLOSE)
        return follower.records()

    def state(self, run: str) -> str:
        (found,) = [each for each in self.ask("list")["runs"] if each["run"] == run]
        return str(found["state"])

    def end(self) -> None:
        for follower in self._followers:
            follower.close()
        for run in self.folder.runs():
            if is_held(run.lock):
                with contextlib.suppress(ProcessLookupError):
                    os.kill((run.read_meta() or {})["pid"], signal.SIGKILL)


def wait_for_death(pid: int) -> None:
    """Until a process that need not be our child is gone."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ready, _, _ = select.select([watched], [], [], PATIENCE_SECONDS)
    os.close(watched)
    assert ready, f"process {pid} lives on"


def children_of(pid: int, role: str) -> list[int]:
    """The "worker" or "builder" processes of an agent."""
    words = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(word) for word in words if role.encode() in Path(f"/proc/{word}/cmdline").read_bytes().split(b"\0")]
