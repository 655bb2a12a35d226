"""Hosts on their way into a run: visited side by side and handed out as each is ready, so that none waits for another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tunetui.core.errors import TunetuiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from tunetui.session.delivery import Arrived
    from tunetui.session.places import Place
    from tunetui.session.probing import Found

    Visit = Coroutine[Any, Any, "Visited"]


@dataclass(frozen=True)
class Visited:
    """The places of one host, and what brings the same places again, able to measure more."""

    places: list[Place]
    arrived: list[Arrived] = field(default_factory=list)  # what the bundles brought
    later: Visit | None = None


@dataclass(frozen=True)
class Arrival:
    """What became of the way to one host: its places, or why it takes no part."""

    host: str
    places: list[Place] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    error: TunetuiError | None = None
    again: bool = False  # the same places as before, able to measure more; or why they are not


class Completion(Protocol):
    """How a host gets what it lacks."""

    async def is_worth_beginning_without(self) -> bool: ...

    @property
    def meanwhile(self) -> Found: ...

    async def completed(self) -> tuple[Found, list[Arrived]]: ...


class Visits:
    """Visits under way; each is handed out once."""

    def __init__(self, visits: Mapping[str, Visit], close: Callable[[], Awaitable[None]]) -> None:
        """``close`` lets go of what the visits share; it is called when none is under way any more."""
        self._tasks = {asyncio.create_task(visit): host for host, visit in visits.items()}
        self._again: dict[asyncio.Task[Visited], str] = {}
        self._close = close

    @property
    def expected(self) -> list[str]:
        """Hosts that were not handed out yet."""
        return list(self._tasks.values())

    @property
    def are_over(self) -> bool:
        """Whether nothing comes any more, of any host."""
        return not self._tasks and not self._again

    async def next(self, seconds: float | None = None, *, all_of_them: bool = False) -> list[Arrival]:
        """Hosts that are ready, failed, or can do more: at least one, or all, unless ``seconds`` pass first."""
        if self.are_over:
            return []
        when = asyncio.ALL_COMPLETED if all_of_them else asyncio.FIRST_COMPLETED
        await asyncio.wait([*self._tasks, *self._again], timeout=seconds, return_when=when)
        found = [_arrival(self._again.pop(task), task, again=True) for task in list(self._again) if task.done()]
        for task in [each for each in self._tasks if each.done()]:
            host = self._tasks.pop(task)
            found.append(_arrival(host, task))
            if found[-1].error is None and (later := task.result().later) is not None:
                self._again[asyncio.create_task(later)] = host
        if self.are_over:
            await self._close()
        return found

    async def close(self) -> None:
        """End the visits that are under way and let go of hosts that nobody was handed."""
        tasks, again = list(self._tasks), list(self._again)
        self._tasks, self._again = {}, {}
        for task in [*tasks, *again]:
            task.cancel()
        for visit in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(visit, BaseException):
                if visit.later is not None:
                    visit.later.close()
                await let_go_of(visit.places)
        await asyncio.gather(*again, return_exceptions=True)
        if tasks or again:
            await self._close()


def newest(arrivals: Iterable[Arrival]) -> list[Arrival]:
    """The last arrival of each host; one that brought nothing more does not undo the one before."""
    found: dict[str, Arrival] = {}
    for arrival in arrivals:
        if not (arrival.again and arrival.error is not None):
            found[arrival.host] = arrival
    return list(found.values())


async def let_go_of(places: Iterable[Place]) -> None:
    """Close the links of some places."""
    for link in {id(place.link): place.link for place in places}.values():
        await link.close()


def _arrival(host: str, task: asyncio.Task[Visited], *, again: bool = False) -> Arrival:
    try:
        visited = task.result()
    except TunetuiError as error:
        return Arrival(host, error=error, again=again)
    return Arrival(host, visited.places, visited.arrived, again=again)
