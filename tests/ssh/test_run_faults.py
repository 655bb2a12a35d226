"""What becomes of a run, and what the user reads, when its host changes its mind, restarts, or cannot be told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import Workplace, finished, next_trial
from tests.e2e.workplace import until as read_until
from tests.session.hosts import PATIENCE_SECONDS, begin, until
from tests.ssh.accounts import settle
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd
from tunetui.core.errors import ExitCode, InputError, TunetuiError
from tunetui.core.snapshot import Run
from tunetui.session import BatchOptions, Session
from tunetui.session.linking import LinkOptions
from tunetui.session.run_life import Reach, survey
from tunetui.session.sharing import Shared, Ways
from tunetui.session.visiting import Hope
from tunetui.tui.sources import LiveRun
from tunetui_agent.folder import HostFolder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    made = Sshd(tmp_path_factory.mktemp("faults") / "host", used=True)
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


async def open_run(workplace: Workplace, **options: Any) -> Session:
    grid, stem = workplace.folder / "grid.toml", workplace.folder / "grid"
    return await Session.open(BatchOptions(grid_path=grid, output_stem=stem, **{"hosts": ["box"]} | options))


async def left_running(workplace: Workplace) -> str:
    """The agent of a run that its app has left with a trial under way."""
    session = await open_run(workplace)
    running = begin(session)
    await until(session, now_running)
    session.detach()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    await leave(session)
    (source,) = session.snapshot.agents
    return source


def now_running(run: Run) -> Any:
    """The number of the trial on the device; 0 where there is none."""
    rows = [run.rows[progress.trial] for progress in run.running.values() if progress.trial in run.rows]
    return rows[0].configuration["number"] if rows else 0


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
    ways = Ways(lambda: open_run(workplace), Reach(LinkOptions()))
    live = LiveRun(await Shared.open(ways))
    assert server.sessions()
    await asyncio.wait_for(live.attend(), PATIENCE_SECONDS)
    assert live.failure is None
    assert live.session.ended == "done"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.sessions():  # noqa: ASYNC110 - sshd tells nobody
            await asyncio.sleep(0.01)
    live.close()


@pytest.mark.parametrize("what", ["our key is removed", "another machine has its address"])
async def test_a_host_that_no_longer_is_ours_ends_the_following_and_not_the_run(
    workplace: Workplace, server: Sshd, what: str
) -> None:
    session = await open_run(workplace)
    running = begin(session)
    await until(session, lambda run: run.running)
    keys, sessions = server.authorized_keys.read_text(), server.sessions()
    if what == "our key is removed":
        server.authorized_keys.write_text("")
        words = f"accepted no key for user {server.user}"
    else:
        server.renew_host_key()
        words = f"the host key of 127.0.0.1 port {server.port} has changed; nothing was sent"
    kill(sessions)
    try:
        with pytest.raises(TunetuiError) as refused:
            await asyncio.wait_for(running, PATIENCE_SECONDS)
    finally:
        server.authorized_keys.write_text(keys)
        config(server)
    name = workplace.journal.parent.name
    assert words in refused.value.message
    assert f"the run goes on on box: tunetui attach {name} takes it up again, tunetui stop {name} ends it" in (
        refused.value.hint
    )
    assert session.links["box"].state == "dead"
    assert words in session.links["box"].text
    await leave(session)
    again = await open_run(workplace)
    assert again.resume.reattached
    workplace.open_gate()
    await asyncio.wait_for(again.run(), PATIENCE_SECONDS)
    assert again.ended == "done"
    await leave(again)
    everything_once(workplace)


async def test_a_connection_that_breaks_while_it_is_made_costs_no_host_and_is_told_once(
    workplace: Workplace, server: Sshd
) -> None:
    workplace.open_gate()
    with Proxy(server.port) as road:
        road.breaking = [600]
        config(server, port=road.port)
        session = await open_run(workplace)
        await asyncio.wait_for(session.run(), PATIENCE_SECONDS)
        await leave(session)
    config(server)
    everything_once(workplace)
    told_of = [notice for notice in session.snapshot.notices if notice.code.startswith("link-")]
    assert [(notice.code, notice.text, notice.times) for notice in told_of] == [
        ("link-broke", "the connection to box broke while it was made; trying once more", 1)
    ]


async def test_a_host_that_is_down_when_its_run_is_taken_up_joins_when_it_is_back_and_nothing_is_measured_twice(
    workplace: Workplace, server: Sshd
) -> None:
    both: dict[str, Any] = {
        "hosts": ["local", "box"],
        "hope": Hope(pauses_seconds=(0.05,), kept_seconds=PATIENCE_SECONDS),
    }
    first = await open_run(workplace, **both, together_seconds=None)
    running = begin(first)
    await until(first, lambda run: len(run.running) == 2)
    sessions = server.sessions()
    server.kill_listener()
    kill(sessions)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await leave(first)
    workplace.open_gate()
    again = await open_run(workplace, **both)
    running = begin(again)
    await until(again, lambda run: run.counts.measured == 2)
    (text,) = told(again.snapshot, "place-left-out")
    assert text.startswith("box takes no part: box: nothing listens at")
    assert text.endswith("it is tried again while the run goes on")
    assert told(again.snapshot, "kept-for-host")
    server.start()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert again.ended == "done"
    await leave(again)
    everything_once(workplace)


HOSTILE = ["a b", "a;touch x", "$(touch x)", "`touch x`", "a'b\"c", "ü 漢", "-x", "../../x", "[/b]", "%s {x} \\"]
UNPRINTABLE = ["a\nb", "\u202e\u200b", "\x1b]0;x\x07"]


async def test_names_that_a_shell_or_a_terminal_could_obey_are_data_all_the_way(
    workplace: Workplace, server: Sshd
) -> None:
    workplace.open_gate()
    workplace.grid(how=json.dumps(UNPRINTABLE))
    with pytest.raises(InputError, match="expected 1 to 100 printable characters") as refused:
        await open_run(workplace)
    assert refused.value.message.isprintable() or "\n" in refused.value.message
    assert "\x1b" not in refused.value.message
    workplace.grid(how=json.dumps(HOSTILE, ensure_ascii=False))
    session = await open_run(workplace)
    await asyncio.wait_for(session.run(), PATIENCE_SECONDS)
    assert session.ended == "done"
    assert {row.status for row in session.snapshot.current_rows()} == {"measured"}
    assert {row.configuration["how"] for row in session.snapshot.current_rows()} == set(HOSTILE)
    session.save()
    await leave(session)
    assert [path for folder in (server.home, workplace.folder) for path in folder.rglob("x")] == []


async def test_what_a_host_writes_into_a_journal_is_cleaned_or_refused_whatever_its_length(
    workplace: Workplace, server: Sshd
) -> None:
    """A host that is not what it was: its journal has escape sequences, a line of 10 MB, and bytes that are no text."""
    source = await left_running(workplace)
    run = HostFolder(server.cache / "tunetui").run(source)
    kill(server.processes("start"))
    last = json.loads(run.journal.read_bytes().splitlines()[-1])["seq"]
    evil = {"kind": "NoticeRaised", "code": "evil", "text": "\x1b]0;title\x07" + "e" * 10_000_000 + "\u202e"}
    with run.journal.open("ab") as journal:
        journal.write(json.dumps({"seq": last + 1, "t": 1.0, **evil}, separators=(",", ":")).encode() + b"\n")
        journal.write(b'{"seq":%d,"t":1.0,"kind":"NoticeRaised","code":"evil","text":"\xff\xfe"}\n' % (last + 2))
    again = await open_run(workplace)
    (text,) = told(again.snapshot, "agent-gone")
    assert f"what {source} left on box cannot be taken over: box sent for {source} what is no record: " in text
    (text,) = told(again.snapshot, "evil")
    assert text.startswith("\\x1b]0;title\\x07eee")
    assert text.endswith("\\u202e")
    workplace.open_gate()
    await asyncio.wait_for(again.run(), PATIENCE_SECONDS)
    assert again.ended == "done"
    await leave(again)


async def test_a_stop_asked_while_the_link_is_down_is_said_and_carried_out_when_it_is_back(
    workplace: Workplace, server: Sshd
) -> None:
    with Proxy(server.port) as road:
        config(server, port=road.port)
        session = await open_run(workplace)
        running = begin(session)
        await until(session, lambda run: run.running)
        road.refusing = True
        road.reset()
        await until(session, lambda run: told(run, "link-lost"))
        session.request_stop()
        text = "the link to box is down: the run there is told to end when it is back"
        assert told(session.snapshot, "wish-waits") == [text]
        assert session.untold == ["box"]
        road.refusing = False
        async with asyncio.timeout(PATIENCE_SECONDS):
            while session.untold:  # noqa: ASYNC110 - what is accepted need not be anything to look at
                await asyncio.sleep(0.01)
        workplace.open_gate()
        await asyncio.wait_for(running, PATIENCE_SECONDS)
        assert session.ended == "interrupted"
        assert session.snapshot.counts.measured == 1
        assert [agent.ended for agent in session.snapshot.agents.values()] == ["stopped"]
        await leave(session)
    assert server.processes("start") == []


def test_whoever_leaves_without_waiting_is_told_what_goes_on_and_how_to_end_it(
    workplace: Workplace, server: Sshd
) -> None:
    with Proxy(server.port) as road:
        config(server, port=road.port)
        run = workplace.start("--host", "box", "--events")
        workplace.open_gate(next_trial(run))
        next_trial(run)
        road.refusing = True
        road.reset()
        name = workplace.journal.parent.name
        read_until(run.stdout, b'"code":"link-lost"')
        run.send_signal(signal.SIGINT)
        read_until(run.stderr, b"the link to box is down: the run there is told to end when it is back")
        run.send_signal(signal.SIGINT)
        read_until(run.stderr, b"stopping at once (Ctrl-C again to leave without waiting)")
        run.send_signal(signal.SIGINT)
        _, err = finished(run, ExitCode.INTERRUPTED)
        assert "box could not be told to stop: the run goes on there" in err
        assert f"tunetui stop {name}   ends it" in err
        assert len(workplace.rows()) == 1
        _, err = workplace.call("stop", name, "--now", code=ExitCode.UNAVAILABLE)
        assert f"nobody was told: {name} goes on; the same command ends it when its host answers" in err
        assert server.processes("start")
        road.refusing = False
        out, _ = workplace.call("stop", name, "--now")
        assert "ends at once" in out
    (agent,) = server.processes("start") or [0]
    if agent:
        wait_for_death(agent)


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_for_death(pid)


def restart_host(server: Sshd) -> None:
    """What a restart leaves: no process, no lock, every file that reached the disk, and another boot than theirs."""
    sessions = server.sessions()
    server.kill_listener()
    kill([*sessions, *server.processes()])
    for meta in (server.cache / "tunetui" / "runs").glob("*/meta.json"):
        meta.write_text(json.dumps({**json.loads(meta.read_text()), "boot_id": "of the boot before"}))
    server.start()


async def test_a_host_that_restarts_in_a_run_is_said_and_the_run_goes_on(workplace: Workplace, server: Sshd) -> None:
    session = await open_run(workplace)
    running = begin(session)
    workplace.open_gate(await until(session, now_running))
    await until(session, lambda run: run.counts.measured == 1)
    await until(session, now_running)
    restart_host(server)
    (text,) = await until(session, lambda run: told(run, "host-rebooted"))
    assert text == "box was restarted; the trial that it had in hand is measured again"
    workplace.open_gate()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert session.ended == "done"
    assert len(session.snapshot.agents) == 2
    session.save()
    await leave(session)
    everything_once(workplace)
    assert text in [notice["text"] for notice in workplace.leaderboard()["notices"]]


async def test_a_run_whose_host_restarted_meanwhile_is_listed_so_and_goes_on_with_its_reason(
    workplace: Workplace, server: Sshd
) -> None:
    source = await left_running(workplace)
    name = workplace.journal.parent.name

    async def state() -> str:
        found = await survey(["box"], Reach(LinkOptions()))
        assert found.unreachable == {}
        return next(run.state for run in found.runs if run.name == name)

    assert await state() == "running"
    with HostFolder(server.cache / "tunetui").run(source).stderr.open("ab") as log:
        log.write(b"Killed\x1b[31m: out of memory\xff\n")
    restart_host(server)
    assert await state() == "rebooted"
    workplace.open_gate()
    again = await open_run(workplace)
    assert told(again.snapshot, "host-rebooted") == [
        f"box was restarted while a run was at work there: {source} ended with it"
    ]
    (text,) = told(again.snapshot, "agent-said")
    assert text.startswith(f"{source} died after record ")
    assert text.endswith("; its log on the host ends with: Killed\\x1b[31m: out of memory\ufffd")
    assert not again.resume.reattached
    await asyncio.wait_for(again.run(), PATIENCE_SECONDS)
    assert again.ended == "done"
    await leave(again)
    everything_once(workplace)
    assert await state() == "done"


def test_a_run_begun_on_another_machine_is_listed_ended_and_taken_up_over_ssh(
    workplace: Workplace, server: Sshd
) -> None:
    workplace.run("--host", "box", "--detach")
    name, (agent,) = workplace.journal.parent.name, server.processes("start")
    workplace.environment["XDG_DATA_HOME"] = str(workplace.folder / "elsewhere")
    out, _ = workplace.call("runs", "box")
    (source,) = (word for word in out.split() if word.startswith(f"{name}-"))
    assert "running (begun elsewhere)" in out
    _, err = workplace.call("attach", name, code=ExitCode.BAD_INPUT)
    assert f"there is no run '{name}'" in err
    out, _ = workplace.call("stop", source, "--host", "box")
    assert "ends after its present trial" in out
    workplace.open_gate()
    wait_for_death(agent)
    _, err = workplace.call("attach", name, "--host", "box", "--format", "none", code=ExitCode.INTERRUPTED)
    assert "its leaderboard is written as it stands: somebody has ended it" in err
    assert f"3 trials are left; to go on with them: tunetui attach {name} --go-on" in err
    _, err = workplace.call("attach", name, "--go-on", "--format", "none")
    journal = workplace.folder / "elsewhere" / "tunetui" / "runs" / name / "journal.jsonl"
    assert not settle(journal, server.cache).wrong
    assert {row["status"] for row in workplace.rows(name).values()} == {"measured"}
    assert len(workplace.rows(name)) == 4
    assert f"wrote {workplace.folder / name}.leaderboard.toml" in err
