"""A command that hangs on this machine is given up, ended, said, and asked once more where that does no harm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import furnish
from tests.engines.hanging import PATIENCE_SECONDS, Hang, Silences, hung_list
from tunetui.core.errors import AwayError
from tunetui.engines import allowances
from tunetui.engines.allowances import SilentError, allowance
from tunetui.engines.local import LocalLink


@pytest.fixture
def root(tmp_path: Path) -> Path:
    furnish(tmp_path / "host")
    return tmp_path / "host"


@pytest.fixture
def hang(root: Path) -> Iterator[Hang]:
    made = hung_list(root)
    yield made
    made.close()


def at_work(root: Path) -> list[int]:
    """Processes that were told of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.fsencode(root) in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_a_command_that_hangs_twice_is_ended_and_named(
    root: Path, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    silences, link = Silences(monkeypatch), LocalLink(root)
    asking = asyncio.create_task(link.ask(["list"]))
    await silences.twice(hang)
    with pytest.raises(SilentError) as caught:
        await asyncio.wait_for(asking, PATIENCE_SECONDS)
    assert caught.value.message == "local said nothing for 20 s, twice, when it was asked to list its runs"
    assert isinstance(caught.value, AwayError)  # it is tried again while a run goes on
    assert at_work(root) == []


async def test_it_is_asked_once_more_and_what_is_waited_for_is_told(
    root: Path, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "TOLD_AFTER_SECONDS", 0.0)
    told: list[str] = []

    def wait(host: str, words: str) -> None:
        told.append(words)
        if words.endswith("for the second time"):
            hang.release()

    silences, link = Silences(monkeypatch), LocalLink(root, on_wait=wait)
    asking = asyncio.create_task(link.ask(["list"]))
    await hang.has_a_victim()
    silences.have_been_long_enough()
    assert b'"ok":' in (await asyncio.wait_for(asking, PATIENCE_SECONDS)).replace(b" ", b"")
    assert told == ["list its runs", "list its runs, for the second time", ""]


async def test_what_may_not_be_asked_twice_is_asked_once(
    root: Path, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    silences, link = Silences(monkeypatch), LocalLink(root)
    asking = asyncio.create_task(link.ask(["gc", "--days", "14"]))
    await hang.has_a_victim()
    silences.have_been_long_enough()
    with pytest.raises(SilentError, match=r"said nothing for 300 s when it was asked to clear old runs away"):
        await asyncio.wait_for(asking, PATIENCE_SECONDS)
    assert not silences.begun


def test_every_command_that_is_asked_has_its_words() -> None:
    asked = ["list", "recount", "stop", "start", "probe", "environment", "doctor", "unpack", "gc", "attach"]
    assert len({allowance([name]).words for name in asked}) == len(asked)
