"""What becomes of a run, and what the user reads, when its host changes its mind, restarts, or cannot be told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace
from tests.session.hosts import PATIENCE_SECONDS, begin, until
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd
from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import Run
from tunetui.session import BatchOptions, Session
from tunetui.tui.sources import LiveRun


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    made = Sshd(tmp_path_factory.mktemp("faults") / "host")
    yield made
    made.stop()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Sshd) -> Iterator[Workplace]:
    """Four trials, each of which stands still until its gate is open."""
    place = Workplace(tmp_path)
    place.grid(how='["waits"]', number="[1, 2, 3, 4]")
    place.environment["TUNETUI_SSH_CONFIG"] = str(config(server))
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TUNETUI_SSH_CONFIG"):
        monkeypatch.setenv(name, place.environment[name])
    yield place
    place.open_gate()
    place.end()


async def open_run(workplace: Workplace) -> Session:
    options = BatchOptions(
        grid_path=workplace.folder / "grid.toml", output_stem=workplace.folder / "grid", hosts=["box"],
    )  # fmt: skip
    return await Session.open(options)


async def leave(session: Session) -> None:
    session.close()
    await session.disconnect()


def everything_once(workplace: Workplace, trials: int = 4) -> None:
    assert list(workplace.outcomes().values()) == [1] * trials
    assert workplace.every_record_once()


def told(run: Run, code: str) -> list[str]:
    return [notice.text for notice in run.notices if notice.code == code]


async def test_links_are_let_go_of_when_a_run_is_over_though_its_screen_stays(
    workplace: Workplace, server: Sshd
) -> None:
    workplace.open_gate()
    live = LiveRun(await open_run(workplace))
    assert server.sessions()
    await asyncio.wait_for(live.attend(), PATIENCE_SECONDS)
    assert live.failure is None
    assert live.session.ended == "done"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.sessions():  # noqa: ASYNC110 - sshd tells nobody
            await asyncio.sleep(0.01)
    live.close()


async def test_a_host_that_no_longer_lets_us_in_ends_the_following_and_not_the_run(
    workplace: Workplace, server: Sshd
) -> None:
    session = await open_run(workplace)
    running = begin(session)
    await until(session, lambda run: run.running)
    keys = server.authorized_keys.read_text()
    server.authorized_keys.write_text("")
    server.signal_sessions(signal.SIGKILL)
    try:
        with pytest.raises(TunetuiError) as refused:
            await asyncio.wait_for(running, PATIENCE_SECONDS)
    finally:
        server.authorized_keys.write_text(keys)
    name = workplace.journal.parent.name
    assert f"accepted no key for user {server.user}" in refused.value.message
    assert f"the run goes on on box: tunetui attach {name} takes it up again, tunetui stop {name} ends it" in (
        refused.value.hint
    )
    assert session.links["box"].state == "dead"
    assert "accepted no key" in session.links["box"].text
    await leave(session)
    again = await open_run(workplace)
    assert again.resume.reattached
    workplace.open_gate()
    await asyncio.wait_for(again.run(), PATIENCE_SECONDS)
    assert again.ended == "done"
    await leave(again)
    everything_once(workplace)
