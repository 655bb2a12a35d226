"""The first steps towards a host, taken while asyncssh is still being loaded: TCP, and the line that SSH begins with.

By the time that asyncssh is there, the host has answered both: that is two round trips less to wait for.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from tunetui import __version__

if TYPE_CHECKING:
    from tunetui.core.routes import Hop

CLIENT_VERSION = "tunetui_" + __version__.replace("-", "_")
"""What we call ourselves in that line, also where nobody knocked."""


class Knock:
    """One connection on its way, handed out once."""

    def __init__(self, hop: Hop, seconds: float) -> None:
        """Begin; ``seconds`` is how long it may take where the SSH configuration says nothing."""
        self._task = asyncio.create_task(_knock(hop, hop.connect_timeout_seconds or seconds))

    async def answered(self) -> socket.socket:
        """The socket, connected, on which our version is said.  Raises OSError."""
        return await self._task

    def forget(self) -> None:
        """Nobody wants it any more."""
        self._task.cancel()
        self._task.add_done_callback(_close)


async def _knock(hop: Hop, seconds: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(seconds):
        found = await loop.getaddrinfo(hop.address, hop.port, type=socket.SOCK_STREAM)
        for position, (family, kind, protocol, _, address) in enumerate(found):
            door = socket.socket(family, kind, protocol)
            door.setblocking(False)
            try:
                await loop.sock_connect(door, address)
                await loop.sock_sendall(door, f"SSH-2.0-{CLIENT_VERSION}\r\n".encode())
            except BaseException as error:
                door.close()
                if not isinstance(error, OSError) or position + 1 == len(found):
                    raise
                continue
            return door
    raise OSError(f"{hop.address} has no address")


def _close(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
