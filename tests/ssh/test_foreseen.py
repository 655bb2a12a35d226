"""Commands that are begun before they are asked for: used once, and never left behind."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.ssh.reaching import config, reached
from tests.ssh.sshd import Sshd
from tests.ssh.test_reaching import NO_RUNS
from tunetui.engines.local import LocalLink
from tunetui.engines.ssh.link import SshLink

USED_HOSTS = True
LOOK = ["environment", "--kind", "cpu", "--probe", "--module=json"]


async def looked_at(server: Sshd) -> tuple[SshLink, str]:
    """A link on which a start is foreseen, after the first look at the host; and the Python that it found."""
    link = await reached(config(server))
    link.foresee(["start"])
    first, second = (json.loads(line) for line in (await link.ask(LOOK)).splitlines())
    assert "module:json" in {each["language"] for each in second["toolchains"]}
    return link, first["python"]


async def until(server: Sshd, count: int) -> None:
    while len(server.processes("start")) != count:  # noqa: ASYNC110 - other processes set no event
        await asyncio.sleep(0.01)


async def test_a_start_that_was_foreseen_runs_already_when_it_is_asked_for(server: Sshd) -> None:
    link, python = await looked_at(server)
    async with asyncio.timeout(30):
        await until(server, 1)
    answer = json.loads(await link.ask(["start", "--python", python], b"{}\n"))
    assert (answer["ok"], answer["error"]) == (False, "protocol")
    async with asyncio.timeout(30):
        await until(server, 0)
    assert json.loads(await link.ask(["start", "--python", python], b"no JSON"))["error"] == "spec", "as ever"
    await link.close()


async def test_another_command_or_another_python_does_not_get_it(server: Sshd, tmp_path: Path) -> None:
    link, python = await looked_at(server)
    assert await link.ask(["list"]) == NO_RUNS
    other = tmp_path / "python"
    other.symlink_to(python)
    answer = json.loads(await link.ask(["start", "--python", str(other)], b"{}\n"))
    assert answer["error"] == "protocol"
    await link.close()


async def test_a_start_that_nobody_asks_for_ends_with_the_link(server: Sshd) -> None:
    link, _ = await looked_at(server)
    async with asyncio.timeout(30):
        await until(server, 1)
        await link.close()
        await until(server, 0)


async def test_this_machine_is_looked_at_ahead_of_the_question(tmp_path: Path) -> None:
    link = LocalLink(tmp_path / "root")
    await link.look_ahead()
    found = json.loads(await link.ask(["probe", "--module=json"]))
    assert "module:json" in {each["language"] for each in found["toolchains"]}
    assert json.loads(await link.ask(["start"], b"no JSON"))["error"] == "spec"
    assert json.loads(await link.ask(["probe"]))["ok"], "asked again, it is looked at again"
    await link.look_ahead()
    await link.close()
    assert json.loads(await link.ask(["start"], b"no JSON"))["error"] == "spec"
