"""One channel of a connection as two byte streams: bounded in both directions, its stderr kept only to its end.

Of asyncssh only sessions are used: its process streams can spin on an unread stderr and close the whole connection over one
byte that is no UTF-8.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncssh

from tunetui.core.cleaning import clean
from tunetui.engines.ssh.failures import LinkLostError

if TYPE_CHECKING:
    from asyncssh import SSHClientChannel, SSHClientConnection

_HIGH_WATER_BYTES = 4 << 20
_STDERR_TAIL_BYTES = 8192
_WRITE_BYTES = 1 << 18
_CLOSE_SECONDS = 2.0


class Channel(asyncssh.SSHClientSession[bytes]):
    """A command on a host, with the bytes it says and is told."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.exit_status: int | None = None
        self._channel: SSHClientChannel[bytes] | None = None
        self._received, self._stderr = bytearray(), bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._paused = self._ended = False
        self._closed = asyncio.Event()
        self._lost: Exception | None = None

    @classmethod
    async def start(cls, connection: SSHClientConnection, host: str, command: str) -> Channel:
        """Run a command; asyncssh's and the system's errors are those of the connection."""
        channel = cls(host)
        await connection.create_session(lambda: channel, command, encoding=None)
        return channel

    # ------------------------------------------------------------------ what asyncssh calls

    def connection_made(self, chan: SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is not None:
            self._stderr += data
            del self._stderr[:-_STDERR_TAIL_BYTES]
            return
        self._received += data
        if len(self._received) > _HIGH_WATER_BYTES and not self._paused and self._channel:
            self._paused = True
            self._channel.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self._ended = True
        self._news.set()
        return True  # we may still write

    def exit_status_received(self, status: int) -> None:
        self.exit_status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.exit_status = -1

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost, self._ended = exc, True
        self._news.set()
        self._room.set()
        self._closed.set()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    # ------------------------------------------------------------------ what the app calls

    async def read(self) -> bytes:
        """Some bytes, or b"" at the end.  Raises LinkLostError where the link ended before the command did."""
        while not self._received:
            if self._ended:
                if self._lost is not None:
                    raise LinkLostError(self.host, self._lost)
                return b""
            self._news.clear()
            await self._news.wait()
        data = bytes(self._received)
        self._received.clear()
        if self._paused and self._channel:
            self._paused = False
            self._channel.resume_reading()
        return data

    def unread(self, data: bytes) -> None:
        """Put back what was read too much."""
        self._received[:0] = data

    async def write(self, data: bytes) -> None:
        """Raises LinkLostError where nobody can hear it any more."""
        rest = memoryview(data)
        while rest:
            await self._room.wait()
            if self._channel is None or self._closed.is_set():
                raise LinkLostError(self.host, self._lost)
            try:
                self._channel.write(bytes(rest[:_WRITE_BYTES]))
            except OSError as error:  # the far end of the pipe is closed
                raise LinkLostError(self.host, error) from None
            rest = rest[_WRITE_BYTES:]
            await asyncio.sleep(0)

    def end_input(self) -> None:
        """The command's stdin ends here."""
        if self._channel is not None and not self._closed.is_set():
            self._channel.write_eof()

    async def finished(self) -> None:
        """The command is over, and how is known."""
        await self._closed.wait()

    async def close(self, *, at_once: bool = False) -> str:
        """End the command's input, wait for it a little, let go; the end of what it said on stderr, cleaned."""
        if at_once:
            self.abandon()
        elif self._channel is not None and not self._closed.is_set():
            self.end_input()
            self._received.clear()
            self._channel.resume_reading()  # an end that is never read never comes
            try:
                await asyncio.wait_for(self._closed.wait(), _CLOSE_SECONDS)
            except TimeoutError:
                self._channel.abort()
        return self.stderr

    def abandon(self) -> None:
        """Let go at once."""
        if self._channel is not None:
            self._channel.abort()

    @property
    def stderr(self) -> str:
        """The end of what the command said on stderr, cleaned."""
        return clean(self._stderr.decode(errors="backslashreplace").strip())

    def __repr__(self) -> str:
        extra: dict[str, Any] = {"ended": self._ended, "exit": self.exit_status}
        return f"<Channel to {self.host} {extra}>"
