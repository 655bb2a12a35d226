"""The child's end of the pipe to its supervisor: messages kept apart from whatever a kernel reads and prints."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import io
import json
import os
import resource
import select
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.messages import RunSpec, Trial, decode_command, decode_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1


class Lifeline:
    """JSON objects, one a line, both ways.

    Taking it moves the pipes away from descriptors 0 and 1: a kernel that reads standard input finds it empty, and
    one that prints does so into the log.
    """

    def __init__(self) -> None:
        self._in = os.dup(0)
        self._read = bytearray()  # and not yet given out
        self._out = os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        os.close(null)
        if isinstance(sys.stdout, io.TextIOWrapper):  # what a kernel printed is there when it crashes
            sys.stdout.reconfigure(line_buffering=True)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the supervisor sends, until it closes the pipe or dies."""
        while True:
            line, end, rest = self._read.partition(b"\n")
            if end:
                self._read = rest
                yield json.loads(line)
            elif chunk := os.read(self._in, 65536):
                self._read += chunk
            else:
                return

    def is_called(self) -> bool:
        """Whether the supervisor has sent something more."""
        return b"\n" in self._read or bool(select.select([self._in], [], [], 0)[0])

    def send(self, message: dict[str, Any]) -> None:
        """Say one thing.  Raises ValueError at figures that are not finite, OSError when nobody listens."""
        rest = memoryview(json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._out, rest) :]


def live_and_die_with(supervisor: int, *, runs_foreign_code: bool) -> None:
    """Die when the supervisor dies, be the first to go when memory runs out, leave a stack but no core file.

    A kernel may never return to Python, so a worker asks for SIGKILL; a builder takes its compilers with it.
    """
    if sys.platform == "linux":
        signal.signal(signal.SIGTERM, _end_group)
        end = signal.SIGKILL if runs_foreign_code else signal.SIGTERM
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(end), 0, 0, 0)
    if os.getppid() != supervisor:  # it died before we asked to be told
        _end_group()
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("700", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.enable()


def die_with_parent() -> None:
    """SIGKILL as soon as whoever started this process is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def read_spec(path: Path) -> RunSpec:
    """The run's spec as `start` stored it."""
    return decode_spec(json.loads(path.read_bytes()))


def read_trials(sent: list[dict[str, Any]]) -> list[Trial]:
    """Trials as they were sent."""
    command = decode_command(json.dumps({"kind": "EnqueueTrials", "command": "", "trials": sent}).encode())
    trials: list[Trial] = command.trials
    return trials


def _end_group(*_: object) -> None:
    os.killpg(0, signal.SIGKILL)
