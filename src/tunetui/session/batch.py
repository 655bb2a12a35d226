"""One run wired together: plan, agent, journal, fold, leaderboard.  Both faces of tunetui sit on this."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import tunetui
from tunetui.core.decoding import grid_to_dict
from tunetui.core.errors import TunetuiError
from tunetui.core.events import (
    PlannedKernel,
    ProvenanceRecorded,
    RunFinished,
    RunPlanned,
    RunResumed,
    TrialsQueued,
    TrialsStaled,
)
from tunetui.core.publishing import build_leaderboard
from tunetui.session.agents import Agents
from tunetui.session.opening import BatchOptions, Opened, open_plan, run_spec, source_hashes
from tunetui.session.recording import Recording
from tunetui.session.resuming import Standing, agents_name, agents_to_take_over, contenders, stand
from tunetui.store.journal import Journal
from tunetui.store.leaderboard import write_leaderboard
from tunetui.store.runs import RunFolder, run_id, runs_root
from tunetui_agent.messages import FAILURES, NoticeRaised, reference_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.core.snapshot import Run

_AGENTS_IN_VAIN = 3
"""That many agents of one start may die with nothing done since the one before."""


@dataclass(frozen=True)
class ResumeSummary:
    """What an earlier start of the same run left."""

    found: bool = False
    done: int = 0
    failed: int = 0  # of those that are done
    stale: dict[str, int] = field(default_factory=dict)  # reason to rows
    missing: int = 0  # stale ones included
    reattached: bool = False  # the agent is still at work
    journal: Path | None = None
    archived: Path | None = None  # where --fresh put the old journal
    damage: list[str] = field(default_factory=list)  # lines of the journal that could not be used, in words


class Session:
    """A run from its plan to its files; open it with `Session.open`, close it with `close`."""

    def __init__(self, opened: Opened, folder: RunFolder, journal: Journal) -> None:
        self.grid, self.kernel, self.plan = opened.grid, opened.kernel, opened.plan
        self.device, self.toolchains = opened.device, opened.toolchains
        self.arrived = opened.arrived  # what bundles brought to the host
        self.ended = ""  # "done" | "interrupted" | "budget" | "failed"
        self.resume = ResumeSummary(journal=journal.path)
        self._options, self._opened, self._folder = opened.options, opened, folder
        self._recording = Recording(journal)
        self._agents = Agents(opened.link, self._recording)
        self._alive = ""  # an agent run found at work when the session was opened
        self._stop_asked = ""  # "", "interrupted" or "budget"
        self._retry_failed = opened.options.retry_failed

    @classmethod
    async def open(cls, options: BatchOptions) -> Session:
        """Load, probe, plan, take the run's folder and see what it holds.

        Raises:
            TunetuiError: anything that makes the run impossible, in words.
        """
        opened = await open_plan(options)
        folder = RunFolder(runs_root() / run_id(opened.grid.name, options.stem), fresh=options.fresh)
        try:
            session = cls(opened, folder, Journal(folder.journal))
        except TunetuiError:
            folder.close()
            raise
        try:
            await session._catch_up()
        except BaseException:
            session.close()
            raise
        return session

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        return self._recording.snapshot

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Measure what is missing, until there is nothing left, the budget ends or somebody asks to stop.

        ``on_record`` gets every journal line that is written meanwhile.  `ended` says how it ended.

        Raises:
            TunetuiError: the agent cannot be started or followed, or the journal cannot be written.
        """
        self._recording.on_line = on_record
        self.ended = "failed"  # until it is not
        try:
            await self._within_budget(self._attend())
            self.ended = self._how_it_ended()
        except asyncio.CancelledError:  # this process leaves; the agent goes on, so nothing has ended
            self.ended = ""
            raise
        finally:
            if self.ended:
                self._recording.say(RunFinished(reason=self.ended, detail=self._agents.failed))
            self._recording.journal.sync()

    def request_stop(self, reason: str = "interrupted") -> None:
        """Finish the present trial, then end."""
        self._stop_asked = self._stop_asked or reason
        self._agents.stop()

    def request_cancel(self) -> None:
        """End at once; the present trial is lost."""
        self._stop_asked = "interrupted"
        self._agents.cancel()

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        return build_leaderboard(self.snapshot)

    def save(self) -> list[Path]:
        """Write STEM.leaderboard.toml and STEM.leaderboard.json.  Raises StoreError."""
        return write_leaderboard(self.leaderboard(), self._options.stem)

    def close(self) -> None:
        """Let go of the run; whatever the agent still does goes on."""
        try:
            self._recording.journal.close()
        finally:
            self._folder.close()

    async def disconnect(self) -> None:
        """Let go of the hosts."""
        await self._opened.link.close()

    # ------------------------------------------------------------------ what is there already

    async def _catch_up(self) -> None:
        """Take over what the last agent wrote after the last app was gone; it may still be at work."""
        journal = self._recording.journal
        found = bool(journal.recovered.records)
        damage = [f"line {d.line} of the journal could not be used and was skipped: {d.reason}" for d in journal.damage]
        said = {notice.text for notice in self.snapshot.notices}
        for text in damage:
            if text not in said:  # by an earlier start
                self._recording.say(NoticeRaised(code="journal-damaged", text=text))
        states = await self._agents.states() if found or self._folder.archived else {}
        if self._folder.archived:
            await self._end_all(states)
        name = self._folder.folder.name
        for source in agents_to_take_over(name, self.snapshot, states):
            if states.get(source) == "running":
                self._alive = source
            elif source in states:
                await self._agents.follow(source)
        standing = self._standing()
        self.resume = ResumeSummary(
            found=found,
            done=len(standing.kept),
            failed=sum(self.snapshot.rows[kept].status in FAILURES for kept in standing.kept),
            stale=standing.stale_counts,
            missing=len(standing.missing),
            reattached=bool(self._alive),
            journal=journal.path,
            archived=self._folder.archived,
            damage=damage,
        )

    async def _end_all(self, states: Mapping[str, str]) -> None:
        """End the agents of the journal that was put away: they would keep the device from the new one's."""
        for source, state in states.items():
            if state == "running" and source.startswith(f"{self._folder.folder.name}-"):
                await self._agents.end(source)

    def _standing(self) -> Standing:
        return stand(self.plan.trials, self.plan.provenances, self.snapshot, retry_failed=self._retry_failed)

    # ------------------------------------------------------------------ measuring

    async def _attend(self) -> None:
        """Follow the agent that is there, then have measured what it leaves missing."""
        if self._alive:
            version, command = tunetui.__version__, self._options.command
            self._recording.say(RunResumed(tunetui_version=version, command=command, attached=True))
            await self._agents.follow(self._alive)
            if self._stop_asked or (self._is_planned() and not self._standing().missing):
                return
        self._plan_run()
        in_vain = 0
        # An agent that dies is replaced, unless several in a row got nothing done.
        while (standing := self._standing()).missing and not self._stop_asked and in_vain < _AGENTS_IN_VAIN:
            name = agents_name(self._folder.folder.name, self.snapshot)
            spec = run_spec(self._opened, name + secrets.token_hex(4))
            rivals = contenders(standing, self.plan.trials, self.snapshot, self.grid.method.finalists)
            if await self._agents.measure(spec, standing.missing, rivals) != "dead":
                return
            in_vain = 0 if len(self._standing().kept) > len(standing.kept) else in_vain + 1

    def _is_planned(self) -> bool:
        """Whether the plan on record asks for what this one does; targets and axes may have been edited meanwhile."""
        plan, now = self.snapshot.plan, self._planned()
        return plan is not None and (plan.grid, plan.kernel, plan.axes) == (now.grid, now.kernel, now.axes)

    def _plan_run(self) -> None:
        """The plan, its provenances and its trials, on record before anything is measured."""
        standing = self._standing()
        self._retry_failed = False  # from here on they are queued; those that fail again stand
        if standing.stale:
            self._recording.say(TrialsStaled(reasons=standing.stale))
        self._recording.say(self._planned())
        for identity, fields in self.plan.provenances.items():
            if self.snapshot.provenances.get(identity) != fields:
                self._recording.say(ProvenanceRecorded(id=identity, fields=fields))
        refs = [reference_to(trial) for trial in standing.missing]
        self._recording.say(TrialsQueued(trials=refs, kept=standing.kept))

    def _planned(self) -> RunPlanned:
        return RunPlanned(
            run=self._folder.folder.name,
            name=self.grid.name,
            tunetui_version=tunetui.__version__,
            command=self._options.command,
            started=time.time(),
            seed=self.grid.method.seed,
            grid=grid_to_dict(self.grid),
            kernel=PlannedKernel(
                name=self.kernel.name, source_hashes=source_hashes(self.kernel), metrics=dict(self.kernel.metrics)
            ),
            problems=list(self.plan.problems),
            axes=self.plan.axes,
            trials=len(self.plan.trials),
            excluded=self.plan.excluded,
            method=asdict(self.grid.method),
            device_kind=self.device.kind,
        )

    async def _within_budget(self, work: Awaitable[None]) -> None:
        minutes = self.grid.budget.minutes
        timer = None
        if minutes is not None:
            timer = asyncio.get_running_loop().call_later(minutes * 60, self.request_stop, "budget")
        try:
            await work
        finally:
            if timer:
                timer.cancel()

    def _how_it_ended(self) -> str:
        if self._stop_asked == "interrupted":
            return "interrupted"
        if self._standing().missing:
            return self._stop_asked or "failed"
        return "budget" if self.plan.sampled else "done"
