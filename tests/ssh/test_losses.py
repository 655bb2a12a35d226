"""A run over SSH outlives its link: whatever is cut, every record comes once, every command is carried out once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import spec, trial
from tests.engines.test_channel import Taken
from tests.ssh.conftest import MakeServer
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import Person, config, listed, reached
from tests.ssh.sshd import Sshd, make_key
from tunetui.core.errors import TunetuiError
from tunetui.core.links import LinkState
from tunetui.engines import archive
from tunetui.engines.channel import AgentRefusedError, ask_json
from tunetui.engines.ssh import bootstrap
from tunetui.engines.ssh.connecting import Patience
from tunetui.engines.ssh.link import SshLink
from tunetui.engines.ssh.streams import Channel
from tunetui.session.agents import began_already
from tunetui_agent.messages import CloseQueue, EnqueueTrials, StopRun

PATIENCE_SECONDS = 300.0
WORD = "correct horse"
USED_HOSTS = True


class Following(Taken):
    """Follows a run over SSH and does something to the link after so many records."""

    def __init__(self, link: SshLink, run: str = "run") -> None:
        super().__init__(link, run)  # type: ignore[arg-type]
        self.at: dict[int, Callable[[], Any]] = {}
        self.on_lost: Callable[[], Any] = lambda: None
        self.follower._on_state = self._state

    def _state(self, state: str) -> None:
        self.states.append(state)
        if state == "lost":
            self.on_lost()

    def _take(self, raw: bytes) -> None:
        super()._take(raw)
        self.at.pop(len(self.lines), lambda: None)()

    async def to_the_end(self) -> str:
        return await asyncio.wait_for(self.follower.follow(), PATIENCE_SECONDS)


async def begin(link: SshLink, trials: int, run: str = "run") -> Following:
    """A run of slow trials that was started over the link; nothing is followed yet."""
    assert (await ask_json(link, ["start"], json.dumps(spec(run)).encode()))["ok"]
    following = Following(link, run)
    slow = [{**asdict(trial("is slow")), "id": f"slow {number}"} for number in range(trials)]
    following.follower.outbox.send(EnqueueTrials(command="trials", trials=slow))  # type: ignore[arg-type]
    following.follower.outbox.send(CloseQueue(command="close"))
    return following


def folder(server: Sshd, run: str = "run") -> Path:
    return server.cache / "tunetui" / "runs" / run


def every_record_once(server: Sshd, following: Following) -> bool:
    text = b"\n".join(following.lines) + b"\n"
    once = text.count(b'"command":"trials"') == text.count(b'"command":"close"') == 1
    return once and text == (folder(server).joinpath("journal.jsonl")).read_bytes()


async def gone(server: Sshd, word: str) -> None:
    """Waits until no process with this word is left on the host."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while server.processes(word):  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("rtt_seconds", [0.0, 0.04])
async def test_cuts_of_every_kind_cost_no_record_and_double_none(server: Sshd, rtt_seconds: float) -> None:
    with Proxy(server.port, rtt_seconds=rtt_seconds) as road:
        link = await reached(config(server, port=road.port))
        following = await begin(link, 12)

        def restart() -> None:
            server.kill_listener()
            server.start()

        following.at = {
            6: road.reset,
            16: road.cut_inside_packet,
            26: lambda: server.signal_sessions(signal.SIGKILL),
            36: road.reset,
            37: road.reset,
            46: road.cut_inside_packet,
            47: restart,
        }
        assert await following.to_the_end() == "ended"
        assert following.at == {}
        assert every_record_once(server, following)
        assert following.states.count("lost") >= 5
        await link.close()
    await gone(server, "attach")
    await gone(server, "start")


async def test_a_link_that_goes_silent_is_noticed_and_made_again(server: Sshd) -> None:
    with Proxy(server.port) as road:
        link = await reached(config(server, port=road.port))
        following = await begin(link, 4)

        def speak() -> None:
            road.reset()
            road.speak_again()

        following.at, following.on_lost = {6: road.go_silent}, speak
        assert await following.to_the_end() == "ended"
        assert "lost" in following.states
        assert every_record_once(server, following)
        await link.close()
    await gone(server, "attach")


async def test_an_sshd_that_stands_still_is_noticed(server: Sshd) -> None:
    link = await reached(config(server))
    following = await begin(link, 4)
    following.at = {6: lambda: server.signal_sessions(signal.SIGSTOP)}
    following.on_lost = lambda: server.signal_sessions(signal.SIGKILL)
    assert await following.to_the_end() == "ended"
    assert every_record_once(server, following)
    await link.close()


async def test_a_stop_that_was_asked_while_the_link_was_down_arrives(server: Sshd) -> None:
    with Proxy(server.port) as road:
        link = await reached(config(server, port=road.port))
        following = await begin(link, 500)

        def cut() -> None:
            road.refusing = True
            road.reset()

        def ask_and_mend() -> None:
            if road.refusing:
                following.follower.outbox.send(StopRun(command="stop"))
                road.refusing = False

        following.at, following.on_lost = {10: cut}, ask_and_mend
        assert await following.to_the_end() == "ended"
        assert following.follower.ended == "stopped"
        await link.close()


async def test_a_command_is_asked_again_over_a_new_link(server: Sshd) -> None:
    with Proxy(server.port) as road:
        link = await reached(config(server, port=road.port))
        await link.ask(["list"])
        asked = [asyncio.create_task(link.ask(["list"])) for _ in range(2)]
        road.reset()
        assert await asyncio.gather(*asked) == [b'{"ok":true,"runs":[]}\n'] * 2
        await link.close()


async def test_a_start_whose_answer_was_lost_is_known_again(server: Sshd) -> None:
    link = await reached(config(server))
    following = await begin(link, 2)
    again = await ask_json(link, ["start"], json.dumps(spec("run")).encode())
    assert not again["ok"]
    assert began_already(again, "run")
    assert not began_already(again, "another")
    assert await following.to_the_end() == "ended"
    late = await ask_json(link, ["start"], json.dumps(spec("run")).encode())
    assert began_already(late, "run")
    await link.close()


async def test_a_host_that_allows_one_session_only_says_so_when_it_is_taken(servers: MakeServer) -> None:
    link = await reached(config(servers(settings="MaxSessions 1")))
    await link.ask(["list"])
    following = await begin(link, 400)
    running = asyncio.create_task(following.to_the_end())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not following.lines:  # noqa: ASYNC110 - taken in the task beside us
            await asyncio.sleep(0.01)
    with pytest.raises(TunetuiError, match="box: the host opens no further session") as caught:
        await link.ask(["list"])
    assert "MaxSessions" in caught.value.hint
    following.follower.outbox.send(StopRun(command="stop"))
    assert await running == "ended"
    await link.close()


async def test_a_command_waits_for_a_host_that_comes_back(server: Sshd) -> None:
    states: list[LinkState] = []
    link = await reached(config(server), states=states)
    await link.ask(["list"])
    server.signal_sessions(signal.SIGKILL)
    server.kill_listener()
    asked = asyncio.create_task(link.ask(["list"]))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "nothing listens" not in states[-1].text:  # noqa: ASYNC110 - states are told, not awaited
            await asyncio.sleep(0.01)
    server.start()
    assert await asked == b'{"ok":true,"runs":[]}\n'
    assert states[-1].state == "ready"
    await link.close()


async def test_a_link_that_is_made_again_asks_for_no_passphrase_again(server: Sshd) -> None:
    key = make_key(server.folder / "locked", passphrase=WORD)
    server.authorized_keys.write_text("")
    server.authorize(key)
    person = Person(passphrases=(WORD,))
    link = await reached(config(server, f"IdentityFile {key}"), person)
    await link.ask(["list"])
    server.signal_sessions(signal.SIGKILL)
    assert await listed(link) == b'{"ok":true,"runs":[]}\n'
    assert person.asked_for == [(str(key), 1)]
    assert server.log.count("Accepted publickey") == 2


async def test_a_host_that_is_gone_for_good_ends_a_command_with_words(server: Sshd) -> None:
    link = await reached(config(server))
    link._patience = Patience(ask_seconds=1.0)
    await link.ask(["list"])
    server.signal_sessions(signal.SIGKILL)
    server.kill_listener()
    with pytest.raises(TunetuiError, match=r"the link to box was lost .*nothing listens at 127.0.0.1"):
        await link.ask(["list"])
    await link.close()


async def test_two_who_follow_see_the_same(server: Sshd) -> None:
    first, second = await reached(config(server)), await reached(config(server))
    one = await begin(first, 3)
    other = Following(second)
    other.follower._client = "another"
    assert list(await asyncio.gather(one.to_the_end(), other.to_the_end())) == ["ended", "ended"]
    assert one.lines == other.lines
    assert every_record_once(server, one)
    await first.close()
    await second.close()


# ------------------------------------------------------------------------------------------ other runs than we think


async def test_a_run_is_followed_by_the_agent_that_began_it(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    link = await reached(config(server))
    following = await begin(link, 400)
    old = archive.agent_sha256()
    newer = archive.agent_archive() + b"\n"
    monkeypatch.setattr(bootstrap, "agent_archive", lambda: newer)
    monkeypatch.setattr(bootstrap, "agent_sha256", lambda: "f" * 64)
    seen: list[bytes] = []

    def look() -> None:
        for pid in server.processes("attach"):
            seen.append(Path(f"/proc/{pid}/cmdline").read_bytes())  # noqa: PERF401
        following.follower.outbox.send(StopRun(command="stop"))

    following.at = {8: look}
    assert await following.to_the_end() == "ended"
    assert seen
    assert all(old.encode() in each for each in seen)
    await link.close()


def change_meta(server: Sshd, **fields: Any) -> None:
    path = folder(server) / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


async def finished_run(server: Sshd) -> SshLink:
    link = await reached(config(server))
    following = await begin(link, 1)
    assert await following.to_the_end() == "ended"
    return link


@pytest.mark.parametrize("protocol", [0, 99])
async def test_a_run_of_another_protocol_is_not_touched(server: Sshd, protocol: int) -> None:
    link = await finished_run(server)
    change_meta(server, protocol=protocol)
    with pytest.raises(AgentRefusedError) as refused:
        await Following(link).to_the_end()
    assert f"was begun by a tunetui of protocol {protocol}, this one speaks 1" in refused.value.message
    assert "the version of tunetui that began it" in refused.value.hint
    await link.close()


async def test_a_wiped_run_folder_is_told(server: Sshd) -> None:
    link = await finished_run(server)
    (folder(server) / "meta.json").unlink()
    with pytest.raises(AgentRefusedError, match="run run on box is not there any more"):
        await Following(link).to_the_end()
    await link.close()


async def test_another_run_of_the_same_name_is_told(server: Sshd) -> None:
    link = await finished_run(server)
    following = Following(link)
    following.epoch = "of the run that we followed before"
    with pytest.raises(AgentRefusedError, match="box has another run under the name run"):
        await following.to_the_end()
    await link.close()


async def test_a_host_that_was_started_anew_is_told_from_an_agent_that_died(server: Sshd) -> None:
    link = await reached(config(server))
    following = await begin(link, 500)

    def die() -> None:
        os.kill(json.loads((folder(server) / "meta.json").read_text())["pid"], signal.SIGKILL)

    following.at = {8: die}
    assert await following.to_the_end() == "dead"
    assert following.follower.obituary["rebooted"] is False
    change_meta(server, boot_id="of yesterday")
    again = Following(link)
    assert await again.to_the_end() == "dead"
    assert again.follower.obituary["rebooted"] is True
    assert again.lines == following.lines
    await link.close()


# ------------------------------------------------------------------------------------------ hosts that misbehave


async def test_bytes_come_as_they_are_however_many_there_are_in_a_line(server: Sshd) -> None:
    link = await reached(config(server))
    command = "python3 -c 'import os; d=bytes(range(256))*40000; [os.write(1, d[i:i+65536]) for i in range(0, len(d), 65536)]'"
    channel = await Channel.start(await link._connected(), "box", command)
    received = b""
    while data := await channel.read():
        received += data
    assert received == bytes(range(256)) * 40000
    await channel.close()
    await link.close()


async def test_nothing_is_read_ahead_without_limit(server: Sshd) -> None:
    link = await reached(config(server))
    channel = await Channel.start(await link._connected(), "box", "yes x | head -c 30000000")
    assert await listed(await reached(config(server))) == b'{"ok":true,"runs":[]}\n'
    assert len(channel._received) < 8 << 20
    size = 0
    while data := await channel.read():
        size += len(data)
    assert size == 30_000_000
    await channel.close()
    await link.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("printf '\\033]0;title\\007\\377\\n'", "answered with something else than JSON: .*x1b.*xff"),
        ("printf '[1, 2]\\n'", "answered with list, not an object"),
        ("head -c 10000000 /dev/zero", "answered with something else than JSON"),
        ("head -c 9000000 /dev/zero | tr '\\0' e >&2; printf '\\033[31mred' >&2; exit 7", r"status 7: e+\\x1b\[31mred"),
        ("kill -9 $$", "ended with status -1"),
    ],
)
async def test_an_answer_that_is_none_is_told_and_obeyed_by_no_terminal(
    server: Sshd, tmp_path: Path, script: str, words: str
) -> None:
    interpreter = tmp_path / "not-python"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o700)
    link = await reached(config(server))
    with pytest.raises(TunetuiError, match=words) as caught:
        await ask_json(link, ["list", "--python", str(interpreter)])
    assert "\x1b" not in str(caught.value)
    await link.close()
