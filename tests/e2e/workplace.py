"""A folder of its own for every test: a kernel that can misbehave, grids, and tunetui run as its user runs it."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from tests.tiny_kernels import REFERENCE, double_source, kernel_toml
from tunetui.cli import main
from tunetui.engines.local import LocalLink
from tunetui.store.runs import run_id
from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.environment import look
from tunetui_agent.folder import HostFolder, is_held

PATIENCE_SECONDS = 300.0

IMPLEMENTATIONS = """
[implementations.numpy.cpu]
language = "python"
source = "double.py"
entry = "double"
arguments = ["x", "y"]
parameters = ["how", "number"]
[implementations.numpy.cpu.axes]
how = ["does well"]
number = [1]
[implementations.other.cpu]
language = "python"
source = "other.py"
entry = "double"
arguments = ["x", "y"]
[implementations.other.cpu.axes]
"""
KERNEL = kernel_toml("double", IMPLEMENTATIONS, summary="Twice the input, in many good and bad ways.")

OTHER = "import numpy as np\n\ndef double(x, y):\n    np.add(x, x, out=y)\n"

GRID = """
name = "double"
kernel = "./kernel"
implementations = ["numpy"]
device = "cpu"
[method]
cache = "hot"
min_samples = 6
max_samples = 6
max_seconds = 20  # a slow machine takes its samples all the same, and trials may wait for it
trial_timeout_seconds = 600
warmup_samples = 1
warmup_seconds = 0.0
finalists = 0
revisit_percent = 0
sentinel_seconds = 0
ceilings = "none"
energy = "none"
"""


@cache
def _furniture() -> Path:
    """What every host folder of this process's tests would come to hold: the agent's archives, which Mojo there is, and that
    the Python of the tests will do.
    """
    root = Path(tempfile.mkdtemp(prefix="tunetui-furniture-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    LocalLink(root)._place_archive()
    find_toolchain(root)
    look(HostFolder(root), "cpu")
    (root / "runs").rmdir()  # nothing ran there
    return root


def furnish(root: Path) -> None:
    """A host folder that was used before: a tenth of what a small sweep costs is to write the agent's archives, and another
    to ask for a Python with NumPy.

    How that is done the first time is shown by tests/cli/test_batch.py, over SSH by tests/ssh, and of a Python by
    tests/session/test_preparing.py.
    """
    if not root.exists():
        root.mkdir(parents=True, mode=0o700)
        shutil.copytree(_furniture(), root, dirs_exist_ok=True)


def write_kernel(folder: Path) -> None:
    """The kernel ``folder``/kernel, whose trials may wait for ``folder``/gate."""
    (folder / "kernel").mkdir()
    (folder / "kernel" / "kernel.toml").write_text(KERNEL)
    (folder / "kernel" / "reference.py").write_text(REFERENCE)
    (folder / "kernel" / "double.py").write_text(double_source(str(folder / "gate")))
    (folder / "kernel" / "other.py").write_text(OTHER)


class Workplace:
    """The user's folder, and tunetui's own apart from everybody else's; ends whatever was started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data, self.cache = folder / "data", folder / "cache"
        self.environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR"}} | {
            "XDG_DATA_HOME": str(self.data), "XDG_CACHE_HOME": str(self.cache),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }  # fmt: skip
        self._started: list[subprocess.Popen[bytes]] = []
        furnish(self.cache / "tunetui")
        write_kernel(folder)
        self.grid(number="[1, 2, 3]")

    def grid(self, text: str = "", **axes: str) -> None:
        """Write grid.toml: more TOML after the usual, and axes with their values as TOML."""
        lines = [GRID, text, "[axes]", *(f"{name} = {values}" for name, values in axes.items())]
        (self.folder / "grid.toml").write_text("\n".join(lines))

    def edit(self, name: str, before: str, after: str) -> None:
        """Replace text that is there in one file of the kernel or in the grid."""
        path = self.folder / name
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    # ---------------------------------------------------------------------------------- the command line

    def tunetui(
        self, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE, before: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """One process, running; ``before`` is a command that becomes it."""
        run = subprocess.Popen(
            [*before, sys.executable, "-m", "tunetui", *arguments],
            cwd=self.folder, env=self.environment, stdout=stdout, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._started.append(run)
        return run

    def start(self, *options: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """A sweep of grid.toml, running."""
        return self.tunetui("--batch", "grid.toml", *options, stdout=stdout)

    def run(self, *options: str, code: int = 0) -> tuple[str, str]:
        """A sweep of grid.toml, over: stdout and stderr."""
        return self.call("--batch", "grid.toml", *options, code=code)

    def call(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """One command that nothing is done to while it runs: stdout and stderr.

        In this process, as half of what such a command costs is the start of another; its agents are real all the same.
        """
        return called(self.folder, self.environment, *arguments, code=code)

    def open_gate(self, number: int | None = None) -> None:
        """Let the trial that "waits" with this number go on, or all of them."""
        (self.folder / ("gate" if number is None else f"gate-{number}")).touch()

    # ---------------------------------------------------------------------------------- what it left

    def rows(self, stem: str = "grid") -> dict[str, dict[str, Any]]:
        """The leaderboard's rows by what varies: "how" alone, or "how number"."""
        board = self.leaderboard(stem)["boards"][0]
        return {
            " ".join(str(value) for value in row["configuration"].values()) or row["implementation"]: row
            for row in board["rows"]
        }

    def leaderboard(self, stem: str = "grid") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{stem}.leaderboard.json").read_bytes())
        return found

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.leaderboard.*"))

    @property
    def journal(self) -> Path:
        """Of the sweep that writes to grid.leaderboard.toml."""
        return self.data / "tunetui" / "runs" / run_id("double", self.folder / "grid") / "journal.jsonl"

    def records(self) -> list[dict[str, Any]]:
        """Every envelope of the journal."""
        return [json.loads(line) for line in self.journal.read_bytes().splitlines()]

    def outcomes(self) -> Counter[tuple[str, str]]:
        """How often the sweep measured each trial, or saw it fail, under each provenance."""
        found: Counter[tuple[str, str]] = Counter()
        for envelope in self.records():
            record = envelope["record"]
            if record["kind"] in {"TrialMeasured", "TrialFailed"} and record.get("stage", "sweep") == "sweep":
                found[record["trial"]["id"], record["trial"]["provenance"]] += 1
        return found

    def every_record_once(self) -> bool:
        """Each source's records are dense from 0: none lost, none twice."""
        sequences: dict[str, list[int]] = {}
        for envelope in self.records():
            sequences.setdefault(envelope["from"], []).append(envelope["record"]["seq"])
        return all(sequence == list(range(len(sequence))) for sequence in sequences.values())

    # ---------------------------------------------------------------------------------- the agents

    def agents(self) -> list[int]:
        """Process ids of the agents at work."""
        runs = HostFolder(self.cache / "tunetui").runs()
        return [int((run.read_meta() or {})["pid"]) for run in runs if is_held(run.lock) and run.read_meta()]

    def wait_for_agents(self) -> None:
        """Until none is at work: one whose run is over has yet to leave its device."""
        for run in HostFolder(self.cache / "tunetui").runs():
            with run.lock.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH)

    def end(self) -> None:
        for run in self._started:
            if run.poll() is None:
                run.kill()
            run.communicate()
        for pid in self.agents():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def called(folder: Path, environment: Mapping[str, str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """What a command of this process in that folder and environment says: stdout and stderr; it must end with ``code``."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        ended = main(list(arguments))
    said, told = (stream.buffer.getvalue().decode() for stream in (out, err))
    assert ended == code, f"exit code {ended}, expected {code}:\n{said}{told}"
    assert "Traceback" not in told, told
    return said, told


def finished(run: subprocess.Popen[bytes], code: int = 0) -> tuple[str, str]:
    """The rest of what it says, once it has ended with ``code``."""
    out, err = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == code, (
        f"exit code {run.returncode}, expected {code}:\n{(out or b'').decode()}{err.decode()}"
    )
    assert b"Traceback" not in err, err.decode()
    return (out or b"").decode(), err.decode()


def until(stream: IO[bytes] | None, text: bytes) -> bytes:
    """What the stream says up to the line that holds ``text``."""
    assert stream is not None
    said = b""
    for line in stream:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} was never said:\n{said.decode()}")


def next_trial(run: subprocess.Popen[bytes]) -> int:
    """The number of the next trial that is begun, as ``--events`` tells."""
    line = until(run.stdout, b'"kind":"TrialStarted"').splitlines()[-1]
    number: int = json.loads(line)["record"]["trial"]["configuration"]["number"]
    return number


def read_lines(stream: IO[bytes] | None, count: int) -> list[bytes]:
    """The first ``count`` lines, or as many as there are."""
    assert stream is not None
    return [line for _, line in zip(range(count), stream, strict=False)]
