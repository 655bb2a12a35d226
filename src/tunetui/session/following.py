"""Agents whose trials another tunetui deals: followed, new ones found, until all has ended or nobody deals any more."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from tunetui.core.errors import TunetuiError
from tunetui.session.agents import Agents
from tunetui.store.atomic import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tunetui.engines.channel import Link
    from tunetui.session.catching_up import Alive, CatchingUp
    from tunetui.session.links import Links
    from tunetui.session.recording import Recording

LOOK_SECONDS = 15.0
"""Between two looks for agents that were begun meanwhile: a host that measures is not to be asked often."""
ANSWER_SECONDS = 60.0
"""How long a look, where nobody is followed any more, is waited for: a host may be slow, or gone."""
_SOON_SECONDS = 0.5


class Following:
    """Use it once; `run` it in one task."""

    def __init__(
        self,
        links: Mapping[str, Link],
        recording: Recording,
        catching_up: CatchingUp,
        board: Links,
        gone_seconds: float,
    ) -> None:
        self.dealer = ""
        """The name of whoever was seen to deal last."""
        self._links, self._recording, self._catching_up, self._board = links, recording, catching_up, board
        self._gone_seconds = gone_seconds
        self._tasks: dict[asyncio.Task[str], str] = {}
        self._dealers: dict[
            str, str
        ] = {}  # of the agents that are followed, where it is known; "": nobody who is there
        self._seen: set[str] = set()
        self._one_died = False  # the last of them: whoever deals begins another one
        self._looking: dict[str, asyncio.Task[list[Alive]]] = {}  # by host: one may keep its own waiting
        self._looked: dict[str, float] = {}
        self._owed: set[str] = set()  # hosts where a look is due that begins after the last end of an agent

    async def run(self, alive: Sequence[Alive]) -> bool:
        """Until every agent has ended in order, or nobody deals them any more: whether the run may be taken over.

        Raises:
            TunetuiError: an agent cannot be followed, or the journal cannot be written.
        """
        self._begin(alive)
        since = time.monotonic()
        self._looked = dict.fromkeys(self._links, since)
        try:
            while True:
                await self._wait()
                now = time.monotonic()
                if self._goes_on():
                    since = now
                elif self._is_asking(now - since):
                    pass
                elif now > since + self._gone_seconds or self._is_over():
                    return not self._is_over() and (bool(self._tasks) or self._one_died)
                self._look(now)
        finally:
            tasks = [*self._tasks, *self._looking.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _goes_on(self) -> bool:
        """Whether agents are at work that somebody deals trials to, as far as is known."""
        known = [self._dealers[source] for source in self._tasks.values() if source in self._dealers]
        return bool(self._tasks) and (not known or any(known))

    def _is_asking(self, seconds: float) -> bool:
        """Whether an agent may be at work that is not known of yet; ``seconds`` is how long none is known to be."""
        is_open = bool(self._owed or self._looking)
        return not self._tasks and is_open and seconds < self._gone_seconds + ANSWER_SECONDS

    def _is_over(self) -> bool:
        counts = self._recording.snapshot.counts
        return not self._tasks and not self._one_died and counts.done == counts.total

    def _begin(self, alive: Sequence[Alive]) -> None:
        for each in alive:
            if each.source not in self._seen:
                self._seen.add(each.source)
                self._tasks[asyncio.create_task(self._follow(each))] = each.source

    async def _follow(self, each: Alive) -> str:
        def dealer_is(dealer: str) -> None:
            self._dealers[each.source] = dealer
            self.dealer = dealer or self.dealer

        def link_changed(said: str) -> None:
            if said == "lost":  # whoever dealt it may be gone, and nobody would say so
                self._dealers.pop(each.source, None)
            self._board.host_followed(each.host, said)

        agents = Agents(self._links[each.host], self._recording, on_link=link_changed, on_dealer=dealer_is)
        return await agents.follow(each.source)

    async def _wait(self) -> None:
        """For an agent's end or a look's, or a while."""
        awaited: list[asyncio.Task[Any]] = [*self._tasks, *self._looking.values()]
        if awaited:
            await asyncio.wait(awaited, timeout=_SOON_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(_SOON_SECONDS)
        for task in [task for task in self._tasks if task.done()]:
            del self._tasks[task]
            self._one_died = task.result() == "dead"
            self._owed |= set(self._links)
        for host in [host for host, looking in self._looking.items() if looking.done()]:
            self._take_up(host, self._looking.pop(host))

    def _look(self, now: float) -> None:
        """Begin to ask hosts who was begun there meanwhile, where that is due."""
        pause = LOOK_SECONDS if self._tasks else _SOON_SECONDS
        for host in self._links:
            if host not in self._looking and (host in self._owed or now > self._looked[host] + pause):
                self._looked[host] = now
                self._owed.discard(host)
                of_host = self._catching_up.of(host)
                self._looking[host] = asyncio.create_task(of_host.take_over(self._tasks.values()))

    def _take_up(self, host: str, looking: asyncio.Task[list[Alive]]) -> None:
        """Follow what was begun meanwhile; a host that does not answer now is asked later."""
        try:
            self._begin(looking.result())
        except StoreError:
            raise
        except TunetuiError:
            return
        self._board.ready(host)
