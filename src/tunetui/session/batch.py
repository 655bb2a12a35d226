"""One run wired together: plan, agent, journal, fold, leaderboard.  Both faces of tunetui sit on this."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import tunetui
from tunetui.core.cleaning import clean
from tunetui.core.decoding import grid_to_dict
from tunetui.core.errors import TunetuiError
from tunetui.core.events import (
    PlannedKernel,
    ProvenanceRecorded,
    Record,
    RunFinished,
    RunPlanned,
    RunResumed,
    TrialsQueued,
    TrialsStaled,
)
from tunetui.core.publishing import build_leaderboard
from tunetui.core.records import encode_app_record, wrap
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.engines.channel import AgentRefusedError, Follower, Position, ask_json
from tunetui.session.opening import BatchOptions, Opened, open_plan, run_spec, source_hashes
from tunetui.session.resuming import Standing, stand
from tunetui.store.journal import Journal
from tunetui.store.leaderboard import write_leaderboard
from tunetui.store.runs import RunFolder, run_id, runs_root
from tunetui_agent.messages import (
    CancelRun,
    CloseQueue,
    CommandAccepted,
    EnqueueTrials,
    NoticeRaised,
    RunEnded,
    StopRun,
    Trial,
    TrialRef,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunetui.core.leaderboard import Leaderboard

ENQUEUED_AT_ONCE = 1000
"""Trials of one command: its line stays far below what the agent accepts."""
_FOLD_AT_ONCE = 2000


@dataclass(frozen=True)
class ResumeSummary:
    """What an earlier start of the same run left."""

    found: bool = False
    done: int = 0
    stale: dict[str, int] = field(default_factory=dict)  # reason to rows
    missing: int = 0  # stale ones included
    reattached: bool = False  # the agent is still at work
    journal: Path | None = None
    archived: Path | None = None  # where --fresh put the old journal


class Session:
    """A run from its plan to its files; open it with `Session.open`, close it with `close`."""

    def __init__(self, opened: Opened, folder: RunFolder, journal: Journal) -> None:
        self._opened, self._folder, self._journal = opened, folder, journal
        self.grid, self.kernel, self.plan = opened.grid, opened.kernel, opened.plan
        self.device, self.toolchains = opened.device, opened.toolchains
        self.ended = ""  # "done" | "interrupted" | "budget" | "failed"
        self.resume = ResumeSummary(journal=journal.path)
        self._snapshot = fold(Run(), journal.recovered.records)
        self._pending: list[Record] = []
        self._on_record: Callable[[bytes], None] | None = None
        self._follower: Follower | None = None
        self._source = ""  # the agent run being followed
        self._attached_source = ""  # one found alive when the session was opened
        self._stop_asked = ""  # "", "interrupted" or "budget"

    @classmethod
    async def open(cls, options: BatchOptions) -> Session:
        """Load, probe, plan, take the run's folder and see what it holds.

        Raises:
            TunetuiError: anything that makes the run impossible, in words.
        """
        opened = await open_plan(options)
        folder = RunFolder(runs_root() / run_id(opened.grid.name, options.stem), fresh=options.fresh)
        try:
            journal = Journal(folder.journal)
        except TunetuiError:
            folder.close()
            raise
        session = cls(opened, folder, journal)
        try:
            await session._catch_up()
        except BaseException:
            session.close()
            raise
        return session

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        if self._pending:
            records, self._pending = self._pending, []
            self._snapshot = fold(self._snapshot, records)
        return self._snapshot

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Measure what is missing, until there is nothing left, the budget ends or somebody asks to stop.

        ``on_record`` gets every journal line that is written meanwhile.  `ended` says how it ended.
        """
        self._on_record = on_record
        try:
            if self._attached_source:
                self._say(
                    RunResumed(tunetui_version=tunetui.__version__, command=self._opened.options.command, attached=True)
                )
                await self._within_budget(self._follow(self._attached_source))
                self._attached_source = ""
            missing = self._standing().missing
            if not self._stop_asked and (missing or not self.resume.reattached):
                self._plan_run()
                if missing:
                    await self._within_budget(self._measure())
            self.ended = self._stop_asked or self.ended or self._how_it_ended()
        except TunetuiError as error:
            self.ended = "failed"
            self._say(NoticeRaised(code="run-failed", text=error.message))
            raise
        finally:
            self._say(RunFinished(reason=self.ended or "failed"))
            self._journal.sync()

    def request_stop(self, reason: str = "interrupted") -> None:
        """Finish the present trial, then end."""
        self._stop_asked = self._stop_asked or reason
        if self._follower:
            self._follower.outbox.send(StopRun(command=_fresh_id("stop")))

    def request_cancel(self) -> None:
        """End at once; the present trial is lost."""
        self._stop_asked = "interrupted"
        if self._follower:
            self._follower.outbox.send(CancelRun(command=_fresh_id("cancel")))

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        return build_leaderboard(self.snapshot)

    def save(self) -> list[Path]:
        """Write STEM.leaderboard.toml and STEM.leaderboard.json.  Raises StoreError."""
        return write_leaderboard(self.leaderboard(), self._opened.options.stem)

    def close(self) -> None:
        """Let go of the run; whatever the agent still does goes on."""
        try:
            self._journal.close()
        finally:
            self._folder.close()

    # ------------------------------------------------------------------ what is there already

    async def _catch_up(self) -> None:
        """Take over what the last agent wrote after the last app was gone; it may still be at work."""
        found = bool(self._journal.recovered.records)
        for damage in self._journal.damage:
            text = f"line {damage.line} of the journal could not be used and was skipped: {damage.reason}"
            self._say(NoticeRaised(code="journal-damaged", text=text))
        open_agents = [agent.source for agent in self.snapshot.agents.values() if not agent.ended]
        states = await self._agent_states() if open_agents else {}
        for source in open_agents:
            if states.get(source) == "running":
                self._attached_source = source
            elif source in states:
                await self._follow(source)
        standing = self._standing()
        if standing.stale and not self._attached_source:
            self._say(TrialsStaled(reasons=standing.stale))
        self.resume = ResumeSummary(
            found=found,
            done=len(standing.kept),
            stale=standing.stale_counts,
            missing=len(standing.missing),
            reattached=bool(self._attached_source),
            journal=self._journal.path,
            archived=self._folder.archived,
        )

    async def _agent_states(self) -> dict[str, str]:
        answer = await ask_json(self._opened.link, ["list"])
        runs = answer.get("runs")
        rows = runs if isinstance(runs, list) else []
        return {str(row.get("run")): str(row.get("state")) for row in rows if isinstance(row, dict)}

    def _standing(self) -> Standing:
        return stand(
            self.plan.trials, self.plan.provenances, self.snapshot, retry_failed=self._opened.options.retry_failed
        )

    # ------------------------------------------------------------------ measuring

    def _plan_run(self) -> None:
        """The plan, its provenances and its trials, on record before anything is measured."""
        standing = self._standing()
        self._say(self._planned())
        for identity, fields in self.plan.provenances.items():
            if self.snapshot.provenances.get(identity) != fields:
                self._say(ProvenanceRecorded(id=identity, fields=fields))
        refs = [
            TrialRef(
                id=t.id, implementation=t.implementation, problem=t.problem,
                configuration=t.configuration, provenance=t.provenance,
            )
            for t in standing.missing
        ]  # fmt: skip
        self._say(TrialsQueued(trials=refs, kept=standing.kept))

    def _planned(self) -> RunPlanned:
        _options, plan = self._opened.options, self.plan
        return RunPlanned(
            run=self._folder.folder.name,
            name=self.grid.name,
            tunetui_version=tunetui.__version__,
            command=self._opened.options.command,
            started=time.time(),
            seed=self.grid.method.seed,
            grid=grid_to_dict(self.grid),
            kernel=PlannedKernel(
                name=self.kernel.name, source_hashes=source_hashes(self.kernel), metrics=dict(self.kernel.metrics)
            ),
            problems=list(plan.problems),
            axes=plan.axes,
            trials=len(plan.trials),
            excluded=plan.excluded,
            method=asdict(self.grid.method),
            device_kind=self.device.kind,
        )

    async def _measure(self) -> None:
        """Have every missing trial measured; an agent that dies is replaced as long as each one gets something done."""
        done = -1
        while missing := self._standing().missing:
            if self._stop_asked or len(self._standing().kept) == done:
                return
            done = len(self._standing().kept)
            if await self._measure_with_one_agent(missing) != "dead":
                return

    async def _measure_with_one_agent(self, missing: list[Trial]) -> str:
        """Start an agent, hand it the trials, follow it to its end: "ended" or "dead"."""
        source = f"{self._folder.folder.name}-{secrets.token_hex(4)}"
        spec = json.dumps(asdict(run_spec(self._opened, source))).encode()
        answer = await ask_json(self._opened.link, ["start"], spec)
        if not answer.get("ok"):
            raise _refused(answer, self._opened.link.host)
        follower = self._new_follower(source)
        for start in range(0, len(missing), ENQUEUED_AT_ONCE):
            part = missing[start : start + ENQUEUED_AT_ONCE]
            follower.outbox.send(EnqueueTrials(command=f"trials-{start}", trials=part))
        follower.outbox.send(CloseQueue(command="close"))
        if self._stop_asked:
            follower.outbox.send(CancelRun(command=_fresh_id("cancel")))
        return await self._follow(source, follower)

    def _new_follower(self, source: str) -> Follower:
        self._source = source
        self._follower = Follower(
            self._opened.link,
            source,
            position=lambda: self._position(source),
            take=self._take,
            client=_client_name(),
        )
        return self._follower

    async def _follow(self, source: str, follower: Follower | None = None) -> str:
        follower = follower or self._new_follower(source)
        syncing = asyncio.create_task(self._sync_often())
        try:
            outcome = await follower.follow()
        finally:
            syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)
            self._follower = None
            self._journal.sync()
        if outcome == "dead":
            self._say(NoticeRaised(code="agent-died", text=f"agent {source} died without a last record"))
        return outcome

    async def _sync_often(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            self._journal.sync()

    async def _within_budget(self, work: Any) -> None:
        minutes = self.grid.budget.minutes
        timer = None
        if minutes is not None:
            timer = asyncio.get_running_loop().call_later(minutes * 60, self.request_stop, "budget")
        try:
            await work
        finally:
            if timer:
                timer.cancel()

    def _position(self, source: str) -> Position:
        at = self._journal.position(source)
        return Position(next_seq=at.next_seq, offset=at.offset, epoch=at.epoch)

    def _take(self, raw: bytes) -> None:
        """One record of the agent: on disk first, then in the state, then on screen."""
        record = self._journal.append_agent(self._source, raw)
        if record is None:
            return
        self._keep(record, wrap(self._source, raw.removesuffix(b"\n")))
        if isinstance(record.event, CommandAccepted) and self._follower:
            self._follower.outbox.accepted(record.event.command)
        if isinstance(record.event, RunEnded):
            if self._follower:
                self._follower.ended = record.event.reason
            if record.event.reason == "failed":
                self.ended = "failed"
                self._say(NoticeRaised(code="agent-failed", text=clean(record.event.detail) or "the agent failed"))

    def _say(self, event: Any) -> None:
        """One record of our own."""
        record = self._journal.append_app(event)
        self._keep(record, wrap("app", encode_app_record(record.seq, record.t, event)))

    def _keep(self, record: Record, line: bytes) -> None:
        self._pending.append(record)
        if len(self._pending) >= _FOLD_AT_ONCE:
            _ = self.snapshot
        if self._on_record:
            self._on_record(line)

    def _how_it_ended(self) -> str:
        if self._standing().missing:
            return "failed"
        return "budget" if self.plan.sampled else "done"


def _client_name() -> str:
    """Names this follower, so that a stale one of ours on a half-open link is replaced and nobody else's."""
    host = "".join(c if c.isalnum() or c in "-_" else "-" for c in socket.gethostname())[:40] or "host"
    return f"app-{host}-{secrets.token_hex(4)}"


def _fresh_id(what: str) -> str:
    return f"{what}-{secrets.token_hex(4)}"


def _refused(answer: dict[str, Any], host: str) -> TunetuiError:
    """The agent's refusal to start, for people."""
    code = str(answer.get("error", "error"))
    hint = ""
    if code == "device-busy":
        holder = answer.get("holder") or {}
        hint = f"it is held by run {clean(str(holder.get('run', '?')))}, process {holder.get('pid', '?')}"
    return AgentRefusedError(
        f"the agent on {host} refused to start: {clean(str(answer.get('text', code)))}",
        code=code,
        answer=answer,
        hint=hint,
    )
