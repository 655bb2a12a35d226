"""Hosts on their way into a run: visited side by side and handed out as each is ready, so that none waits for another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from tunetui.session.delivery import Arrived
    from tunetui.session.places import Place

    Visit = Coroutine[Any, Any, tuple[list[Place], list[Arrived]]]


@dataclass(frozen=True)
class Arrival:
    """What became of the way to one host: its places, or why it takes no part."""

    host: str
    places: list[Place] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)  # what the bundles brought
    error: TunetuiError | None = None


class Visits:
    """Visits under way; each is handed out once."""

    def __init__(self, visits: Mapping[str, Visit], close: Callable[[], Awaitable[None]]) -> None:
        """``close`` lets go of what the visits share; it is called when none is under way any more."""
        self._tasks = {asyncio.create_task(visit): host for host, visit in visits.items()}
        self._close = close

    @property
    def expected(self) -> list[str]:
        """Hosts that were not handed out yet."""
        return list(self._tasks.values())

    async def next(self, seconds: float | None = None, *, all_of_them: bool = False) -> list[Arrival]:
        """Hosts that are ready or failed: at least one, or all, unless ``seconds`` pass first."""
        if not self._tasks:
            return []
        when = asyncio.ALL_COMPLETED if all_of_them else asyncio.FIRST_COMPLETED
        await asyncio.wait(self._tasks, timeout=seconds, return_when=when)
        found = [_arrival(self._tasks.pop(task), task) for task in list(self._tasks) if task.done()]
        if not self._tasks:
            await self._close()
        return found

    async def close(self) -> None:
        """End the visits that are under way and let go of hosts that nobody was handed."""
        tasks, self._tasks = self._tasks, {}
        for task in tasks:
            task.cancel()
        for visit in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(visit, BaseException):
                await let_go_of(visit[0])
        if tasks:
            await self._close()


async def let_go_of(places: Iterable[Place]) -> None:
    """Close the links of some places."""
    for link in {id(place.link): place.link for place in places}.values():
        await link.close()


def _arrival(host: str, task: asyncio.Task[tuple[list[Place], list[Arrived]]]) -> Arrival:
    try:
        places, arrived = task.result()
    except TunetuiError as error:
        return Arrival(host, error=error)
    return Arrival(host, places, arrived)
