"""How hosts are reached, and hosts on their way to being reached while the rest of tunetui is still being loaded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui.engines.local import LocalLink
from tunetui.session.linking import open_link
from tunetui.session.links import Links

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunetui.core.asking import Asker, HostKeyQuestion
    from tunetui.engines.allowances import OnWait
    from tunetui.engines.channel import Link
    from tunetui.session.linking import LinkOptions
    from tunetui.session.opening import Connect


@dataclass(frozen=True)
class Reach:
    """How hosts are reached."""

    links: LinkOptions
    asker: Asker | None = None
    connect: Connect | None = None  # another way to hosts than by their names
    gone_seconds: float = 5.0  # that nobody deals a run's trials, before it is taken over
    on_wait: OnWait = lambda *_: None  # told what a host is waited for, whenever that lasts

    async def link(self, host: str) -> Link:
        return await (
            self.connect(host) if self.connect else open_link(host, self.links, self.asker, on_wait=self.on_wait)
        )


class Reaching:
    """Links that were begun early, each handed out once; a host that nobody began is reached when it is asked for."""

    def __init__(self, options: LinkOptions, asker: Asker | None) -> None:
        self.links = Links()
        self._options = options
        self._wanted = asyncio.Event()
        self._asker = _Held(asker, self._wanted) if asker is not None else None
        self._begun: dict[str, asyncio.Task[Link]] = {}

    def begin(self, hosts: Iterable[str]) -> None:
        """Reach them in the background.  What is wrong is said, and what is to be asked is asked, when they are wanted."""
        for host in dict.fromkeys(hosts):
            self._begun[host] = asyncio.create_task(self._begin(host))

    async def begun(self) -> None:
        """Until all that were begun are reached, or are known not to be."""
        await asyncio.gather(*self._begun.values(), return_exceptions=True)

    async def connect(self, host: str) -> Link:
        """The link to a host.  Raises as `open_link` does."""
        self._wanted.set()
        begun = self._begun.pop(host, None)
        return await (begun if begun is not None else self._open(host))

    async def close(self) -> None:
        """Let go of those that nobody wanted."""
        begun, self._begun = list(self._begun.values()), {}
        for task in begun:
            task.cancel()
        for link in await asyncio.gather(*begun, return_exceptions=True):
            if not isinstance(link, BaseException):
                await link.close()

    async def _begin(self, host: str) -> Link:
        """The link, on which what a run asks for soon is under way."""
        link = await self._open(host)
        if isinstance(link, LocalLink):
            try:
                await link.look_ahead()
            except BaseException:
                await link.close()
                raise
        elif hasattr(link, "foresee"):
            link.foresee(["start"])
        return link

    async def _open(self, host: str) -> Link:
        return await open_link(host, self._options, self._asker, self.links.tell, self.links.wait)


class _Held:
    """An asker that keeps quiet until it is sure that a run is wanted: the grid may be refused first."""

    def __init__(self, asker: Asker, wanted: asyncio.Event) -> None:
        self._asker, self._wanted = asker, wanted

    async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        await self._wanted.wait()
        return await self._asker.confirm_host_key(question)

    async def passphrase(self, what: str, attempt: int) -> str | None:
        await self._wanted.wait()
        return await self._asker.passphrase(what, attempt)
