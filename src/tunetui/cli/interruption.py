"""What Ctrl-C, SIGTERM and a hang-up ask for: finish the present trial, stop at once, leave the agent at work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Protocol

from tunetui.core.errors import ExitCode

HUNG_UP = 128 + int(signal.SIGHUP)
"""What a shell shows for a program that its terminal has left."""


class Stoppable(Protocol):
    """What can be asked to end: a session."""

    @property
    def follows_only(self) -> bool:
        """Whether it goes on without us: then it is only left."""

    def request_stop(self) -> None: ...

    def request_cancel(self) -> None: ...


class Interruption:
    """Asked for so far.  Signals are taken from the first moment on: before a run is there they are remembered.

    Nothing is ever cancelled inside the event loop: a cancelled process start leaves a loop that never ends.
    """

    def __init__(self) -> None:
        self.stops = 0
        self.leaves = False  # without waiting for what was asked
        self.hung_up = False
        self.reader_left = False
        self._run: Stoppable | None = None
        self._say: Callable[[str], None] = _to_stderr

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals of the running event loop."""
        loop = asyncio.get_running_loop()
        handlers = {signal.SIGINT: self._interrupt, signal.SIGTERM: self._terminate, signal.SIGHUP: self._hang_up}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def passed_to(self, run: Stoppable, say: Callable[[str], None]) -> Iterator[None]:
        """Ask ``run`` from here on, and tell the operator through ``say``; what was asked before is passed on."""
        self._run, self._say = run, say
        if self.stops:
            run.request_stop()
        try:
            yield
        finally:
            self._run, self._say = None, _to_stderr

    def lose_reader(self) -> None:
        """Whoever read the event stream has left: there is nobody to go on for."""
        if not self.reader_left and not self.stops and self._run:
            self._run.request_stop()
        self.reader_left = True

    def _interrupt(self) -> None:
        self.stops += 1
        if self._run is None:
            if self.stops > 1:
                _leave_now()
            self._say("stopping (Ctrl-C again to leave at once)")
        elif self.stops == 1:
            how = "finishing the present trial (Ctrl-C again to stop at once)"
            self._say("leaving: the run goes on" if self._run.follows_only else how)
            self._run.request_stop()
        elif self.stops == 2:
            self._say("stopping at once (Ctrl-C again to leave without waiting)")
            self._run.request_cancel()
        elif self.stops == 3:
            self.leaves = True
        else:
            _leave_now()

    def _terminate(self) -> None:
        """Never at once: whoever wants that sends SIGKILL."""
        if not self.stops:
            self._interrupt()

    def _hang_up(self) -> None:
        self.hung_up = True


def _leave_now() -> None:
    """As if killed: the journal has everything up to here, and the same command takes the run up again."""
    os._exit(ExitCode.INTERRUPTED)


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
