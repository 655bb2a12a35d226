"""Several hosts for a test: folders of their own on this machine, each with real agents, under names of the test's choice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.workplace import Workplace, furnish
from tunetui.core.errors import AwayError, TunetuiError
from tunetui.core.snapshot import Run
from tunetui.engines.channel import Link
from tunetui.engines.local import LocalLink, LocalStream
from tunetui.session import BatchOptions, Session
from tunetui.session.preparing import RUNS_ON_CHOSEN
from tunetui.session.sharing import Shared
from tunetui_agent.folder import HostFolder, is_held

PATIENCE_SECONDS = 90.0
Measuring = Session | Shared


class Hosts(Workplace):
    """A workplace whose sweep is measured on several hosts; a CPU that many agents share measures nothing well, but all."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.dead: set[str] = set()
        self.away: set[str] = set()  # hosts that do not answer at this moment
        self.small: set[str] = set()  # hosts whose processes may use one core only: another model of CPU
        self.sessions: list[Measuring] = []
        self.clock_ahead: dict[str, float] = {}  # hosts whose clock is wrong by these seconds
        self.idle_seconds: float | None = None  # how long agents wait for an app that is gone, instead of the usual
        self.on_their_way: dict[str, asyncio.Event] = {}  # hosts that do not answer until this is set

    def eight_that_wait(self) -> Hosts:
        """A grid of eight trials, each of which waits for its gate."""
        self.grid(how='["waits"]', number=str(list(range(8))))
        return self

    def root(self, host: str) -> Path:
        return self.folder / f"host-{host}"

    async def connect(self, host: str) -> Link:
        if host in self.on_their_way:
            await self.on_their_way[host].wait()
        if host in self.away:
            raise AwayError(f"{host}: nothing listens there")
        if host in self.dead:
            raise TunetuiError(f"{host} cannot be reached: connection refused")
        furnish(self.root(host))
        link: LocalLink = (
            Apart(self.root(host)) if self.idle_seconds is None else Hasty(self.root(host), self.idle_seconds)
        )
        link.host = host
        if host in self.small:
            python = self.folder / "python-on-one-core"
            core = min(os.sched_getaffinity(0))
            python.write_text(f'#!/bin/sh\nexec taskset -c {core} {sys.executable} "$@"\n')
            python.chmod(0o700)
            link._python = str(python)
        if host in self.clock_ahead:
            link = Ahead(self.root(host), str(self._python_ahead(self.clock_ahead[host])))
            link.host = host
        return link

    def _python_ahead(self, seconds: float) -> Path:
        """An interpreter that reads another time of day, as every process of a host with a wrong clock does."""
        python = self.folder / f"python-{seconds:g}-ahead"
        code = (
            "import runpy, sys, time; right = time.time; "
            f"time.time = lambda: right() + {seconds!r}; "
            "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        )
        python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
        python.chmod(0o700)
        return python

    async def open(self, *hosts: str, **options: Any) -> Session:
        grid, stem = self.folder / "grid.toml", self.folder / "grid"
        options = {"together_seconds": None} | options
        chosen = BatchOptions(grid_path=grid, output_stem=stem, hosts=list(hosts), **options)
        session = await Session.open(chosen, self.connect)
        self.sessions.append(session)
        return session

    async def measure(self, *hosts: str, **options: Any) -> Session:
        """A sweep from its beginning to its files."""
        session = await self.open(*hosts, **options)
        await asyncio.wait_for(session.run(), PATIENCE_SECONDS)
        session.save()
        await self.leave(session)
        return session

    async def leave(self, session: Measuring) -> None:
        session.close()
        await session.disconnect()

    def runs(self, host: str) -> list[Any]:
        return HostFolder(self.root(host)).runs()

    def agents_of(self, host: str) -> list[int]:
        """Process ids of the agents at work on a host."""
        return [int((run.read_meta() or {})["pid"]) for run in self.runs(host) if is_held(run.lock) and run.read_meta()]

    def kill_agents(self, host: str) -> None:
        for pid in self.agents_of(host):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def measured_by(self) -> Counter[str]:
        """Host to how many trials its agents have an outcome for."""
        hosts = {
            e["record"]["agent"]: e["record"]["host"] for e in self.records() if e["record"]["kind"] == "AgentPlaced"
        }
        found: Counter[str] = Counter()
        for envelope in self.records():
            record = envelope["record"]
            if record["kind"] in {"TrialMeasured", "TrialFailed"} and record.get("stage", "sweep") == "sweep":
                found[hosts[envelope["from"]]] += 1
        return found

    def end(self) -> None:
        super().end()
        for folder in self.folder.glob("host-*"):
            self.kill_agents(folder.name.removeprefix("host-"))
        for session in self.sessions:
            session.close()


class Apart(LocalLink):
    """Starts what it is asked for with the Python that was chosen, apart from this user's settings, as over SSH: none starts another first."""

    async def _spawn(self, arguments: Sequence[str], stderr: int, code: list[str] | None = None) -> Process:
        chosen = [*arguments]
        if chosen[1:3] == ["--python", self._python] and chosen[0] in RUNS_ON_CHOSEN and "--user-site" not in chosen:
            chosen = _without_python(chosen)
        return await super()._spawn(chosen, stderr, code or ["-I", str(self._archive or self._place_archive())])


class Hasty(Apart):
    """Starts agents that wait for nobody."""

    def __init__(self, root: Path, idle_seconds: float) -> None:
        super().__init__(root)
        self._idle = ["--idle-seconds", str(idle_seconds)]

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        return await super().ask([*arguments, *(self._idle if arguments[0] == "start" else [])], stdin)


class Ahead(LocalLink):
    """Agents run by the interpreter given and by no other that the host may have."""

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        return await super().ask(_without_python(arguments), stdin)

    async def open(self, arguments: Sequence[str]) -> LocalStream:
        return await super().open(_without_python(arguments))


def _without_python(arguments: Sequence[str]) -> list[str]:
    at = arguments.index("--python") if "--python" in arguments else len(arguments)
    rest = [*arguments[:at], *arguments[at + 2 :]]
    return [each for each in rest if each != "--user-site"]


async def until(session: Measuring, holds: Callable[[Run], Any]) -> Any:
    """What ``holds`` says of the first snapshot for which it says something, of a session that `Hosts.begin` began."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := holds(session.snapshot)):
            grown = GROWN[session] = asyncio.Event()
            await grown.wait()
        return found


GROWN: dict[Measuring, asyncio.Event] = {}


def begin(session: Measuring) -> asyncio.Task[None]:
    """The session at work in a task of its own."""

    def grow(_: bytes) -> None:
        if session in GROWN:
            GROWN[session].set()

    return asyncio.create_task(session.run(grow))


async def left_with_two_at_work(hosts: Hosts) -> None:
    """An app that is gone, and its agents at work on two hosts, with four trials in hand each."""
    first = await hosts.open("east", "west")
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await hosts.leave(first)
