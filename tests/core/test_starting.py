"""Processes are gone, and their pipes closed, when whoever waited for them is: in order, cancelled, or cancelled twice."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tunetui.core.starting import answer_of, end_process, start_process
from tunetui.engines.local import LocalStream

PIPE = asyncio.subprocess.PIPE
TALKS = "while True: print('x' * 65536)"
HEARS = "import sys; sys.stdin.read(); print('heard')"


async def begun(code: str) -> asyncio.subprocess.Process:
    return await start_process(sys.executable, "-c", code, stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL)


def is_let_go(process: asyncio.subprocess.Process) -> bool:
    """Whether nothing of it is left here: neither the process nor a pipe to it."""
    transport: Any = process._transport  # type: ignore[attr-defined]
    pipes = [transport.get_pipe_transport(number) for number in range(3)]
    return process.returncode is not None and transport._closed and all(p is None or p._pipe is None for p in pipes)


async def flooding() -> asyncio.subprocess.Process:
    """A process that said more than asyncio takes before it is read."""
    process = await begun(TALKS)
    assert process.stdout is not None
    while not process.stdout._paused:  # type: ignore[attr-defined]  # noqa: ASYNC110 - asyncio tells nobody
        await asyncio.sleep(0.01)
    return process


@pytest.mark.parametrize("patience_seconds", [0.0, 0.05])
async def test_a_process_that_nobody_reads_is_ended_as_any_other(patience_seconds: float) -> None:
    process = await flooding()
    await end_process(process, patience_seconds)
    assert is_let_go(process)


async def test_a_stream_is_closed_while_its_process_floods_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunetui.engines.local._CLOSE_SECONDS", 0.05)
    process = await flooding()
    with tempfile.TemporaryFile() as stderr:
        await LocalStream(process, stderr).close()
    assert is_let_go(process)


async def test_what_was_told_and_never_read_holds_up_nothing() -> None:
    process = await begun("import time; time.sleep(1000)")
    assert process.stdin is not None
    process.stdin.write(b"x" * (1 << 20))
    await end_process(process)
    assert is_let_go(process)


async def test_a_process_that_ends_by_itself_is_let_to() -> None:
    process = await begun(HEARS)
    assert await answer_of(process, b"") == (b"heard\n", b"" if process.stderr else None)
    assert (process.returncode, is_let_go(process)) == (0, True)


async def patient(process: asyncio.subprocess.Process) -> None:
    await end_process(process, 1000.0)


async def asking(process: asyncio.subprocess.Process) -> None:
    await answer_of(process)


@pytest.mark.parametrize("waits", [patient, asking])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_however_often_whoever_waits_is_cancelled_nothing_is_left(
    waits: Callable[[asyncio.subprocess.Process], Coroutine[Any, Any, None]], times: int
) -> None:
    process = await begun("import time; time.sleep(1000)")
    waiting = asyncio.create_task(waits(process))
    await asyncio.sleep(0)
    for _ in range(times):
        waiting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert is_let_go(process)


@pytest.mark.parametrize("turns", range(8))
async def test_a_start_that_is_cancelled_twice_leaves_nothing(turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[asyncio.subprocess.Process] = []
    create = asyncio.create_subprocess_exec

    async def noted(*command: str, **options: Any) -> asyncio.subprocess.Process:
        made.append(await create(*command, **options))
        return made[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    starting = asyncio.create_task(begun("import time; time.sleep(1000)"))
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert all(map(is_let_go, made))
    assert made or turns == 0
