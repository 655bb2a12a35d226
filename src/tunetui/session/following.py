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
        self._looking: asyncio.Task[list[Alive]] | None = None  # beside the others: one host may keep it waiting
        self._looked = 0.0
        self._is_owed = False  # a look that begins after the last end of an agent

    async def run(self, alive: Sequence[Alive]) -> bool:
        """Until every agent has ended in order, or nobody deals them any more: whether the run may be taken over.

        Raises:
            TunetuiError: an agent cannot be followed, or the journal cannot be written.
        """
        self._begin(alive)
        self._looked = since = time.monotonic()
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
            tasks = [*self._tasks, *([self._looking] if self._looking is not None else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _goes_on(self) -> bool:
        """Whether agents are at work that somebody deals trials to, as far as is known."""
        known = [self._dealers[source] for source in self._tasks.values() if source in self._dealers]
        return bool(self._tasks) and (not known or any(known))

    def _is_asking(self, seconds: float) -> bool:
        """Whether an agent may be at work that is not known of yet; ``seconds`` is how long none is known to be."""
        is_open = self._is_owed or self._looking is not None
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
        awaited: list[asyncio.Task[Any]] = [*self._tasks, *([self._looking] if self._looking is not None else [])]
        if awaited:
            await asyncio.wait(awaited, timeout=_SOON_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(_SOON_SECONDS)
        for task in [task for task in self._tasks if task.done()]:
            del self._tasks[task]
            self._one_died = task.result() == "dead"
            self._is_owed = True
        if self._looking is not None and self._looking.done():
            looking, self._looking = self._looking, None
            self._take_up(looking)

    def _look(self, now: float) -> None:
        """Begin to ask who was begun meanwhile, where that is due."""
        is_due = self._is_owed or now > self._looked + (LOOK_SECONDS if self._tasks else _SOON_SECONDS)
        if self._looking is None and is_due:
            self._looked, self._is_owed = now, False
            self._looking = asyncio.create_task(self._catching_up.take_over(self._tasks.values()))

    def _take_up(self, looking: asyncio.Task[list[Alive]]) -> None:
        """Follow what was begun meanwhile; a host that does not answer now is asked later."""
        try:
            self._begin(looking.result())
        except StoreError:
            raise
        except TunetuiError:
            return
