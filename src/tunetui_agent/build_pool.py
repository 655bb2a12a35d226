"""The supervisor's side of the builder children: what is asked of whom, and what becomes of a build that breaks."""

from __future__ import annotations

import functools
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui_agent.children import Child, death_of
from tunetui_agent.messages import BuildFinished, BuildStarted, Toolchain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui_agent.backlog import Artifact, Backlog
    from tunetui_agent.messages import RunSpec, Trial

START_SECONDS = 120.0
BUILT_ALONE = frozenset({"cuda"})
"""Languages of which every builder compiles one artifact at a time: as many builders as artifacts have something to do."""


def jobs_of(spec: RunSpec, cores: int) -> int:
    """How many builders run at once: as asked for, or all cores but one, shared with the run's agents of other devices there."""
    return spec.build_jobs or max(1, (cores - 1) // max(1, spec.agents_on_host))


@dataclass
class Job:
    """What one builder is busy with."""

    ask: str  # "toolchains" | "keys" | "build"
    seconds: float
    implementation: str = ""
    trials: list[Trial] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


@dataclass
class Seat:
    """One place for a builder child; empty until there is work."""

    child: Child | None = None
    job: Job | None = None
    deadline: float | None = None
    killed: bool = False


@dataclass(frozen=True)
class BuildReports:
    """Whom to tell what."""

    toolchains: Callable[[list[Toolchain]], None]
    happened: Callable[[BuildStarted | BuildFinished], None]
    unusable: Callable[[str], None]


class BuildPool:
    """Keeps up to ``jobs`` builder children at work on what the backlog needs next."""

    def __init__(
        self,
        spec: RunSpec,
        jobs: int,
        backlog: Backlog,
        spawn: Callable[[Callable[[dict[str, Any]], None]], Child],
        reports: BuildReports,
    ) -> None:
        self._languages = {each.name: each.language for each in spec.kernel.implementations}
        self._build_seconds = spec.method.build_timeout_seconds
        self._backlog, self._spawn, self._reports = backlog, spawn, reports
        self._seats = [Seat() for _ in range(jobs)]
        self._leaving: list[Child] = []
        self._batches: dict[str, int] = {}
        self._unavailable: dict[str, str] = {}
        # Where the app knows what the device takes, there is no need to wait for its worker.
        self._target: dict[str, Any] = {"kind": "gpu", "architecture": spec.architecture} if spec.architecture else {}
        self.folders: dict[str, str] = {}  # by artifact

    @property
    def busy(self) -> bool:
        return any(seat.job for seat in self._seats)

    def ask_toolchains(self, kind: str) -> None:
        """Find out which compilers there are; the answer is reported."""
        self._give(self._seats[0], Job("toolchains", START_SECONDS), {"ask": "toolchains", "kind": kind})

    def get_ready(self, kind: str) -> None:
        """Start the builders that what waits already will need."""
        alone = {name: language for name, language in self._languages.items() if language in BUILT_ALONE}
        waiting = self._backlog.count_of(alone) if self._target else 0
        ready = {"ask": "get ready", "languages": sorted(set(alone.values())), "kind": kind}
        for seat in self._seats[1:waiting]:
            try:
                seat.child = self._spawn(functools.partial(self._hear, seat))
            except OSError:  # said when it is needed
                return
            seat.child.send(ready)

    def set_target(self, target: dict[str, Any]) -> None:
        """What artifacts must run on, as the worker found it."""
        self._target = target

    def advance(self, *, may_build: bool = True) -> None:
        """Give every idle builder what the coming trials need."""
        for seat in self._seats:
            if seat.job is None and self._target:
                given = self._give_keys(seat) or (may_build and self._give_build(seat))
                if not given:
                    return

    def deadline(self) -> float | None:
        """The monotonic time at which `look_at_clock` has something to do."""
        return min((seat.deadline for seat in self._seats if seat.deadline is not None), default=None)

    def look_at_clock(self) -> None:
        """Kill builders that took too long."""
        for seat in self._seats:
            if seat.child and seat.deadline is not None and time.monotonic() >= seat.deadline:
                seat.deadline, seat.killed = None, True
                seat.child.kill()

    def look_at_children(self) -> None:
        """After a SIGCHLD: whose builder is gone, and what becomes of its work?"""
        for seat in self._seats:
            status = seat.child.exit_status() if seat.child else None
            if status is None or seat.child is None:
                continue
            child, job, killed = seat.child, seat.job, seat.killed
            seat.child, seat.job, seat.deadline, seat.killed = None, None, None, False
            child.kill()
            child.close()
            if job:
                said = child.printed.decode(errors="replace")
                how = f"took longer than {job.seconds:g} s" if killed else f"ended: {death_of(status)}"
                self._broke(job, f"the builder {how}", said)

    def end(self) -> None:
        """Kill all; nothing is reported any more, and they are soon gone."""
        self._leaving = [seat.child for seat in self._seats if seat.child]
        self._seats = []
        for child in self._leaving:
            child.kill()

    def wait(self) -> None:
        """After `end`: until they are gone."""
        for child in self._leaving:
            child.wait(5.0)
            child.close()
        self._leaving = []

    def _give_keys(self, seat: Seat) -> bool:
        trials = self._backlog.unkeyed()
        if not trials:
            return False
        implementation = trials[0].implementation
        language = self._languages.get(implementation)
        reason = self._unavailable.get(language or "")
        if language is None:
            reason = f"this run's kernel has no implementation {implementation!r}"
        if reason is not None:
            self._backlog.refuse([trial.id for trial in trials], "unsupported", reason)
            return self._give_keys(seat)
        self._give_trials(seat, Job("keys", START_SECONDS, implementation, trials))
        return True

    def _give_build(self, seat: Seat) -> bool:
        limits = {name: self._batches.get(language, 1) for name, language in self._languages.items()}
        batch = self._backlog.next_builds(limits, sum(each.job is None for each in self._seats))
        if not batch:
            return False
        artifacts = [artifact for artifact, _ in batch]
        # Builders time each compiler process themselves, and take a broken batch apart: this limit is for their own end.
        seconds = 2 * len(batch) * self._build_seconds + START_SECONDS
        job = Job("build", seconds, artifacts[0].implementation, [each for _, each in batch], artifacts)
        self._give_trials(seat, job)
        self._reports.happened(
            BuildStarted(implementation=job.implementation, artifacts=[each.name for each in artifacts])
        )
        return True

    def _give_trials(self, seat: Seat, job: Job) -> None:
        request = {"ask": job.ask, "implementation": job.implementation, "target": self._target}
        self._give(seat, job, {**request, "trials": [asdict(trial) for trial in job.trials]})

    def _give(self, seat: Seat, job: Job, message: dict[str, Any]) -> None:
        seat.job, seat.deadline = job, job.began + job.seconds
        try:
            if seat.child is None:
                seat.child = self._spawn(functools.partial(self._hear, seat))
        except OSError as error:
            self._reports.unusable(f"no builder can be started: {error.strerror or error}")
            return
        seat.child.send(message)

    def _hear(self, seat: Seat, answer: dict[str, Any]) -> None:
        if seat.job is None or seat.killed:  # what it was asked is decided, or soon will be
            return
        job, seat.job, seat.deadline = seat.job, None, None
        if job.ask == "toolchains":
            found = [Toolchain(**each) for each in answer["toolchains"]]
            self._batches = answer["batches"]
            self._unavailable = {each.language: each.reason for each in found if not each.available}
            self._reports.toolchains(found)
        elif job.ask == "keys":
            self.folders.update(answer["folders"])
            for trial, artifact in answer["keys"].items():
                self._backlog.set_key(trial, artifact)
            for trial, why in answer["refused"].items():
                self._backlog.refuse([trial], "build_failed", why)
        else:
            self._built(job, [BuildFinished(**each) for each in answer["results"]])

    def _built(self, job: Job, results: list[BuildFinished]) -> None:
        answered = {result.artifact: result for result in results}
        for artifact in job.artifacts:
            result = answered.get(artifact.name)
            result = result or self._failed(job, artifact, "the builder did not say what became of it")
            self._backlog.built(result)
            self._reports.happened(result)

    def _broke(self, job: Job, how: str, said: str) -> None:
        last = said.strip().rpartition("\n")[2]
        cause = how + (f": {last}" if last else "")
        if job.ask == "toolchains":
            self._reports.unusable(f"the compilers cannot be looked for: {cause}")
        elif job.ask == "keys":
            self._backlog.refuse([trial.id for trial in job.trials], "build_failed", cause, said)
        elif len(job.artifacts) > 1:
            self._backlog.build_again_alone(artifact.name for artifact in job.artifacts)
        else:
            result = self._failed(job, job.artifacts[0], f"{cause}\n{said}")
            self._backlog.built(result)
            self._reports.happened(result)

    def _failed(self, job: Job, artifact: Artifact, log: str) -> BuildFinished:
        return BuildFinished(
            implementation=job.implementation,
            artifact=artifact.name,
            ok=False,
            seconds=time.monotonic() - job.began,
            cached=False,
            log=log,
        )
