"""One run wired together: plan, agent, journal, fold, leaderboard.  Both faces of tunetui sit on this."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tunetui
from tunetui.core.errors import TunetuiError
from tunetui.core.events import HostsPriced, RunFinished, RunResumed, TrialsQueued
from tunetui.core.snapshot import problem_key
from tunetui.session.agents import Agents
from tunetui.session.asked import asked_of, keep
from tunetui.session.hands import DealtElsewhereError, in_other_hands, in_words
from tunetui.session.holding_back import HeldBack
from tunetui.session.leaving import left_behind
from tunetui.session.line_up import LineUp
from tunetui.session.links import Links
from tunetui.session.opening import BatchOptions, Opened, connector, folder_of, hosts_of, let_go, open_groups
from tunetui.session.places import accepted
from tunetui.session.plan_records import planned, record_plan
from tunetui.session.recording import Recording
from tunetui.session.resuming import Standing, joined, stand
from tunetui.session.spending import Spending, was_overdue
from tunetui.session.steering import Steering
from tunetui.session.unloaded import unloaded
from tunetui.store.journal import Journal
from tunetui.store.runs import RunFolder
from tunetui.store.sketch import Sketch
from tunetui_agent.messages import FAILURES, NoticeRaised, reference_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.core.links import LinkState
    from tunetui.session.catching_up import Alive
    from tunetui.session.opening import Connect
    from tunetui.session.places import Group
    from tunetui_agent.messages import Device, Toolchain


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
    foreseen: bool = False  # of a dry run: nothing of it was taken in hand
    holder: str = ""  # another tunetui of this machine, in words, that has the run in hand; of a dry run


class Session(Steering, LineUp):
    """A run from its plan to its files; open it with `Session.open`, close it with `close`."""

    follows_only = False

    def __init__(self, opened: Opened, folder: RunFolder, journal: Journal, links: Links) -> None:
        self.grid, self.kernel, self.arrived = opened.grid, opened.kernel, opened.arrived
        self.ended = ""  # "done" | "interrupted" | "budget" | "failed"; empty where it goes on without us
        self.folder, self.resume = folder.folder, ResumeSummary(journal=journal.path)
        self._options, self._opened, self._folder, self._links = opened.options, opened, folder, links
        self._asked = asked_of(opened, hosts_of(opened.options, opened.grid))
        self._recording = Recording(journal, only_looks=opened.options.dry_run)
        links.told_to(self._recording)
        self._spending = Spending(opened.grid.budget, opened.prices, lambda: self.snapshot)
        self._visits, self._coming = opened.visits, dict.fromkeys(opened.visits.expected)
        self._away, self._unheard = {}, []
        self._settle(opened.groups)
        self._held_back, self._arriving = HeldBack(self._recording), []
        self.dealt_by = ""  # another tunetui, in words, that has the run in hand now: this one has ended for that
        self.on_claimed: Callable[[], None] = lambda: None  # told once its agents take commands from here alone
        self._as_before = False
        self._alive: list[Alive] = []  # agents found at work when the session was opened
        self._seen_out: dict[str, Agents] = {}  # those of them that are followed to their end for an earlier plan
        self._stop_asked = ""  # "", "interrupted" or "budget"
        self._retry_failed = opened.options.retry_failed
        self._renewed: set[str] = set()  # problems that get new rows in this start

    @classmethod
    async def open(cls, options: BatchOptions, connect: Connect | None = None, links: Links | None = None) -> Session:
        """Load, probe, plan, take the run's folder and see what it holds.

        ``connect`` makes the link to a host by its name; by default as ``options`` say.  ``links`` is who is told
        how the links are, where those that ``connect`` gives tell somebody already.

        Raises:
            TunetuiError: anything that makes the run impossible, in words.
        """
        links = links or Links()
        links.on_wait = options.on_wait or links.on_wait
        opened = await open_groups(options, links, connect or connector(options, links))
        try:
            folder = RunFolder(folder_of(options, opened.grid), fresh=options.fresh, untouched=options.dry_run)
            try:
                session = cls(opened, folder, (Sketch if options.dry_run else Journal)(folder.journal), links)
            except TunetuiError:
                folder.close()
                raise
        except BaseException:
            await opened.visits.close()
            await let_go(opened.groups)
            raise
        try:
            await session._catch_up()
        except BaseException:
            session.close()
            await session.disconnect()
            raise
        return session

    @property
    def device(self) -> Device:
        """The first device."""
        return self.places[0].device

    @property
    def toolchains(self) -> list[Toolchain]:
        """What the first device's host has."""
        return self.places[0].toolchains

    @property
    def links(self) -> dict[str, LinkState]:
        """The state of the link to each host, also of those that take no part."""
        return self._links.shown

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Measure what is missing, until there is nothing left, the budget ends or somebody asks to stop or to leave.

        ``on_record`` gets every journal line that is written meanwhile.  `ended` says how it ended.

        Where another tunetui deals the run, or has taken it over, it returns at once, and `dealt_by` says which.

        Raises:
            TunetuiError: no agent can be started or followed, or the journal cannot be written.
        """
        self._recording.on_line = on_record
        self.ended = "failed"  # until it is not
        try:
            stayed = await self._spending.keep(self._attend(), lambda: self.request_stop("budget"))
            self.ended = self._how_it_ended() if stayed else ""
        except asyncio.CancelledError:  # this process leaves; the agents go on, so nothing has ended
            self.ended = ""
            raise
        except DealtElsewhereError as error:
            self.ended, self.dealt_by = "", in_words(error.hand)
        except TunetuiError as error:
            if not (hosts := self._work.left_at or self._unheard):
                raise
            self.ended = ""
            raise left_behind(error, self._folder.folder.name, hosts) from None
        finally:
            if self.ended:
                self._recording.say(RunFinished(reason=self.ended, detail=self._work.failed))
            self._recording.journal.sync()

    def request_stop(self, reason: str = "interrupted") -> None:
        """Finish the present trials, then end."""
        self._stop_asked = self._stop_asked or reason
        self._work.stop()
        for agents in self._seen_out.values():
            agents.stop()

    def request_cancel(self) -> None:
        """End at once; the present trials are lost."""
        self._stop_asked = "interrupted"
        self._work.cancel()
        for agents in self._seen_out.values():
            agents.cancel()

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        from tunetui.core.publishing import build_leaderboard  # nothing is measured the sooner for it

        return build_leaderboard(self.snapshot)

    def save(self) -> list[Path]:
        """Write STEM.leaderboard.toml and STEM.leaderboard.json.  Raises StoreError."""
        from tunetui.store.leaderboard import write_leaderboard

        return write_leaderboard(self.leaderboard(), self._options.stem)

    def close(self) -> None:
        """Let go of the run; whatever agents still do goes on."""
        try:
            self._recording.journal.close()
        finally:
            self._folder.close()

    async def disconnect(self) -> None:
        """Let go of the hosts."""
        await self._visits.close()
        await let_go(self.groups)

    # ------------------------------------------------------------------ what is there already

    async def _catch_up(self) -> None:
        """Take over what agents wrote after the last app was gone; they may still be at work."""
        journal = self._recording.journal
        found = bool(journal.recovered.records)
        damage = [f"line {d.line} of the journal could not be used and was skipped: {d.reason}" for d in journal.damage]
        said = {notice.text for notice in self.snapshot.notices}
        for text in damage:
            if text not in said:  # by an earlier start
                self._recording.say(NoticeRaised(code="journal-damaged", text=text))
        self._catching_up = self._catching_up_with_all()
        if self._folder.archived:
            await self._catching_up.end_all()
        self._alive = await self._catching_up.take_over() if found else []
        await self._go_on_without_the_away()
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
            foreseen=self._options.dry_run,
            holder=in_other_hands(self.folder) if self._options.dry_run else "",
        )

    def _standing(self, *groups: Group) -> Standing:
        """Of some groups, or of all."""
        chosen, run = groups or self.groups, self.snapshot
        standings = [
            stand(
                group.plan.trials, group.plan.provenances, run,
                retry_failed=self._retry_failed, accepted=accepted(group, run),
            )
            for group in chosen
        ]  # fmt: skip
        return joined(standings)

    # ------------------------------------------------------------------ measuring

    async def _attend(self) -> bool:
        """Go on with the agents that are there, then have measured what they leave missing; False where we left."""
        self._alive = await self._catching_up.claim(self._alive)
        await self._go_on_without_the_away()
        self.on_claimed()
        self._links.begun()
        for text in self._opened.said:
            self._recording.say(NoticeRaised(code="place-left-out", text=text))
        if self._spending.prices != self.snapshot.prices:
            self._recording.say(HostsPriced(prices=self._spending.prices))
        self._as_before = self._fits()
        if self._spending.is_over and not self._alive:
            self.request_stop("budget")
        held: set[str] | None = None  # by agents at work; None: there are none
        if self._alive:
            version, command = tunetui.__version__, self._options.command
            self._recording.say(RunResumed(tunetui_version=version, command=command, attached=True))
            if self._as_before:
                held = self._work.adopt(self._alive)
            else:  # they measure what an earlier plan asked for
                await self._see_out(self._alive)
                self._alive = []
                if self._stop_asked:
                    return True
        standing = self._standing()
        missing = self._hold_back(standing.missing, held or set())
        self._renewed = {problem_key(trial.problem) for trial in standing.missing}
        if held is None:
            asked = planned(self._opened, self.groups, self.plan, self._folder.folder.name)
            record_plan(self._recording, asked, self.plan, standing)
        elif missing:
            self._recording.say(TrialsQueued(trials=[reference_to(trial) for trial in missing]))
        self._retry_failed = False  # from here on they are queued; those that fail again stand
        if self._stop_asked:
            return True
        keep(self._folder.folder, self._asked)
        for crew in self._work.crews:
            crew.deal([trial for trial in missing if trial.id in crew.trials])
        try:
            return await self._work.run(self._receive(), self._is_over)
        finally:
            self._say_who_is_missing()

    def _fits(self) -> bool:
        """Whether the plan on record asks for what this one does; targets and axes may have been edited meanwhile."""
        plan, now = self.snapshot.plan, planned(self._opened, self.groups, self.plan, self._folder.folder.name)
        same = plan is not None and (plan.grid, plan.kernel, plan.axes) == (now.grid, now.kernel, now.axes)
        known = {(alive.host, alive.device) for alive in self._alive if alive.device}
        here = {(place.host, place.name) for place in self.places}
        return same and known <= here and not self._standing().stale

    def _how_it_ended(self) -> str:
        if self._work.is_stopped_by_others and was_overdue(self.snapshot):
            self._stop_asked = self._stop_asked or "budget"  # an agent kept it by itself
        elif self._stop_asked == "interrupted" or self._work.is_stopped_by_others:
            return "interrupted"
        standing = self._standing()
        if standing.missing:
            return self._stop_asked or "failed"
        if self._stop_asked and unloaded(self.plan.trials, standing.kept, self.snapshot, self.grid.reliability.seconds):
            return self._stop_asked
        return "budget" if self.plan.sampled else "done"
