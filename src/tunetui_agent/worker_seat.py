"""The supervisor's side of the worker: gives it trials, times them, and replaces it when a kernel breaks it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunetui_agent.backlog import reference_to
from tunetui_agent.children import Child, death_of
from tunetui_agent.messages import TrialFailed, TrialMeasured, TrialProgressed, TrialRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui_agent.backlog import Entry

START_SECONDS = 120.0
"""For loading NumPy or CuPy and opening the device on a cold disk."""
KILL_SECONDS = 15.0
"""A process that outlives SIGKILL this long is stuck in a driver."""
STARTS_BEFORE_GIVING_UP = 3


@dataclass(frozen=True)
class WorkerReports:
    """Whom to tell what."""

    ready: Callable[[dict[str, Any]], None]
    progressed: Callable[[TrialProgressed], None]
    over: Callable[[Entry, TrialMeasured | TrialFailed], None]
    to_repeat: Callable[[Entry], None]
    unusable: Callable[[str], None]


class WorkerSeat:
    """Holds at most one worker, which measures at most one trial."""

    def __init__(
        self, spawn: Callable[[Callable[[dict[str, Any]], None]], Child], timeout_seconds: float, reports: WorkerReports
    ) -> None:
        self._spawn, self._timeout_seconds, self._reports = spawn, timeout_seconds, reports
        self._child: Child | None = None
        self._starting = self._ready = False
        self._entry: Entry | None = None
        self._began = 0.0
        self._deadline: float | None = None
        self._killed = False  # by us, for taking too long
        self._leaving = False  # of its own accord: its device is lost to it
        self._measured = 0  # trials by the present worker
        self._failed_starts = 0

    @property
    def idle(self) -> bool:
        """Ready for a trial."""
        return self._ready and self._entry is None

    @property
    def busy(self) -> bool:
        """Measuring a trial."""
        return self._entry is not None

    def start(self) -> None:
        """Start a worker; its readiness is reported."""
        self._starting, self._measured = True, 0
        self._killed = self._leaving = False
        self._deadline = time.monotonic() + START_SECONDS
        try:
            self._child = self._spawn(self._hear)
        except OSError as error:
            self._reports.unusable(f"the worker cannot be started: {error.strerror or error}")

    def begin(self, entry: Entry, trial: dict[str, Any], artifact: str | None) -> None:
        """Give it a trial."""
        if self._child is None:
            raise RuntimeError("no worker to give a trial to")
        self._entry, self._began = entry, time.monotonic()
        self._deadline = self._began + self._timeout_seconds
        self._child.send({"trial": trial, "artifact": artifact})

    def deadline(self) -> float | None:
        """The monotonic time at which `look_at_clock` has something to do."""
        return self._deadline

    def look_at_clock(self) -> None:
        """Kill a worker that took too long."""
        if self._child is None or self._deadline is None or time.monotonic() < self._deadline:
            return
        if self._killed:
            self._reports.unusable("the worker outlived SIGKILL: it is stuck in a driver, which a reboot may cure")
            return
        self._deadline = time.monotonic() + KILL_SECONDS
        self._killed, self._ready = True, False
        self._child.kill()
        if self._entry:
            cause = f"took longer than {self._timeout_seconds:g} s"
            self._finish("timed_out", cause)

    def look_at_child(self) -> None:
        """After a SIGCHLD: is it gone, and what does that say about the trial?"""
        if self._child is None:
            return
        status = self._child.exit_status()
        if status is None or self._child is None:  # its last words may have ended the run
            return
        child, self._child, self._deadline = self._child, None, None
        self._ready = False
        child.kill()  # what it left behind in its process group
        child.close()
        if self._starting or not (self._entry or self._killed or self._leaving):
            self._failed_starts += 1
        if self._entry and self._measured and not self._entry.retried:
            # An earlier kernel may have broken this process: only a fresh one tells whose fault it was.
            entry, self._entry = self._entry, None
            entry.retried = True
            self._reports.to_repeat(entry)
        elif self._entry:
            self._finish("crashed", death_of(status), child.printed.decode(errors="replace"))
        if self._failed_starts >= STARTS_BEFORE_GIVING_UP:
            said = child.printed.decode(errors="replace").strip().rpartition("\n")[2]
            how = "did not start in time" if self._killed else death_of(status)
            self._reports.unusable(f"the worker cannot start: {how}" + (f": {said}" if said else ""))
        else:
            self.start()

    def end(self) -> None:
        """Kill it; nothing is reported any more."""
        self._entry, self._deadline = None, None
        if self._child:
            self._child.kill()
            self._child.wait(KILL_SECONDS)
            self._child.close()
            self._child = None

    def _hear(self, message: dict[str, Any]) -> None:
        said = message.get("say")
        if self._killed:
            return  # its trial is decided
        if said == "ready":
            self._ready, self._starting, self._deadline = True, False, None
            self._reports.ready(message)
        elif said == "refused":
            self._reports.unusable(str(message.get("cause")))
        elif said == "progress" and self._entry:
            self._reports.progressed(TrialProgressed(**message["event"]))
        elif said == "outcome" and self._entry:
            kind = TrialMeasured if message["kind"] == TrialMeasured.__name__ else TrialFailed
            event = dict(message["event"])
            event["trial"] = TrialRef(**event["trial"])
            if message["last"]:
                self._ready, self._leaving = False, True
            self._over(kind(**event))

    def _finish(self, status: str, cause: str, detail: str = "") -> None:
        if self._entry is None:
            return
        seconds = time.monotonic() - self._began
        trial = reference_to(self._entry.trial)
        self._over(TrialFailed(trial=trial, status=status, cause=cause, detail=detail, seconds=seconds))

    def _over(self, event: TrialMeasured | TrialFailed) -> None:
        entry, self._entry = self._entry, None
        self._measured += 1
        self._failed_starts = 0
        if not self._killed:
            self._deadline = None
        if entry:
            self._reports.over(entry, event)
