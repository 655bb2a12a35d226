"""One run on one device: takes commands in, keeps builders and the worker busy, writes down what happens.

A single thread waits on pipes, the doorbell, signals and the next deadline; nothing it does may block for long, so that
a cancel is carried out at once whatever a kernel, a compiler or a disk is up to.
"""

from __future__ import annotations

import os
import selectors
import signal
import time
from dataclasses import dataclass
from functools import partial
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from tunetui_agent.backlog import Backlog
from tunetui_agent.build_pool import BuildPool, BuildReports, jobs_of
from tunetui_agent.children import Child, Log, agent_command, agent_environment
from tunetui_agent.devices.energy import REASON
from tunetui_agent.examined import ENERGY
from tunetui_agent.folder import is_watched
from tunetui_agent.helm import Helm
from tunetui_agent.host_report import HostReport
from tunetui_agent.journal import JournalError
from tunetui_agent.leaders import Leaders, wanted_by
from tunetui_agent.messages import (
    CancelRun,
    CloseQueue,
    CommandAccepted,
    ConsiderFinalists,
    Device,
    DeviceFound,
    EnqueueTrials,
    NoticeRaised,
    RunEnded,
    StopRun,
    Toolchain,
    decode_command,
)
from tunetui_agent.stages import Stages
from tunetui_agent.worker import THREAD_VARIABLES
from tunetui_agent.worker_seat import WorkerReports, WorkerSeat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunetui_agent.folder import RunFolder
    from tunetui_agent.inbox import Inbox
    from tunetui_agent.journal import Journal
    from tunetui_agent.messages import RunSpec


_MEGABYTE = 1 << 20
KEEP_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "hugetlb": 1, "top_pad": 64 * _MEGABYTE, "trim_threshold": 256 * _MEGABYTE, "mmap_threshold": 32 * _MEGABYTE,
    }.items()
)  # fmt: skip
"""A compiler takes the same hundred megabytes for every variant and gives them back after each: getting them page by page
is some 4 % of its time.  A builder's compilers keep them, in large pages where the system has those for whoever asks."""
OVERDUE = "the budget is used up, and nobody was there to end the run"


@dataclass(frozen=True)
class Claim:
    """What `start` took for this run before the supervisor begins."""

    spec: RunSpec
    run: RunFolder
    cache: Path
    journal: Journal
    inbox: Inbox
    idle_seconds: float  # how long to wait for work that nobody is there to send
    settle: Callable[[], None]  # brings to disk what stands beside the journal; may raise OSError
    release_device: Callable[[], None]


class Supervisor:
    """Decides; the seats, the pool and the backlog know how."""

    def __init__(self, claim: Claim) -> None:
        self._claim, self._journal = claim, claim.journal
        self._selector, self._log = selectors.DefaultSelector(), Log(claim.run.stderr)
        self._backlog = Backlog()
        spec = claim.spec
        self._pool = BuildPool(
            spec,
            jobs_of(spec, os.cpu_count() or 1),
            self._backlog,
            lambda hear: self._spawn("builder", hear),
            BuildReports(
                toolchains=self._on_toolchains,
                happened=self._journal.append,
                unusable=lambda why: self._end("failed", why),
            ),
        )
        say, leaders = self._journal.append, Leaders(wanted_by(spec))
        self._stages = Stages(spec.method, self._backlog, self._pool.folders, say, leaders)
        self._worker = WorkerSeat(
            lambda hear: self._spawn("worker", hear),
            spec.method.trial_timeout_seconds,
            WorkerReports(
                ready=self._on_ready,
                ceilings=self._journal.append,
                progressed=self._journal.append,
                outcome=self._stages.outcome,
                raced=self._stages.race_over,
                examined=self._stages.load.saw,
                examination_over=self._stages.examination_over,
                to_repeat=self._backlog.put_back,
                unusable=lambda why: self._end("failed", why),
            ),
        )
        self._helm = Helm(self._backlog, self._stages, self._worker, self._journal.append)
        # A compiler beside a measurement costs a GPU nothing; on a CPU it is the noise we warn others of.
        self._builds_disturb = spec.device == "cpu"
        self._commands: set[str] = set()
        self._device: tuple[Device, str] | None = None
        self._toolchains: list[Toolchain] | None = None
        self._foreseen = False
        self._run_deadline = time.monotonic() + spec.deadline_seconds if spec.deadline_seconds else None
        self._found = self._closed = self._stopping = self._ended = False
        self._host = HostReport(self._journal.append, spec.device)
        self._idle_since: float | None = None

    def run(self) -> None:
        """Until the run has ended and its last record is on disk."""
        try:
            self._begin()
            while not self._ended:
                self._advance()
                self._wait()
        except JournalError as error:
            self._end("failed", str(error))
        finally:
            if not self._ended:  # a defect of ours: its traceback goes to stderr.log, and the journal still ends
                self._end("failed", "the supervisor broke; stderr.log on the host says where")

    # ------------------------------------------------------------------ the loop

    def _begin(self) -> None:
        wakeup = _pipe_of_signals()
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._on_signals(os.read(wakeup, 4096)))
        self._selector.register(self._claim.inbox.doorbell, selectors.EVENT_READ, self._read_commands)
        self._host.warn_of_load()
        kind = "cpu" if self._claim.spec.device == "cpu" else "gpu"
        self._pool.ask_toolchains(kind)  # first: nothing is built before this one's answer
        ready, settle = partial(self._pool.get_ready, kind), partial(self._journal.begin_sync, self._claim.settle)
        for step in (self._worker.start, self._read_commands, ready, settle):  # children take longer than the disk
            if not self._ended:
                step()

    def _wait(self) -> None:
        if self._ended:
            return
        deadlines = [each.deadline() for each in (self._worker, self._pool)]
        deadlines += [self._journal.sync_due(), self._idle_deadline(), self._run_deadline]
        if self._found and self._idle_since is None:
            deadlines.append(self._host.due)
        nearest = min((each for each in deadlines if each is not None), default=None)
        timeout = None if nearest is None else max(0.0, nearest - time.monotonic())
        for key, _ in self._selector.select(timeout):
            if not self._ended:
                key.data()
        if not self._ended:
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        due = self._journal.sync_due()
        if due is not None and now >= due:
            self._journal.begin_sync()
        self._worker.look_at_clock()
        self._pool.look_at_clock()
        if self._found and self._idle_since is None:
            self._host.sample_if_due(now)
        if self._run_deadline is not None and now >= self._run_deadline:
            self._run_deadline = None
            self._journal.append(NoticeRaised(code="deadline", text=OVERDUE))
            self._stop()
        idle = self._idle_deadline()
        if idle is not None and now >= idle and not self._ended:
            if is_watched(self._claim.run.watched):
                self._idle_since = now
            else:
                seconds = self._claim.idle_seconds
                self._end("idle", f"nothing was queued and nobody was attached for {seconds:g} s: the device is free")

    def _advance(self) -> None:
        if self._ended:
            return
        if self._found:
            self._stages.report_refused()
        if self._toolchains is not None and not self._stopping:
            if self._found:
                self._begin_trial()
            building_disturbs = self._builds_disturb and (self._worker.busy or self._backlog.head_is_ready())
            if not building_disturbs:
                self._pool.advance()
            if self._found:
                self._stages.report_refused()
        if self._worker.busy:
            self._idle_since = None
        elif self._stopping:
            self._end("stopped", "")
        elif self._found and not self._backlog and self._closed and not self._helm.paused:
            self._race_or_end()
        elif self._backlog:
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = time.monotonic()

    def _begin_trial(self) -> None:
        if self._helm.paused or not self._worker.idle or (self._builds_disturb and self._pool.busy):
            return
        job = self._stages.next_early_race() or self._stages.next_measurement(in_order=self._builds_disturb)
        if job:
            self._worker.begin(job)
        elif not self._foreseen and (trial := self._backlog.first()):
            self._foreseen = True
            self._worker.foresee(trial)

    def _race_or_end(self) -> None:
        if self._stages.revisits.next():
            self._visit_again()
        elif not self._stages.races_left and self._stages.leaders.next_group() is None:
            self._end("done", "")
        elif self._worker.idle:
            job = self._stages.next_race() if self._stages.races_left else self._stages.next_examination()
            if job:
                self._worker.begin(job)
        self._idle_since = None

    def _visit_again(self) -> None:
        """One row's second visit, by another process than its first: what a process holds by chance is drawn anew."""
        if self._worker.idle and self._stages.revisits.begins_turn(time.monotonic()):
            self._worker.renew()
        elif self._worker.idle:
            self._worker.begin(self._stages.next_revisit())

    def _end(self, reason: str, detail: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._worker.end()
        self._pool.end()
        rmtree(self._claim.run.references, ignore_errors=True)
        self._journal.last_words(RunEnded(reason=reason, detail=detail))
        self._worker.wait()  # tenths of a second on a GPU, for which only who wants the device next has to wait
        self._claim.release_device()
        self._pool.wait()

    # ------------------------------------------------------------------ what comes in

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._stop()
        if signal.SIGCHLD in numbers:
            self._worker.look_at_child()
            if not self._ended:
                self._pool.look_at_children()

    def _read_commands(self) -> None:
        for line in self._claim.inbox.lines():
            try:
                command = decode_command(line)
            except ValueError as error:
                self._journal.append(NoticeRaised(code="command-unreadable", text=str(error)[:500]))
                continue
            if command.command in self._commands:
                continue
            self._commands.add(command.command)
            self._journal.append(CommandAccepted(command=command.command))
            self._carry_out(command)
            if self._ended:
                return

    def _carry_out(self, command: Any) -> None:
        if isinstance(command, EnqueueTrials):
            self._backlog.add(command.trials)
        elif isinstance(command, ConsiderFinalists):
            self._stages.consider(command.contenders)
        elif isinstance(command, CloseQueue):
            self._closed = True
            if command.races is not None:
                self._stages.race_only(command.races)
        elif isinstance(command, StopRun):
            self._stop()
        elif isinstance(command, CancelRun):
            self._end("cancelled", "")
        else:
            self._helm.carry_out(command)

    def _stop(self) -> None:
        self._stopping = True
        self._worker.end_race()

    def _on_ready(self, message: dict[str, Any]) -> None:
        self._device = Device(**message["device"]), message["eviction"]
        self._stages.revisits.process_ready(time.monotonic())
        if REASON in self._device[0].details:
            self._stages.leaders.give_up(ENERGY)
        told, found = self._claim.spec.architecture, message["target"]["architecture"]
        self._pool.set_target(message["target"])
        self._announce_device()
        if told and told != found:
            self._end("failed", f"the device takes {found}, the app was told {told}")

    def _on_toolchains(self, found: list[Toolchain]) -> None:
        self._toolchains = found
        self._announce_device()

    def _announce_device(self) -> None:
        if self._device is None or self._toolchains is None or self._found:
            return
        device, eviction = self._device
        self._journal.append(DeviceFound(device=device, toolchains=self._toolchains, eviction=eviction))
        self._found = True

    # ------------------------------------------------------------------ what is watched

    def _idle_deadline(self) -> float | None:
        return None if self._idle_since is None else self._idle_since + self._claim.idle_seconds

    def _spawn(self, what: str, hear: Callable[[dict[str, Any]], None]) -> Child:
        return Child(*_command(self._claim, what), self._selector, hear, self._log)


def _pipe_of_signals() -> int:
    """Where the numbers of signals arrive from now on."""
    wakeup, signalled = os.pipe()
    for end in (wakeup, signalled):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(signalled, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return wakeup


def _command(claim: Claim, what: str) -> tuple[list[str], dict[str, str]]:
    """How a worker or a builder of this run is started, and its environment."""
    environment = agent_environment()
    if what == "worker":
        environment.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    else:
        environment.setdefault("GLIBC_TUNABLES", KEEP_MEMORY)
    arguments = [what, "--root", str(claim.cache), "--spec", str(claim.run.spec)]
    return agent_command(*arguments, "--supervisor", str(os.getpid())), environment
