"""A run that is followed without its grid: what agents still have of it is taken, shown and saved; nothing is planned."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tunetui
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.events import RunFinished, RunResumed
from tunetui.core.links import LinkState
from tunetui.core.publishing import build_leaderboard
from tunetui.session.agents import CLOSE, Agents, states_on
from tunetui.session.batch import ResumeSummary
from tunetui.session.catching_up import CatchingUp
from tunetui.session.following import Following
from tunetui.session.hands import DealtElsewhereError, in_words
from tunetui.session.links import Links
from tunetui.session.recording import Recording
from tunetui.session.run_life import Reach, journal_of, unended
from tunetui.session.working import SYNC_SECONDS
from tunetui.store.journal import Journal
from tunetui.store.leaderboard import write_leaderboard
from tunetui.store.runs import RunFolder
from tunetui_agent.messages import CloseQueue, NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.core.snapshot import Run
    from tunetui.engines.channel import Link
    from tunetui.session.catching_up import Alive


@dataclass(frozen=True)
class Why:
    """Why a run is only followed."""

    text: str = ""
    in_other_hands: bool = False  # another tunetui deals its trials: nothing is told its agents from here


class Attached:
    """A run that is only followed, with what `Session` offers of following, ending and saving; ``why`` says why."""

    def __init__(self, folder: RunFolder, journal: Journal, stem: Path | None, command: str, why: Why) -> None:
        self.ended, self.why = "", why.text
        self.is_free = False  # whoever dealt it is gone: it may be taken over
        self.resume = ResumeSummary(found=True, journal=journal.path)
        self._folder, self._command = folder, command
        self._recording = Recording(journal)
        self._stem, self.follows_only = stem, why.in_other_hands
        self._gone_seconds = 0.0
        self._board = Links()
        self._board.told_to(self._recording)
        self._links: dict[str, Link] = {}
        self._alive: list[Alive] = []
        self._agents: list[Agents] = []
        self._stop_asked = False
        self._leaving = asyncio.Event()

    @classmethod
    async def open(
        cls, name: str, reach: Reach, *, stem: Path | None = None, command: str = "", why: Why | None = None
    ) -> Attached:
        """Take hold of a run kept here, by its name, the beginning of it, or its folder, and see who is at work on it.

        Raises:
            InputError: there is no such run, or it is not known where its leaderboard goes.
            RunHeldError: another tunetui follows it.
            TunetuiError: none of its hosts can be reached.
        """
        journal = journal_of(name)
        folder = RunFolder(journal.parent)
        try:
            attached = cls(folder, Journal(journal), stem, command, why or Why())
        except TunetuiError:
            folder.close()
            raise
        try:
            await attached._open(reach)
        except BaseException:
            attached.close()
            await attached.disconnect()
            raise
        return attached

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        return self._recording.snapshot

    @property
    def links(self) -> dict[str, LinkState]:
        """The state of the link to each host."""
        return self._board.shown

    @property
    def is_alive(self) -> bool:
        """Whether an agent is at work on it."""
        return bool(self._alive)

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Follow all agents at work to their end.  `ended` says how the run stands then; empty: it goes on without us.

        Raises:
            TunetuiError: an agent cannot be followed, or the journal cannot be written.
        """
        self._recording.on_line = on_record
        if not self._alive:
            self.ended = self.snapshot.ended.reason if self.snapshot.ended else self._how_it_stands()
            if self.snapshot.ended is None:
                self._finish()
            return
        self._recording.say(RunResumed(tunetui_version=tunetui.__version__, command=self._command, attached=True))
        syncing = asyncio.create_task(self._sync_often())
        try:
            if self.follows_only:
                self.is_free = await self._look_on()
                if self.is_free or self._leaving.is_set():
                    return
            else:
                await asyncio.gather(*(self._follow(alive) for alive in self._alive))
        finally:
            syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)
        self.ended = self._how_it_stands()
        self._recording.say(
            RunFinished(reason=self.ended, detail=next((a.failed for a in self._agents if a.failed), ""))
        )
        self._recording.journal.sync()

    @property
    def untold(self) -> list[str]:
        """Hosts that were not told yet what was asked last."""
        hosts = zip((alive.host for alive in self._alive), self._agents, strict=False)
        return list(dict.fromkeys(host for host, agents in hosts if agents.undelivered))

    def request_stop(self) -> None:
        """Finish the present trials, then end; in other hands the run goes on, and only the following ends."""
        if self.follows_only:
            self._leaving.set()
            return
        self._stop_asked = True
        for agents in self._agents:
            agents.stop()
        self._board.end_is_wished()

    def request_cancel(self) -> None:
        """End at once; the present trials are lost.  In other hands as `request_stop`."""
        if self.follows_only:
            self._leaving.set()
            return
        self._stop_asked = True
        for agents in self._agents:
            agents.cancel()
        self._board.end_is_wished()

    def detach(self) -> None:
        """Leave: agents that are only followed have all that they need."""
        self._leaving.set()

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        return build_leaderboard(self.snapshot)

    def save(self) -> list[Path]:
        """Write the leaderboard where the run's own start would have.  Raises StoreError, InputError."""
        plan = self.snapshot.plan
        stem = self._stem or (Path(plan.stem) if plan is not None and plan.stem else None)
        if stem is None:
            raise InputError("this run does not say where its leaderboard goes", hint="name it: -o STEM")
        return write_leaderboard(self.leaderboard(), stem)

    def close(self) -> None:
        """Let go of the run; whatever agents still do goes on."""
        try:
            self._recording.journal.close()
        finally:
            self._folder.close()

    async def disconnect(self) -> None:
        """Let go of the hosts."""
        for link in self._links.values():
            await link.close()

    # ------------------------------------------------------------------ details

    async def _open(self, reach: Reach) -> None:
        if self.snapshot.plan is None:
            raise InputError("nothing was planned in this run yet", hint="start it again with --batch")
        others = [placed.host for placed in self.snapshot.placed.values()] if self.follows_only else []
        hosts = list(dict.fromkeys([*unended(self.snapshot).values(), *others]))
        found = dict(zip(hosts, await asyncio.gather(*(self._listed(host, reach) for host in hosts)), strict=True))
        listed = {host: each for host, each in found.items() if not isinstance(each, TunetuiError)}
        errors = {host: each for host, each in found.items() if isinstance(each, TunetuiError)}
        if errors and not listed:
            raise next(iter(errors.values()))
        for host in listed:
            self._board.ready(host)
        for host, error in errors.items():
            self._leave_out(host, error)
        self._gone_seconds = reach.gone_seconds
        self._catching_up = CatchingUp(
            self._links, self._recording, self._folder.folder.name, errors, listed=listed, on_away=self._leave_out
        )
        self._alive = await self._catching_up.take_over()
        if not self.follows_only:
            await self._claim()

    async def _listed(self, host: str, reach: Reach) -> dict[str, str] | TunetuiError:
        """The agents of a host that is reached, or why they are not known."""
        try:
            self._links[host] = await reach.link(host)
            return await states_on(self._links[host])
        except TunetuiError as error:
            return error

    def _leave_out(self, host: str, error: TunetuiError) -> None:
        """Go on without a host; where the run is only followed, one that was reached is asked again from time to time."""
        if host in self._links and self.follows_only:
            self._board.away(host, error.message)
        else:
            self._board.dead(host, error.message)
        self._recording.say(NoticeRaised(code="host-unreachable", text=f"{host}: {error.message}"))

    async def _claim(self) -> None:
        try:
            self._alive = await self._catching_up.claim(self._alive)
        except DealtElsewhereError as error:
            self.follows_only, self.why = True, f"{self.why}; {in_words(error.hand)} deals it"

    async def _look_on(self) -> bool:
        """While another deals it; whether nobody does any more."""
        following = Following(self._links, self._recording, self._catching_up, self._board, self._gone_seconds)
        leaving = asyncio.create_task(self._leaving.wait())
        looking = asyncio.create_task(following.run(self._alive))
        try:
            await asyncio.wait({leaving, looking}, return_when=asyncio.FIRST_COMPLETED)
            return looking.done() and looking.result()
        finally:
            for task in (leaving, looking):
                task.cancel()
            await asyncio.gather(leaving, looking, return_exceptions=True)

    async def _follow(self, alive: Alive) -> None:
        def link_changed(said: str) -> None:
            self._board.host_followed(alive.host, said)

        agents = Agents(self._links[alive.host], self._recording, on_link=link_changed)
        self._agents.append(agents)
        if self._stop_asked:
            agents.stop()
        # One of several that share a queue races nobody: another may have faster rows.
        close = CloseQueue(command=CLOSE, races=None if alive.closed else [])
        await agents.follow(alive.source, [close])

    def _finish(self) -> None:
        failed = next((agents.failed for agents in self._agents if agents.failed), "")
        self._recording.say(RunFinished(reason=self.ended, detail=failed))
        self._recording.journal.sync()

    def _how_it_stands(self) -> str:
        counts = self.snapshot.counts
        reasons = {agent.ended for agent in self.snapshot.agents.values()}
        if self._stop_asked or (counts.done < counts.total and reasons & {"stopped", "cancelled"}):
            return "interrupted"
        return "done" if counts.done == counts.total else "failed"

    async def _sync_often(self) -> None:
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            self._recording.journal.sync()
