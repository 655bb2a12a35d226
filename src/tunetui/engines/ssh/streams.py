"""One channel of a connection as two byte streams: bounded in both directions, its stderr kept only to its end.

Of asyncssh only sessions are used: its process streams can spin on an unread stderr and close the whole connection over one
byte that is no UTF-8.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import asyncssh

from tunetui.core.cleaning import clean
from tunetui.core.waiting import within
from tunetui.engines.ssh.failures import FOREIGN, LinkLostError
from tunetui.engines.ssh.haste import open_session

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
        self.process: tuple[int, str] | None = None  # its id on the host and when it began, by the host's reckoning
        self._channel: SSHClientChannel[bytes] | None = None
        self._received, self._stderr = bytearray(), bytearray()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._paused = self._ended = self._abandoned = False
        self._closed = asyncio.Event()
        self._begun = asyncio.Event()  # the command is on its way, or will never be
        self._lost: Exception | None = None
        self._refusal: BaseException | None = None
        self._orders: asyncio.Future[str] | None = None  # of a channel that is opened before its command is known
        self._starting: asyncio.Task[None] | None = None

    @classmethod
    def begin(cls, connection: SSHClientConnection, host: str, command: str | None) -> Channel:
        """Have a command run, or only a channel opened for one that is told later (`run`).

        It can be told something once it has `begun`; what became of it is found by reading.
        """
        channel = cls(host)
        if command is None:
            channel._orders = asyncio.get_running_loop().create_future()
        channel._starting = asyncio.create_task(channel._start(connection, command))
        return channel

    @classmethod
    async def start(cls, connection: SSHClientConnection, host: str, command: str) -> Channel:
        """Run a command; asyncssh's and the system's errors are those of the connection."""
        channel = cls.begin(connection, host, command)
        try:
            await channel.begun()
        except BaseException:
            channel.abandon()
            raise
        return channel

    async def begun(self) -> None:
        """Until the command is on its way.  Raises what asyncssh and the system raise where it cannot be."""
        await self._begun.wait()
        if self._refusal is not None:
            raise self._refusal

    @property
    def awaits_command(self) -> bool:
        """Whether it is `run` that begins its command."""
        return self._orders is not None and not self._orders.done()

    def run(self, command: str) -> None:
        """Begin the command of a channel that was opened for it."""
        if self._orders is not None and not self._orders.done():
            self._orders.set_result(command)

    async def _start(self, connection: SSHClientConnection, command: str | None) -> None:
        try:
            if command is None and self._orders is not None:
                await open_session(connection, self, self._orders)
                return
            await connection.create_session(lambda: self, command, encoding=None)
        except FOREIGN as error:
            self._refusal, self._ended = error, True
            self._news.set()
            self._room.set()
            self._closed.set()
        finally:
            self._begun.set()

    # ------------------------------------------------------------------ what asyncssh calls

    def connection_made(self, chan: SSHClientChannel[bytes]) -> None:
        self._channel = chan
        # What asyncssh asks for next is the command.
        asyncio.get_running_loop().call_soon(chan.abort if self._abandoned else self._begun.set)

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
        if self._orders is not None:
            self._orders.cancel()
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
                if self._refusal is not None:
                    raise self._refusal
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
            if self._refusal is not None:
                raise self._refusal
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
                await within(_CLOSE_SECONDS, self._closed.wait())
            except TimeoutError:
                self._channel.abort()
        return self.stderr

    def abandon(self) -> None:
        """Let go at once; of one that is still being opened, once it is."""
        self._abandoned = True
        if self._orders is not None:
            self._orders.cancel()
        if self._channel is not None:
            self._channel.abort()

    def kill(self) -> None:
        """Have the host end a command that hangs; not every server passes signals on to a process."""
        if self._channel is not None and not self._closed.is_set():
            with contextlib.suppress(OSError):
                self._channel.kill()

    @property
    def stderr(self) -> str:
        """The end of what the command said on stderr, cleaned."""
        return clean(self._stderr.decode(errors="backslashreplace").strip())

    def __repr__(self) -> str:
        extra: dict[str, Any] = {"ended": self._ended, "exit": self.exit_status}
        return f"<Channel to {self.host} {extra}>"
