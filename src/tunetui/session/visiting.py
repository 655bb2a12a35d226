"""Hosts on their way into a run: visited side by side and handed out as each is ready, so that none waits for another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

from tunetui.core.errors import AwayError, TunetuiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
    from typing import Any

    from tunetui.session.delivery import Arrived
    from tunetui.session.places import Place
    from tunetui.session.probing import Found

    Visit = Coroutine[Any, Any, "Visited"]


@dataclass(frozen=True)
class Hope:
    """How a host is tried again that did not answer, while the run goes on with the others."""

    pauses_seconds: tuple[float, ...] = (
        2.0,
        4.0,
        8.0,
        15.0,
        30.0,
        60.0,
    )  # before each try, the last is repeated; (): never
    kept_seconds: float = 30.0  # that what its agents may have is kept for it while there is nothing else to measure


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


NO_HOPE = Hope(pauses_seconds=())


class Visits:
    """Visits under way; each is handed out once."""

    def __init__(
        self,
        visits: Mapping[str, Callable[[], Visit]],
        close: Callable[[], Awaitable[None]],
        hope: Hope,
    ) -> None:
        """``close`` lets go of what the visits share."""
        self._visits, self._close, self.hope = visits, close, hope
        self._tasks = {asyncio.create_task(visit()): host for host, visit in visits.items()}
        self._again: dict[asyncio.Task[Visited], str] = {}
        self._hoped: set[asyncio.Task[Visited]] = set()  # visits of hosts that are tried again
        self._more = asyncio.Event()  # there is another one

    @property
    def expected(self) -> list[str]:
        """Hosts that were not handed out yet."""
        return list(self._tasks.values())

    @property
    def hoped_for(self) -> list[str]:
        """Hosts that are tried again."""
        return [host for task, host in self._tasks.items() if task in self._hoped]

    @property
    def are_awaited(self) -> bool:
        """Whether somebody is on the way who is sure to come or to fail: who is only tried again is waited for by nobody."""
        return bool(self._again or any(task not in self._hoped for task in self._tasks))

    def try_again(self, host: str, error: TunetuiError) -> bool:
        """Visit a host that failed once more, and ever again until it answers; whether that may help."""
        if not self.hope.pauses_seconds or not isinstance(error, AwayError):
            return False
        task = asyncio.create_task(self._answered(host))
        self._tasks[task] = host
        self._hoped.add(task)
        self._more.set()
        return True

    async def _answered(self, host: str) -> Visited:
        pauses = self.hope.pauses_seconds
        for seconds in chain(pauses, repeat(pauses[-1])):
            await asyncio.sleep(seconds)
            try:
                return await self._visits[host]()
            except AwayError:
                continue
        raise AssertionError("the last pause is repeated for ever")

    @property
    def are_over(self) -> bool:
        """Whether nothing comes any more, of any host."""
        return not self._tasks and not self._again

    async def next(self, seconds: float | None = None, *, all_of_them: bool = False) -> list[Arrival]:
        """Hosts that are ready, failed, or can do more: at least one, or all, unless ``seconds`` pass first.

        None as well where one more is tried again meanwhile: this is to be asked anew then.
        """
        if self.are_over:
            return []
        self._more.clear()
        more = asyncio.create_task(self._more.wait())
        when = asyncio.ALL_COMPLETED if all_of_them else asyncio.FIRST_COMPLETED
        try:
            watched = [*self._tasks, *self._again, *([] if all_of_them else [more])]
            await asyncio.wait(watched, timeout=seconds, return_when=when)
        finally:
            more.cancel()
        found = [_arrival(self._again.pop(task), task, again=True) for task in list(self._again) if task.done()]
        for task in [each for each in self._tasks if each.done()]:
            host = self._tasks.pop(task)
            self._hoped.discard(task)
            found.append(_arrival(host, task))
            if found[-1].error is None and (later := task.result().later) is not None:
                self._again[asyncio.create_task(later)] = host
        return found

    async def close(self) -> None:
        """End the visits that are under way, let go of hosts that nobody was handed, and of what the visits share."""
        tasks, again = list(self._tasks), list(self._again)
        self._tasks, self._again, self._hoped = {}, {}, set()
        for task in [*tasks, *again]:
            task.cancel()
        for visit in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(visit, BaseException):
                if visit.later is not None:
                    visit.later.close()
                await let_go_of(visit.places)
        await asyncio.gather(*again, return_exceptions=True)
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
