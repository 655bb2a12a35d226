"""Ctrl-C and friends, as real signals to this very process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from tunetui.cli.interruption import Interruption
from tunetui.core.errors import ExitCode


class Asked:
    """A run that notes what it was asked."""

    follows_only = False

    def __init__(self) -> None:
        self.orders: list[str] = []

    def request_stop(self) -> None:
        self.orders.append("stop")

    def request_cancel(self) -> None:
        self.orders.append("cancel")


async def send(number: signal.Signals) -> None:
    """A signal to ourselves; it has been handled when this returns."""
    os.kill(os.getpid(), number)
    handled = asyncio.Event()
    asyncio.get_running_loop().call_soon(handled.set)
    await handled.wait()
    await asyncio.to_thread(lambda: None)  # one more turn of the loop: signals arrive through its own pipe


async def test_the_first_interrupt_stops_and_the_second_cancels() -> None:
    asked, run, said = Interruption(), Asked(), list[str]()
    with asked.watching(), asked.passed_to(run, said.append):
        await send(signal.SIGINT)
        assert run.orders == ["stop"]
        await send(signal.SIGINT)
        assert not asked.leaves
        await send(signal.SIGINT)
        assert asked.leaves
    assert run.orders == ["stop", "cancel"]
    assert said == [
        "finishing the present trial (Ctrl-C again to stop at once)",
        "stopping at once (Ctrl-C again to leave without waiting)",
    ]


async def test_an_interrupt_before_the_run_is_passed_on_to_it() -> None:
    asked, run = Interruption(), Asked()
    with asked.watching():
        await send(signal.SIGINT)
        assert asked.stops == 1
        with asked.passed_to(run, lambda _: None):
            assert run.orders == ["stop"]


async def test_terminate_never_cancels() -> None:
    asked, run = Interruption(), Asked()
    with asked.watching(), asked.passed_to(run, lambda _: None):
        await send(signal.SIGTERM)
        await send(signal.SIGTERM)
    assert run.orders == ["stop"]


async def test_a_hang_up_asks_the_run_for_nothing() -> None:
    asked, run = Interruption(), Asked()
    with asked.watching(), asked.passed_to(run, lambda _: None):
        await send(signal.SIGHUP)
    assert asked.hung_up
    assert run.orders == []


async def test_a_reader_that_leaves_stops_the_run_once() -> None:
    asked, run = Interruption(), Asked()
    with asked.passed_to(run, lambda _: None):
        asked.lose_reader()
        asked.lose_reader()
    assert asked.reader_left
    assert run.orders == ["stop"]


def test_a_second_interrupt_before_the_run_leaves_at_once() -> None:
    code = (
        "import asyncio, os, signal\n"
        "from tunetui.cli.interruption import Interruption\n"
        "async def wait():\n"
        "    with Interruption().watching():\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.to_thread(print, 'once', flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(wait())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == ExitCode.INTERRUPTED
    assert done.stderr == "stopping (Ctrl-C again to leave at once)\n"
