"""Two tunetui on one run: one deals, the other follows and takes over when that one is gone; no trial is measured twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, until
from tests.ssh.accounts import taken_over
from tunetui.session import BatchOptions, LinkOptions, Session
from tunetui.session.catching_up import Alive, CatchingUp
from tunetui.session.run_life import Reach
from tunetui.session.sharing import Shared, Ways
from tunetui.session.taking_up import Attaching, attach
from tunetui_agent.dealers import note_of

HERE, THERE = "here", "there"
GONE = "whoever dealt this run is gone: it is dealt from here now"


@pytest.fixture
def hosts(hosts: Hosts) -> Hosts:
    return hosts.eight_that_wait()


class Machines:
    """Two machines with a tunetui each, as far as files go; both reach the same hosts."""

    def __init__(self, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
        self._hosts, self._monkeypatch = hosts, monkeypatch
        self.folders = {HERE: hosts.folder, THERE: hosts.folder / "elsewhere"}
        self.folders[THERE].mkdir()
        self.said: dict[str, list[str]] = {HERE: [], THERE: []}

    def be(self, machine: str) -> None:
        """From here on this is that machine."""
        data = {HERE: self._hosts.data, THERE: self.folders[THERE] / "data"}[machine]
        self._monkeypatch.setenv("XDG_DATA_HOME", str(data))
        self._monkeypatch.chdir(self.folders[machine])

    def journal(self, machine: str) -> Path:
        (journal,) = (self.folders[machine] / "data" / "tunetui" / "runs").glob("*/journal.jsonl")
        return journal

    async def attach(self, machine: str, gone_seconds: float = 0.5) -> Shared:
        self.be(machine)
        reach = Reach(LinkOptions(), connect=self._hosts.connect, gone_seconds=gone_seconds)
        where = [] if machine == HERE else ["east", "west"]
        name = self._hosts.journal.parent.name
        return await self._listened(Shared.open(Ways(lambda: attach(name, Attaching(reach, where)), reach)), machine)

    async def start(self, gone_seconds: float = 0.5) -> Shared:
        """What the command that begins the run does."""
        self.be(HERE)
        reach = Reach(LinkOptions(), connect=self._hosts.connect, gone_seconds=gone_seconds)
        options = BatchOptions(
            grid_path=self._hosts.folder / "grid.toml",
            output_stem=self._hosts.folder / "grid",
            hosts=["east", "west"],
            together_seconds=None,
        )
        return await self._listened(Shared.open(Ways(lambda: Session.open(options, self._hosts.connect), reach)), HERE)

    def notes(self, name: str) -> list[Path]:
        """What each agent's host keeps of when a tunetui was heard of."""
        return [note_of(run, name) for host in ("east", "west") for run in self._hosts.runs(host)]

    async def _listened(self, opening: Awaitable[Shared], machine: str) -> Shared:
        shared = await opening
        shared.on_change = self.said[machine].append
        self._hosts.sessions.append(shared)
        return shared

    def journals_agree(self) -> bool:
        """Whether both have every record of every agent once, and byte for byte."""
        runs = [run for host in ("east", "west") for run in self._hosts.runs(host)]
        agents = {run.name: run.journal.read_bytes() for run in runs}
        for machine in (HERE, THERE):
            kept = taken_over(self.journal(machine))
            if {name: b"\n".join(lines) + b"\n" for name, lines in kept.items() if name != "app"} != agents:
                return False
        return True

    def measured(self) -> dict[str, int]:
        """How often each trial was measured, by the journals of the agents themselves."""
        found: dict[str, int] = {}
        for run in (run for host in ("east", "west") for run in self._hosts.runs(host)):
            for line in run.journal.read_bytes().splitlines():
                if b'"kind":"TrialMeasured"' in line:
                    number = line.partition(b'"number":')[2].partition(b"}")[0].decode()
                    found[number] = found.get(number, 0) + 1
        return found


@pytest.fixture
def machines(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(hosts, monkeypatch)


async def ended(running: asyncio.Task[None]) -> None:
    await asyncio.wait_for(running, PATIENCE_SECONDS)


async def killed(shared: Shared, running: asyncio.Task[None]) -> None:
    """As a killed app leaves it."""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    shared.close()
    await shared.disconnect()


async def comes_true(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.02)


async def test_one_follows_takes_over_when_the_other_is_gone_and_is_followed_when_that_comes_back(
    hosts: Hosts, machines: Machines
) -> None:
    first = await machines.start()
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    second = await machines.attach(THERE)
    assert second.follows_only
    assert f"process {os.getpid()}) deals this run; following" in second.hand.why  # type: ignore[union-attr]
    following = begin(second)
    hosts.open_gate(0)
    await until(second, lambda run: run.counts.measured)
    await killed(first, running)
    machines.be(THERE)
    await comes_true(lambda: bool(machines.said[THERE]))
    assert machines.said[THERE] == [GONE]
    assert isinstance(second.hand, Session)
    await until(second, lambda run: len(run.running) == 2)
    back = await machines.attach(HERE)
    again = begin(back)
    await comes_true(lambda: back.follows_only)
    assert machines.said[HERE][0].endswith("deals this run; following")
    hosts.open_gate()
    await asyncio.gather(ended(following), ended(again))
    assert second.ended == back.ended == "done"
    await over(machines, second, back)


async def over(machines: Machines, *measured: Shared) -> None:
    """Each trial was measured once, and everybody has every record."""
    assert machines.measured() == {str(number): 1 for number in range(8)}
    for shared in measured:
        shared.close()
        await shared.disconnect()
    assert machines.journals_agree()


def heard(notes: list[Path], at: float) -> None:
    for note in notes:
        with contextlib.suppress(OSError):
            os.utime(note, (at, at))


async def test_one_that_falls_silent_is_replaced_unless_it_is_back_first_and_follows_when_it_is_heard_again(
    hosts: Hosts, machines: Machines
) -> None:
    """Its agents are still attached to, as over a link that nobody has found dead yet."""
    first = await machines.start()
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    second = await machines.attach(THERE)
    following = begin(second)
    machines.be(THERE)
    name = first.hand._recording.hand  # type: ignore[union-attr]

    def is_told_while_the_first_is_silent() -> bool:  # whatever that one says of itself is said in vain
        heard(machines.notes(name), 0.0)
        return bool(machines.said[THERE])

    async def claimed_too_late(catching_up: CatchingUp, alive: Sequence[Alive]) -> list[Alive]:
        patch.undo()
        silent.cancel()
        heard(machines.notes(name), time.time() + 3600.0)  # as of now, however slow this machine is
        return await catching_up.claim(alive)

    with pytest.MonkeyPatch.context() as patch:
        silent = asyncio.create_task(comes_true(is_told_while_the_first_is_silent))
        patch.setattr(CatchingUp, "claim", claimed_too_late)
        await comes_true(lambda: bool(machines.said[THERE]))
    assert machines.said[THERE].pop().endswith("deals this run; following")
    assert second.follows_only
    await comes_true(is_told_while_the_first_is_silent)
    assert machines.said[THERE] == [GONE]
    machines.be(HERE)
    await comes_true(lambda: first.follows_only)
    assert machines.said[HERE][0].endswith("deals this run; following")
    hosts.open_gate()
    await asyncio.gather(ended(running), ended(following))
    assert first.ended == second.ended == "done"
    await over(machines, first, second)


async def test_of_two_that_take_a_run_up_at_once_one_deals(hosts: Hosts, machines: Machines) -> None:
    first = await machines.start()
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    await killed(first, running)
    both = [await machines.attach(HERE, gone_seconds=60.0), await machines.attach(THERE, gone_seconds=60.0)]
    assert not any(shared.follows_only for shared in both)
    tasks = [begin(shared) for shared in both]
    await comes_true(lambda: [shared.follows_only for shared in both].count(True) == 1)
    hosts.open_gate()
    await asyncio.gather(*map(ended, tasks))
    assert [shared.ended for shared in both] == ["done", "done"]
    await over(machines, *both)


async def test_on_one_machine_the_other_looks_on_without_touching_anything(hosts: Hosts, machines: Machines) -> None:
    first = await machines.start()
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    second, third = await machines.start(), await machines.attach(HERE)
    assert second.follows_only
    assert third.follows_only
    looking = [begin(second), begin(third)]
    hosts.open_gate(0)
    await until(second, lambda run: run.counts.measured)
    third.request_stop()
    await ended(looking[1])
    assert third.ended == ""
    hosts.open_gate()
    await ended(running)
    first.close()
    await first.disconnect()
    await ended(looking[0])
    assert machines.said[HERE] == ["whoever dealt this run is done"]
    assert second.ended == "done"
    assert hosts.every_record_once()
    assert list(hosts.outcomes().values()) == [1] * 8
