"""When a run that another deals may be taken over: whatever some of its hosts do meanwhile, what the others say is acted on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tunetui.session import following
from tunetui.session.catching_up import Alive, CatchingUp
from tunetui.session.following import Following
from tunetui.session.links import Links
from tunetui.session.recording import Recording
from tunetui.session.resuming import agents_name
from tunetui.store.journal import Journal

PATIENCE_SECONDS = 300.0


class Host:
    """A link to a host that says what the test says; it has agents of one run, and no other."""

    retries: int | None = None

    def __init__(self, host: str) -> None:
        self.host = host
        self.is_cut = False
        self.listed: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()  # agents at work there
        self.asked = asyncio.Event()
        self._said: dict[str, asyncio.Queue[bytes]] = {}

    def says(self, agent: str, **control: Any) -> None:
        self._of(agent).put_nowait(json.dumps(control, separators=(",", ":")).encode() + b"\n")

    def is_dealt_by(self, agent: str, dealer: str) -> None:
        self.says(agent, ctl="dealer", dealer=dealer)

    def cut(self, agent: str) -> None:
        """For good."""
        self.is_cut = True
        self._of(agent).put_nowait(b"")

    def _of(self, agent: str) -> asyncio.Queue[bytes]:
        return self._said.setdefault(agent, asyncio.Queue())

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        if arguments[0] == "recount":
            return b'{"ok":false}'
        assert list(arguments) == ["list"]
        self.asked.set()
        runs = [{"run": agent, "state": "running"} for agent in await asyncio.shield(self.listed)]
        return json.dumps({"runs": runs}).encode()

    async def open(self, arguments: Sequence[str]) -> Stream:
        if self.is_cut:
            raise ConnectionResetError
        return Stream(self._of(arguments[arguments.index("--run") + 1]))

    async def close(self) -> None:
        """Nothing is held."""


class Stream:
    def __init__(self, said: asyncio.Queue[bytes]) -> None:
        self._said = said

    async def read(self) -> bytes:
        return await self._said.get()

    async def write(self, data: bytes) -> None:
        """Whoever follows has nothing to say."""

    async def close(self, *, at_once: bool = False) -> str:
        return ""


class Two:
    """Two hosts with an agent each, followed."""

    def __init__(self, folder: Path) -> None:
        self.hosts = east, west = Host("east"), Host("west")
        self._recording = Recording(Journal(folder / "journal.jsonl"))
        name = agents_name("run", self._recording.snapshot)
        self.agents = [f"{name}-east", f"{name}-west"]
        self.later = f"{name}-later"
        links = {"east": east, "west": west}
        catching_up = CatchingUp(links, self._recording, "run")
        self._following = Following(links, self._recording, catching_up, Links(), gone_seconds=0.0)

    def begin(self, *hosts: str) -> asyncio.Task[bool]:
        alive = [Alive(agent, agent.rpartition("-")[2], "cpu", closed=True) for agent in self.agents]
        return asyncio.create_task(self._following.run([each for each in alive if each.host in hosts]))

    def close(self) -> None:
        self._recording.journal.close()

    async def comes_true(self, holds: Any) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():  # noqa: ASYNC110 - nobody says so
                await asyncio.sleep(0)

    def dealers(self) -> list[str]:
        return [self._following._dealers.get(agent, "?") for agent in self.agents]


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(following, "_SOON_SECONDS", 0.0)
    made = Two(tmp_path)
    yield made
    made.close()


async def done(running: asyncio.Task[bool]) -> bool:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await running


async def test_what_is_heard_at_the_moment_of_a_takeover_does_not_hold_it_up(two: Two) -> None:
    (east, _), running = two.hosts, two.begin("east")
    east.says(two.agents[0], ctl="attached", dealer="first")
    east.is_dealt_by(two.agents[0], "")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not running.done():  # something in every turn of the loop
            east.says(two.agents[0], ctl="hb")
            await asyncio.sleep(0)
    assert running.result()


async def test_a_host_that_does_not_say_who_is_at_work_there_keeps_nobody_from_taking_over(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    (east, west), running = two.hosts, two.begin("east")
    east.listed.set_result([two.agents[0]])
    east.says(two.agents[0], ctl="attached", dealer="first")
    await asyncio.wait_for(west.asked.wait(), PATIENCE_SECONDS)
    east.is_dealt_by(two.agents[0], "")
    assert await done(running)


async def test_who_dealt_a_run_on_a_host_that_is_lost_is_not_taken_for_one_who_is_there(two: Two) -> None:
    (east, west), running = two.hosts, two.begin("east", "west")
    for host, agent in zip(two.hosts, two.agents, strict=True):
        host.says(agent, ctl="attached", dealer="first")
    await two.comes_true(lambda: two.dealers() == ["first", "first"])
    west.cut(two.agents[1])
    await two.comes_true(lambda: two.dealers() == ["first", "?"])
    assert not running.done()
    east.is_dealt_by(two.agents[0], "")
    assert await done(running)


async def test_whether_another_agent_was_begun_is_known_before_a_run_is_taken_over_or_held_to_be_over(two: Two) -> None:
    (east, west), running = two.hosts, two.begin("east")
    west.listed.set_result([])
    east.says(two.agents[0], ctl="attached", dealer="first")
    east.says(two.agents[0], ctl="dead")
    await asyncio.wait_for(east.asked.wait(), PATIENCE_SECONDS)
    for _ in range(50):  # rounds in which it would be given up, were nobody to be asked
        await asyncio.sleep(0)
    assert not running.done()
    east.says(two.later, ctl="attached", dealer="first")
    east.listed.set_result([two.later])
    await two.comes_true(lambda: two._following._dealers.get(two.later) == "first")
    assert not running.done()
    east.is_dealt_by(two.later, "")
    assert await done(running)


async def test_an_answer_that_never_comes_is_not_waited_for_for_ever(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "ANSWER_SECONDS", 0.01)
    (east, _), running = two.hosts, two.begin("east")
    east.says(two.agents[0], ctl="attached", dealer="first")
    east.says(two.agents[0], ctl="dead")
    assert await done(running)


async def test_what_a_host_says_is_acted_on_while_another_keeps_silent(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    (east, west), running = two.hosts, two.begin("east")
    east.says(two.agents[0], ctl="attached", dealer="first")
    await asyncio.wait_for(west.asked.wait(), PATIENCE_SECONDS)  # and does not answer
    east.says(two.later, ctl="attached", dealer="second")
    east.listed.set_result([two.agents[0], two.later])
    await two.comes_true(lambda: two._following._dealers.get(two.later) == "second")
    west.listed.set_result([two.agents[1]])
    west.says(two.agents[1], ctl="attached", dealer="first")
    await two.comes_true(lambda: two.dealers() == ["first", "first"])
    for host, agent in ((east, two.agents[0]), (east, two.later), (west, two.agents[1])):
        host.is_dealt_by(agent, "")
    assert await done(running)
