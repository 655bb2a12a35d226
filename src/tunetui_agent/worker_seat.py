"""The supervisor's side of the worker: gives it work, times it, and replaces it when a kernel breaks it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui_agent.children import Child, death_of
from tunetui_agent.examined import EXAMINATIONS, TrialExamined
from tunetui_agent.messages import (
    CeilingsMeasured,
    RaceProgressed,
    TrialFailed,
    TrialMeasured,
    TrialProgressed,
    TrialRef,
    reference_to,
)
from tunetui_agent.reliability import ReliabilityEnded, ReliabilitySampled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tunetui_agent.backlog import Entry
    from tunetui_agent.messages import Trial

START_SECONDS = 120.0
"""For loading NumPy or CuPy and opening the device on a cold disk."""
KILL_SECONDS = 15.0
"""A process that outlives SIGKILL this long is stuck in a driver."""
STARTS_BEFORE_GIVING_UP = 3
_CEILINGS_TRIES = 2
"""A worker may be killed over something else meanwhile; one that dies of it costs two trials' figures at most."""
_FOUND = {cls.__name__: cls for cls in (TrialExamined, ReliabilitySampled, ReliabilityEnded)}


@dataclass(frozen=True)
class Job:
    """What a worker is busy with: one trial, the finalists of a race, or rows to look at once more."""

    stage: str  # "sweep" | "sentinel" | "remeasured" | "revisit" | "finalists" | one of EXAMINATIONS
    entries: list[Entry]
    artifacts: list[str | None]  # the folder of each one's artifact

    def request(self) -> dict[str, Any]:
        """What the worker is told."""
        trials = [asdict(entry.trial) for entry in self.entries]
        if self.stage == "finalists":
            return {"do": "race", "trials": trials, "artifacts": self.artifacts}
        if self.stage in EXAMINATIONS:
            return {"do": "examine", "what": self.stage, "trials": trials, "artifacts": self.artifacts}
        precision = self.entries[0].precision_percent if self.stage == "remeasured" else None
        return {
            "do": "measure", "stage": self.stage, "trial": trials[0], "artifact": self.artifacts[0],
            "precision_percent": precision,
        }  # fmt: skip


@dataclass(frozen=True)
class RaceReport:
    """How a race ended; ``broken`` is why the worker did not say so itself."""

    settled_by: str = "nothing"
    rounds: int = 0
    dropped: dict[str, str] = field(default_factory=dict)
    broken: str = ""


@dataclass(frozen=True)
class WorkerReports:
    """Whom to tell what."""

    ready: Callable[[dict[str, Any]], None]
    ceilings: Callable[[CeilingsMeasured], None]
    progressed: Callable[[TrialProgressed | RaceProgressed], None]
    outcome: Callable[[Entry, TrialMeasured | TrialFailed], None]  # of a trial, or of one finalist
    raced: Callable[[RaceReport, float], None]  # with the seconds that it took; after the finalists' outcomes
    examined: Callable[[TrialExamined | ReliabilitySampled | ReliabilityEnded], None]
    examination_over: Callable[[Job, str], None]  # with why the worker did not say so itself
    to_repeat: Callable[[Entry], None]
    unusable: Callable[[str], None]


class WorkerSeat:
    """Holds at most one worker, which has at most one job."""

    def __init__(
        self, spawn: Callable[[Callable[[dict[str, Any]], None]], Child], timeout_seconds: float, reports: WorkerReports
    ) -> None:
        self._spawn, self._timeout_seconds, self._reports = spawn, timeout_seconds, reports
        self._child: Child | None = None
        self._starting = self._ready = False
        self._job: Job | None = None
        self._began = 0.0
        self._deadline: float | None = None
        self._killed = False  # by us, for taking too long
        self._leaving = False  # of its own accord: its device is lost to it
        self._measured = 0  # trials by the present worker
        self._failed_starts = 0
        self._ceilings_tries = _CEILINGS_TRIES  # left; once is enough, whichever process measures them

    @property
    def idle(self) -> bool:
        """Ready for a job."""
        return self._ready and self._job is None

    @property
    def busy(self) -> bool:
        """Measuring."""
        return self._job is not None

    def start(self) -> None:
        """Start a worker; its readiness is reported."""
        self._starting, self._measured = True, 0
        self._killed = self._leaving = False
        self._deadline = time.monotonic() + START_SECONDS
        try:
            self._child = self._spawn(self._hear)
        except OSError as error:
            self._reports.unusable(f"the worker cannot be started: {error.strerror or error}")

    def begin(self, job: Job) -> None:
        """Give it a job.  A trial has to be over, a race to be heard of again, within the timeout of a trial."""
        if self._child is None:
            raise RuntimeError("no worker to give a job to")
        self._job, self._began = job, time.monotonic()
        self._deadline = self._began + self._timeout_seconds
        self._child.send({**job.request(), "ceilings": self._ceilings_tries > 0})

    def renew(self) -> None:
        """Have a fresh process take the place of this one, which has nothing to do."""
        if self._child and self.idle:
            self._ready, self._leaving = False, True
            self._deadline = time.monotonic() + KILL_SECONDS
            self._killed = True
            self._child.kill()

    def foresee(self, trial: Trial) -> None:
        """While it has nothing to do: make the inputs and references of this trial's problem, which take a while."""
        if self._child and self.idle:
            self._child.send({"do": "foresee", "trial": asdict(trial)})

    def end_race(self) -> None:
        """A race in hand shall end soon, without figures; an examination with those that it has."""
        if self._child and self._job and self._job.stage in ("finalists", *EXAMINATIONS):
            self._child.send({"do": "end race"})

    def abandon(self, trials: Collection[str]) -> list[str]:
        """End the trial in hand where it is one of these, without an outcome; a look at a sentinel is none of them."""
        job = self._job
        if self._child is None or job is None or job.stage not in {"sweep", "remeasured"}:
            return []
        trial = job.entries[0].trial.id
        if trial not in trials:
            return []
        self._over()
        self._killed, self._ready = True, False
        self._deadline = time.monotonic() + KILL_SECONDS
        self._child.kill()
        return [trial]

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
        if self._job:
            self._finish("timed_out", f"took longer than {self._timeout_seconds:g} s")

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
        if self._starting or not (self._job or self._killed or self._leaving):
            self._failed_starts += 1
        entry = self._job.entries[0] if self._job and self._job.stage == "sweep" else None
        if entry and self._measured and not entry.retried:
            # An earlier kernel may have broken this process: only a fresh one tells whose fault it was.
            self._job = None
            entry.retried = True
            self._reports.to_repeat(entry)
        elif self._job:
            self._finish("crashed", death_of(status), child.printed.decode(errors="replace"))
        if self._failed_starts >= STARTS_BEFORE_GIVING_UP:
            said = child.printed.decode(errors="replace").strip().rpartition("\n")[2]
            how = "did not start in time" if self._killed else death_of(status)
            self._reports.unusable(f"the worker cannot start: {how}" + (f": {said}" if said else ""))
        else:
            self.start()

    def end(self) -> None:
        """Kill it; nothing is reported any more, and it is soon gone."""
        self._job, self._deadline = None, None
        self._ready = False
        if self._child:
            self._child.kill()

    def wait(self) -> None:
        """After `end`: until it is gone and has left the device."""
        if self._child:
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
        elif self._job is None:
            return
        elif said == "describing":  # its trial is measured: what follows does not count as a part of it
            self._ceilings_tries, self._deadline = self._ceilings_tries - 1, time.monotonic() + START_SECONDS
        elif said == "ceilings":
            self._ceilings_tries = 0
            self._reports.ceilings(CeilingsMeasured(figures=message["figures"]))
        elif said == "progress":
            self._progressed(message)
        elif said == "examining":
            self._deadline = time.monotonic() + self._timeout_seconds
            if message["event"]:
                self._reports.examined(_FOUND[message["kind"]](**message["event"]))
        elif said == "examined":
            job = self._job
            self._leave_if_last(message)
            self._over()
            self._reports.examination_over(job, "")
        elif said == "outcome":
            self._measured_one(self._job, message)
        elif said == "raced":
            self._leave_if_last(message)
            report = RaceReport(message["settled_by"], message["rounds"], message["dropped"])
            self._over()
            self._reports.raced(report, time.monotonic() - self._began)

    def _progressed(self, message: dict[str, Any]) -> None:
        if message["kind"] == RaceProgressed.__name__:
            self._deadline = time.monotonic() + self._timeout_seconds
            self._reports.progressed(RaceProgressed(**message["event"]))
        else:
            self._reports.progressed(TrialProgressed(**message["event"]))

    def _measured_one(self, job: Job, message: dict[str, Any]) -> None:
        kind = TrialMeasured if message["kind"] == TrialMeasured.__name__ else TrialFailed
        event = dict(message["event"])
        event["trial"] = ref = TrialRef(**event["trial"])
        self._leave_if_last(message)
        if job.stage != "finalists":
            self._over()
        for entry in job.entries:
            if entry.trial.id == ref.id:
                self._reports.outcome(entry, kind(**event))

    def _leave_if_last(self, message: dict[str, Any]) -> None:
        if message["last"]:
            self._ready, self._leaving = False, True

    def _finish(self, status: str, cause: str, detail: str = "") -> None:
        job, seconds = self._job, time.monotonic() - self._began
        self._over()
        if job and job.stage == "finalists":
            self._reports.raced(RaceReport(broken=cause), seconds)
        elif job and job.stage in EXAMINATIONS:
            self._reports.examination_over(job, cause)
        elif job:
            (entry,) = job.entries
            ref = reference_to(entry.trial)
            failure = TrialFailed(
                trial=ref, status=status, cause=cause, detail=detail, seconds=seconds, stage=job.stage
            )
            self._reports.outcome(entry, failure)

    def _over(self) -> None:
        self._job = None
        self._measured += 1
        self._failed_starts = 0
        if not self._killed:
            self._deadline = None
