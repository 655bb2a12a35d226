"""Commands begun in advance: their channel is open and their Python runs, so that each next word costs one round trip."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunetui.engines.ssh.bootstrap import waiting_command
from tunetui.engines.ssh.failures import FOREIGN
from tunetui.engines.ssh.streams import Channel

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

AT_FIRST = 3
"""A run that begins asks for an interpreter, devices, a start and its journal, one after the other."""
_KEPT_SECONDS = 10.0


class Spares:
    """What waits on one host; only for the beginning, as a run that goes on needs nothing new."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._connection: SSHClientConnection | None = None
        self._opening: list[asyncio.Task[Channel]] = []
        self._end: asyncio.TimerHandle | None = None

    def prepare(self, connection: SSHClientConnection) -> None:
        """Have some opened, in the background; nobody is told of what fails."""
        self.drop()
        self._connection = connection
        command = waiting_command()
        self._opening = [asyncio.create_task(Channel.start(connection, self._host, command)) for _ in range(AT_FIRST)]
        self._end = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self.drop)

    async def take(self, connection: SSHClientConnection) -> Channel | None:
        """One that waits on this connection, or None."""
        while self._opening and self._connection is connection:
            opening = self._opening.pop(0)
            try:
                return await opening
            except FOREIGN:
                continue
        return None

    def drop(self) -> None:
        """Let go of all that wait."""
        for opening in self._opening:
            opening.add_done_callback(_let_go)
        self._opening = []
        if self._end is not None:
            self._end.cancel()
            self._end = None


def _let_go(opening: asyncio.Task[Channel]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().abandon()
