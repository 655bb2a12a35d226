"""Starts processes and ends them, however often whoever waits is cancelled: asyncio by itself leaves them and their pipes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE_BYTES = 1 << 16


async def start_process(*command: str, **options: Any) -> asyncio.subprocess.Process:
    """As `asyncio.create_subprocess_exec`; where it is cancelled, the process is killed and waited for.  Raises OSError."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **options))
    cancelled: asyncio.CancelledError | None = None
    while not starting.done():
        try:
            await asyncio.wait({starting})
        except asyncio.CancelledError as error:
            cancelled = error
    process = starting.result()
    if cancelled is not None:
        await end_process(process)
        raise cancelled
    return process


async def answer_of(
    process: asyncio.subprocess.Process, told: bytes | None = None, heard: Callable[[], None] = lambda: None
) -> tuple[bytes, bytes]:
    """What it says on stdout and on stderr until its end; where nobody waits for that any more, it is killed.

    ``heard`` is told whenever it says something, or takes of what it is told.
    """
    try:
        out, err, _ = await asyncio.gather(
            _said(process.stdout, heard), _said(process.stderr, heard), _tell(process.stdin, told or b"", heard)
        )
        await process.wait()
        return out, err
    finally:
        await end_process(process)


async def _said(stream: asyncio.StreamReader | None, heard: Callable[[], None]) -> Any:
    """All of it; None where it goes elsewhere."""
    if stream is None:
        return None
    said = bytearray()
    while data := await stream.read(_PIECE_BYTES):
        said += data
        heard()
    return bytes(said)


async def _tell(stdin: asyncio.StreamWriter | None, told: bytes, heard: Callable[[], None]) -> None:
    """All of it, then its end; one that ends before it has read everything says why by itself."""
    if stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(told), _PIECE_BYTES):
            stdin.write(told[start : start + _PIECE_BYTES])
            await stdin.drain()
            heard()
    stdin.close()


async def end_process(process: asyncio.subprocess.Process, patience_seconds: float = 0.0) -> None:
    """Wait so long for its end, then kill it; when this is over, so is the process, and its pipes are closed.

    What it still says meanwhile is read and forgotten.  Being cancelled ends the patience; it is raised afterwards.
    """
    cancelled: asyncio.CancelledError | None = None
    if patience_seconds and process.returncode is None:
        try:
            async with asyncio.timeout(patience_seconds):
                await _heard_out(process)
        except TimeoutError:
            pass
        except asyncio.CancelledError as error:
            cancelled = error
    transport: asyncio.SubprocessTransport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001 - no other way
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        _close_pipes(transport)
    while process.returncode is None:
        try:
            await process.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    transport.close()
    try:
        await asyncio.sleep(0)  # pipes are closed in the next turn of the loop, which may be its last
    except asyncio.CancelledError as error:
        cancelled = error
    if cancelled is not None:
        raise cancelled


async def _heard_out(process: asyncio.subprocess.Process) -> None:
    """To the end; one that says much and is not heard does not come to it."""
    if process.stdout is not None:
        while await process.stdout.read(_PIECE_BYTES):
            pass
    await process.wait()


def _close_pipes(transport: asyncio.SubprocessTransport) -> None:
    """Also those with more in them than was read or written: the end of a process is told when all of them are closed."""
    stdin: Any = transport.get_pipe_transport(0)
    if stdin is not None and stdin.get_write_buffer_size():
        stdin.abort()
    for number in range(3):
        pipe = transport.get_pipe_transport(number)
        if pipe is not None:
            pipe.close()
