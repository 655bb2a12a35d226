"""Takes over what agents wrote after the last app was gone, host by host, and finds those that are still at work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from tunetui.core.errors import TunetuiError
from tunetui.core.routes import LOCAL
from tunetui.engines.channel import AgentRefusedError
from tunetui.session.agents import RETRIES_WHILE_OTHERS_WAIT, Agents, end_run, states_on
from tunetui.session.hands import DealtElsewhereError
from tunetui.session.recounting import learn, recount
from tunetui.session.resuming import agents_to_take_over
from tunetui.store.atomic import StoreError
from tunetui_agent.messages import NoticeRaised

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Container, Mapping, Sequence

    from tunetui.core.snapshot import Placed
    from tunetui.engines.channel import Link
    from tunetui.session.recording import Recording
    from tunetui.session.recounting import Dealt

    OnAway = Callable[[str, TunetuiError], None]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Alive:
    """An agent that an earlier start began and that is still at work."""

    source: str
    host: str
    device: str  # its id in the run; empty in a journal that is older than hosts
    closed: bool  # its queue: it was told to end by itself
    dealt: list[Dealt] = field(default_factory=list)  # every command that brought it trials, whoever sent it


@dataclass(frozen=True)
class _AllBut:
    host: str

    def __contains__(self, host: object) -> bool:
        return host != self.host


class CatchingUp:
    """Use it once, when a run is opened; `of` one host whenever that one is to be asked anew."""

    def __init__(
        self,
        links: Mapping[str, Link],
        recording: Recording,
        folder: str,
        others: Container[str] = (),
        *,
        listed: Mapping[str, Mapping[str, str]] | None = None,
        on_away: OnAway | None = None,
    ) -> None:
        """``links`` is host to link, ``folder`` the name of the run's folder; ``others`` are hosts caught up with apart.

        ``listed`` is what hosts said a moment ago of the agents there.  ``on_away`` is told of each host that does not
        answer, and why, and the others are gone on with; without it that is raised.
        """
        self._links, self._recording, self._folder, self._others = links, recording, folder, others
        self._listed = dict(listed or {})
        self._on_away = on_away
        self._away: set[str] = set()

    def of(self, host: str) -> CatchingUp:
        """The same of one host alone, whatever became of it before."""
        return CatchingUp({host: self._links[host]}, self._recording, self._folder, _AllBut(host))

    async def end_all(self) -> None:
        """End the agents of a journal that was put away: they would keep their devices from the new one's."""
        for host, states in (await self._states()).items():
            for source, state in states.items():
                if state == "running" and source.startswith(f"{self._folder}-") and host not in self._away:
                    await self._on(host, end_run(self._links[host], source))

    async def take_over(self, followed: Collection[str] = ()) -> list[Alive]:
        """Every record that hosts still have for this run; who is still at work there.

        Agents that are ``followed`` meanwhile are left to whoever does: two of one name would end each other.
        """
        by_host = await self._states()
        states = {source: (host, state) for host, found in by_host.items() for source, state in found.items()}
        run = self._recording.snapshot
        alive, following = [], []
        for source in agents_to_take_over(self._folder, run, states):
            placed = run.placed.get(source)
            host, state = states.get(source, (LOCAL, ""))
            its = placed.host if placed is not None else host
            if source in followed or its in self._others or {its, host} & self._away:
                continue
            if not state:
                self._missing(source, placed)
                continue
            if placed is None and source not in run.agents:
                placed = await self._on(host, self._learnt(source, host))
            if state == "running":
                closed = placed.alone if placed is not None else True
                alive.append(Alive(source, host, placed.device if placed is not None else "", closed))
            else:
                following.append(self._on(host, self._follow(source, host, state)))
        await asyncio.gather(*following)
        return [each for each in alive if each.host not in self._away]

    async def claim(self, alive: Sequence[Alive]) -> list[Alive]:
        """Deal the trials of these from here on, with all that was told them before, by whomever.

        Raises:
            DealtElsewhereError: another tunetui deals those of one.
        """
        claimed = []
        for each in sorted(alive, key=lambda each: each.source):
            if each.host in self._away:
                continue
            work = recount(self._links[each.host], each.source, claimant=self._recording.hand)
            if (left := await self._on(each.host, work)) is not None:
                learn(self._recording, left, each.host)
                claimed.append(replace(each, dealt=left.dealt))
        return [each for each in claimed if each.host not in self._away]

    async def _on(self, host: str, work: Awaitable[_T]) -> _T | None:
        """What comes of it; None where the host is away: it is asked nothing more then."""
        try:
            return await work
        except (StoreError, DealtElsewhereError):
            raise
        except TunetuiError as error:
            if self._on_away is None:
                raise
            if host not in self._away:
                self._away.add(host)
                self._on_away(host, error)
            return None

    async def _states(self) -> dict[str, Mapping[str, str]]:
        async def of(host: str) -> Mapping[str, str] | None:
            listed = self._listed.pop(host, None)
            return listed if listed is not None else await self._on(host, states_on(self._links[host]))

        hosts = [host for host in self._links if host not in self._others]
        found = zip(hosts, await asyncio.gather(*map(of, hosts)), strict=True)
        return {host: states for host, states in found if states is not None}

    async def _learnt(self, source: str, host: str) -> Placed | None:
        """Where an agent is that another tunetui has begun."""
        if (left := await recount(self._links[host], source)) is not None:
            learn(self._recording, left, host)
        return self._recording.snapshot.placed.get(source)

    async def _follow(self, source: str, host: str, state: str) -> None:
        if state == "rebooted":
            self._say("host-rebooted", f"{host} was restarted while a run was at work there: {source} ended with it")
        try:
            agents = Agents(
                self._links[host], self._recording, on_dealer=lambda _: None, retries=RETRIES_WHILE_OTHERS_WAIT
            )
            await agents.follow(source)
        except AgentRefusedError as error:
            self._say("agent-gone", f"what {source} left on {host} cannot be taken over: {error.message}")

    def _missing(self, source: str, placed: Placed | None) -> None:
        host = placed.host if placed is not None else LOCAL
        if host in self._links:
            self._say(
                "agent-gone", f"{source} is no longer on {host}: what it measured after its last record here is lost"
            )
        else:
            text = f"{source} was at work on {host}, which takes no part now: what it measured comes when it does"
            self._say("agent-elsewhere", text)

    def _say(self, code: str, text: str) -> None:
        if text not in {notice.text for notice in self._recording.snapshot.notices}:
            self._recording.say(NoticeRaised(code=code, text=text))
