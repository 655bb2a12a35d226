"""A road to a server that tests can make long, cut, cut inside a packet, or silence: a TCP proxy in a thread."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

_CHUNK_BYTES = 1 << 16


class Proxy:
    """Listens on loopback and passes on to ``target_port``; use it in a ``with`` block, from any thread.

    ``rtt_seconds`` delays every byte by half of it, each way, and a new connection by a whole one (its handshake);
    how much may be under way at once is not limited.
    """

    def __init__(self, target_port: int, *, rtt_seconds: float = 0.0, seed: int = 1) -> None:
        self.target_port, self.rtt_seconds = target_port, rtt_seconds
        self.port = 0
        self.accepted = 0  # connections so far
        self.refusing = False  # a new connection is reset at once
        self.breaking: list[int] = []  # of the next connections, each is reset when so many bytes have come back
        self._random = random.Random(seed)
        self._silent = asyncio.Event()
        self._passing = asyncio.Event()
        self._roads: set[_Road] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._call(self._listen)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # ---------------------------------------------------------------------------------- what tests do to it

    def reset(self) -> int:
        """Cut every connection with a RST, at once; how many there were."""
        count: int = self._call(self._reset)
        return count

    def cut_inside_packet(self) -> None:
        """The next bytes of each connection, in either direction, are passed on in part only; then it is reset."""
        self._call(self._cut)

    def go_silent(self) -> None:
        """Pass nothing on, and keep everything open; connections that are made meanwhile are silent too."""
        self._call(self._silence)

    def speak_again(self) -> None:
        """Pass on again, from where it went silent."""
        self._call(self._speak)

    # ---------------------------------------------------------------------------------- in its thread

    def _call(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    async def _listen(self) -> int:
        self._passing.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            writer.transport.abort()
            return
        road = _Road(self, reader, writer)
        road.breaks_after_bytes = self.breaking.pop(0) if self.breaking else None
        self._roads.add(road)
        try:
            await road.carry()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            road.abort()
            self._roads.discard(road)

    async def _reset(self) -> int:
        roads = list(self._roads)
        for road in roads:
            road.abort()
        return len(roads)

    async def _cut(self) -> None:
        for road in self._roads:
            road.cutting = True

    async def _silence(self) -> None:
        self._passing.clear()

    async def _speak(self) -> None:
        self._passing.set()

    async def _end(self) -> None:
        self._server.close()
        await self._reset()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Road:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.cutting = False
        self.breaks_after_bytes: int | None = None
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._far: asyncio.StreamWriter | None = None

    async def carry(self) -> None:
        await self._proxy._passing.wait()
        await asyncio.sleep(self._proxy.rtt_seconds)
        far, self._far = await asyncio.open_connection("127.0.0.1", self._proxy.target_port)
        both = [
            asyncio.create_task(self._one_way(self._reader, self._far)),
            asyncio.create_task(self._one_way(far, self._writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    def abort(self) -> None:
        self._writer.transport.abort()
        if self._far is not None:
            self._far.transport.abort()

    async def _one_way(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Reading goes on while what was read before is still under way: a long road is not a narrow one."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(under_way, target))
        loop = asyncio.get_running_loop()
        try:
            while not arriving.done():
                data = await source.read(_CHUNK_BYTES)
                under_way.put_nowait((loop.time() + self._proxy.rtt_seconds / 2, data))
                if not data:
                    break
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, under_way: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._proxy._passing.wait()
            if not data:
                return
            if self.cutting:
                target.write(data[: self._proxy._random.randrange(len(data) + 1)])
                return
            if self.breaks_after_bytes is not None and target is self._writer:
                target.write(data[: self.breaks_after_bytes])
                self.breaks_after_bytes -= len(data)
                if self.breaks_after_bytes <= 0:
                    await target.drain()
                    self.abort()
                    return
                continue
            target.write(data)
            await target.drain()
