"""A command that is begun on a host before it is asked for, so that only its input has yet to make its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.engines.ssh.bootstrap import Conversation
from tunetui.engines.ssh.failures import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncssh import SSHClientConnection

    from tunetui.engines.ssh.spares import Spares
    from tunetui.engines.ssh.streams import Channel

_KEPT_SECONDS = 30.0
_ANSWER_SECONDS = 10.0


class Foreseen:
    """At most one command; where anything about it fails, it is begun in the usual way when it is asked for."""

    def __init__(self, host: str, spares: Spares) -> None:
        self._host, self._spares = host, spares
        self._arguments: list[str] = []
        self._connection: SSHClientConnection | None = None
        self._beginning: asyncio.Task[Channel | None] | None = None
        self._end: asyncio.TimerHandle | None = None

    def wish(self, arguments: Sequence[str]) -> None:
        """It will be asked for."""
        self.drop()
        self._arguments = list(arguments)

    def begin(self, connection: SSHClientConnection) -> None:
        """The agent is there: begin what is wished for, in the background, with the Python that all begins with there."""
        if not self._arguments or self._end is not None:
            return
        self._connection = connection
        self._beginning = asyncio.create_task(self._begin(connection))
        self._end = asyncio.get_running_loop().call_later(_KEPT_SECONDS, self.drop)

    async def take(self, arguments: Sequence[str], connection: SSHClientConnection, python: str) -> Channel | None:
        """The channel of this command, whose next word is its own; None where it is to be begun.

        ``python`` is what everything on the host begins with: to name it is to name none.
        """
        if self._beginning is None or _without(python, arguments) != self._arguments:
            return None
        beginning, self._beginning, self._arguments = self._beginning, None, []
        channel = await beginning
        if channel is not None and connection is not self._connection:
            channel.abandon()
            return None
        return channel

    def drop(self) -> None:
        """Let go of it."""
        beginning, self._beginning, self._arguments = self._beginning, None, []
        if beginning is not None:
            beginning.add_done_callback(_let_go)
        if self._end is not None:
            self._end.cancel()
            self._end = None

    async def _begin(self, connection: SSHClientConnection) -> Channel | None:
        spare, arguments = None, self._arguments
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                spare = await self._spares.take(connection, last=True)
                if spare is None or spare.awaits_command:
                    return None
                talk = Conversation(self._host, arguments, sure=True)
                await spare.write(talk.line)
                if await talk.carry_out(spare):
                    return spare
        except (TunetuiError, *FOREIGN):
            pass
        if spare is not None:
            spare.abandon()
        return None


def _without(python: str, arguments: Sequence[str]) -> list[str]:
    """The arguments without ``--python`` where that is this one."""
    rest = list(arguments)
    if python and "--python" in rest[:-1] and "--user-site" not in rest:
        at = rest.index("--python")
        if rest[at + 1] == python:
            del rest[at : at + 2]
    return rest


def _let_go(beginning: asyncio.Task[Channel | None]) -> None:
    channel = None if beginning.cancelled() or beginning.exception() else beginning.result()
    if channel is not None:
        channel.abandon()
