"""Commands begun in advance: their channels are open and their Python runs, so that each next word costs one round trip."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunetui.engines.ssh.bootstrap import waiting_command
from tunetui.engines.ssh.failures import FOREIGN
from tunetui.engines.ssh.haste import IS_KNOWN
from tunetui.engines.ssh.streams import Channel

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

AT_FIRST = 4
"""A run that begins asks for an interpreter, devices, a start and its journal, one after the other."""
AGAIN = 1
"""Whoever follows a run asks for its journal as soon as the link is back."""
_KEPT_SECONDS = 10.0
_OPENED_SECONDS = 5.0
"""One that is not open by then is not waited for."""


class Spares:
    """What waits on one host; only for the beginning, as a run that goes on needs nothing new."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._connection: SSHClientConnection | None = None
        self._waiting: list[Channel] = []
        self._end: asyncio.TimerHandle | None = None
        self._count = AT_FIRST

    def prepare(self, connection: SSHClientConnection) -> None:
        """Have some opened, in the background; nobody is told of what fails."""
        self.drop()
        self._connection = connection
        waiting = [waiting_command()] * (self._count - IS_KNOWN)
        first = [None] * IS_KNOWN  # which is asked for before it could begin to wait
        self._waiting = [Channel.begin(connection, self._host, command) for command in (*first, *waiting)]
        self._count = AGAIN
        self._end = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self.drop)

    async def take(self, connection: SSHClientConnection, *, last: bool = False) -> Channel | None:
        """One that waits on this connection, or None: for its command, or for what its command is to do.

        The ``last`` waits for the latter, where there are several.
        """
        while self._waiting and self._connection is connection:
            waiting = self._waiting.pop(-1 if last else 0)
            try:
                async with asyncio.timeout(_OPENED_SECONDS):
                    await waiting.begun()
                return waiting
            except FOREIGN:
                waiting.abandon()
            except BaseException:
                waiting.abandon()
                raise
        return None

    def drop(self) -> None:
        """Let go of all that wait."""
        for waiting in self._waiting:
            waiting.abandon()
        self._waiting = []
        if self._end is not None:
            self._end.cancel()
            self._end = None
