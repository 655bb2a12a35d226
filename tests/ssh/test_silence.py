"""A command that hangs on a host whose link is well: given up and ended there, named, asked again; nothing else suffers."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.hanging import PATIENCE_SECONDS, Hang, Silences, hung_list
from tests.ssh.reaching import config, reached
from tests.ssh.sshd import Sshd
from tunetui.core.errors import AwayError
from tunetui.engines import allowances
from tunetui.engines.allowances import SilentError
from tunetui.engines.ssh import bootstrap, first_stage
from tunetui.engines.ssh.link import SshLink


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Its python3 hangs while the file "hang" is there."""
    folder = tmp_path_factory.mktemp("silence")
    python = folder / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nwhile [ -e {folder}/hang ]; do sleep 0.1; done\nexec {sys.executable} "$@"\n')
    python.chmod(0o700)
    made = Sshd(folder / "host", used=True, environment={"PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin"})
    yield made
    made.stop()


@pytest.fixture
async def link(server: Sshd) -> AsyncIterator[SshLink]:
    made = await reached(config(server))
    yield made
    await made.close()


@pytest.fixture
def hang(server: Sshd) -> Iterator[Hang]:
    made = hung_list(server.cache / "tunetui")
    yield made
    made.close()


async def nobody_lists(server: Sshd) -> None:
    """Until no process of the command is left on the host."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.processes("list"):  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["on a file", "stopped"])
async def test_a_command_that_hangs_is_ended_on_its_host_and_the_link_serves_on(
    server: Sshd, link: SshLink, hang: Hang, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    silences, way = Silences(monkeypatch), link._way
    asking = asyncio.create_task(link.ask(["list"]))
    await hang.has_a_victim()
    if how == "stopped":
        for pid in server.processes("list"):
            os.kill(pid, signal.SIGSTOP)
    await silences.twice(hang)
    with pytest.raises(SilentError) as caught:
        await asyncio.wait_for(asking, PATIENCE_SECONDS)
    assert caught.value.message == "box said nothing for 20 s, twice, when it was asked to list its runs"
    await nobody_lists(server)
    hang.release()
    assert b'"ok"' in await asyncio.wait_for(link.ask(["list"]), PATIENCE_SECONDS)
    assert link._way is way


async def test_a_command_that_hangs_and_that_nobody_waits_for_any_more_ends_by_itself(
    server: Sshd, link: SshLink, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "ALONE_SECONDS", 1)
    victim = asyncio.create_task(hang.has_a_victim())
    while not victim.done():  # on a slow machine one may end before it hangs
        asking = asyncio.create_task(link.ask(["list"]))
        await asyncio.wait({asking, victim}, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await nobody_lists(server)


async def test_a_python_that_hangs_costs_the_command_and_not_the_connection(server: Sshd, link: SshLink) -> None:
    asked, way, patience = Path(server.folder.parent / "hang"), link._way, link._patience
    link._spares.drop()
    asked.touch()
    link._patience = replace(patience, bootstrap_seconds=0.05)
    with pytest.raises(
        OSError, match=r"box said nothing .* show what an agent wrote: python3 there did not begin"
    ) as lost:
        await link.open(["attach", "--run", "any"])
    assert isinstance(lost.value, SilentError)
    asked.unlink()
    link._patience = replace(patience, bootstrap_seconds=PATIENCE_SECONDS)
    assert b'"ok"' in await asyncio.wait_for(link.ask(["list"]), PATIENCE_SECONDS)
    assert link._way is way


def test_a_host_without_room_for_a_process_may_have_some_later() -> None:
    trouble = first_stage.trouble_of(OSError(errno.EAGAIN, "Resource temporarily unavailable"))
    error = bootstrap._trouble("box", trouble.answer)
    assert error.message == "box: no further process can be started there: Resource temporarily unavailable"
    assert isinstance(error, AwayError)
