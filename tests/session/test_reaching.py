"""Hosts that are reached early: nothing is asked or said before it is sure that a run is wanted, and nothing is left open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tunetui.core.asking import HostKeyQuestion
from tunetui.core.errors import TunetuiError
from tunetui.core.starting import start_process
from tunetui.session.linking import LinkOptions
from tunetui.session.reaching import Reaching, _Held


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An SSH configuration of a host where nothing listens."""
    config = tmp_path / "ssh_config"
    config.write_text("Host nowhere\n  HostName 127.0.0.1\n  Port 9\n")
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(config))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


async def test_what_is_wrong_with_a_host_is_said_when_the_host_is_wanted(nowhere: None) -> None:
    reaching = Reaching(LinkOptions(), None)
    reaching.begin(["nowhere", "a host; rm"])
    with pytest.raises(TunetuiError, match="nothing listens"):
        await reaching.connect("nowhere")
    with pytest.raises(TunetuiError, match="is not a host"):
        await reaching.connect("a host; rm")
    await reaching.close()


async def test_a_host_that_nobody_began_is_reached_when_it_is_asked_for(nowhere: None) -> None:
    reaching = Reaching(LinkOptions(), None)
    assert (await reaching.connect("local")).host == "local"


async def test_hosts_that_nobody_wants_in_the_end_are_let_go_of(nowhere: None) -> None:
    reaching = Reaching(LinkOptions(), None)
    reaching.begin(["nowhere", "nowhere", "local"])
    await asyncio.sleep(0)
    await asyncio.wait_for(reaching.close(), 300)
    assert len(asyncio.all_tasks()) == 1  # this one


async def test_nothing_is_asked_before_a_run_is_wanted() -> None:
    asked: list[str] = []

    class Asker:
        async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
            raise AssertionError

        async def passphrase(self, what: str, attempt: int) -> str | None:
            asked.append(what)
            return "secret"

    wanted = asyncio.Event()
    waiting = asyncio.create_task(_Held(Asker(), wanted).passphrase("a key", 1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert asked == []
    wanted.set()
    assert (await waiting, asked) == ("secret", ["a key"])


async def test_a_process_whose_start_is_cancelled_is_ended_and_waited_for() -> None:
    starting = asyncio.create_task(start_process("sleep", "1000"))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, 300)
