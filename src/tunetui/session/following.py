"""Agents whose trials another tunetui deals: followed, new ones found, until all has ended or nobody deals any more."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

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

    async def run(self, alive: Sequence[Alive]) -> bool:
        """Until every agent has ended in order, or nobody deals them any more: whether the run may be taken over.

        Raises:
            TunetuiError: an agent cannot be followed, or the journal cannot be written.
        """
        self._begin(alive)
        looked = since = time.monotonic()
        try:
            while True:
                ended = await self._wait()
                now = time.monotonic()
                if ended or not self._tasks or now > looked + LOOK_SECONDS:
                    looked = now
                    await self._look()
                if self._goes_on() and not ended:
                    since = now
                elif now > since + self._gone_seconds or self._is_over():
                    return not self._is_over() and (bool(self._tasks) or self._one_died)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _goes_on(self) -> bool:
        """Whether agents are at work that somebody deals trials to, as far as is known."""
        known = [self._dealers[source] for source in self._tasks.values() if source in self._dealers]
        return bool(self._tasks) and (not known or any(known))

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
            self._board.host_followed(each.host, said)

        agents = Agents(self._links[each.host], self._recording, on_link=link_changed, on_dealer=dealer_is)
        return await agents.follow(each.source)

    async def _wait(self) -> bool:
        """For an agent's end, or a while; whether one has ended."""
        if not self._tasks:
            await asyncio.sleep(_SOON_SECONDS)
            return False
        done, _ = await asyncio.wait(self._tasks, timeout=_SOON_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del self._tasks[task]
            self._one_died = task.result() == "dead"
        return bool(done)

    async def _look(self) -> None:
        """Follow what was begun meanwhile; a host that does not answer now is asked later."""
        try:
            self._begin(await self._catching_up.take_over())
        except StoreError:
            raise
        except TunetuiError:
            return
