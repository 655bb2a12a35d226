"""What the user reads when a host cannot be reached, is not who it was, or lets nobody in; against a real OpenSSH server."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ssh.conftest import MakeServer
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import Person, config, listed, reached, said
from tests.ssh.sshd import Sshd, free_port, make_key
from tunetui.core.links import LinkState

PASSPHRASE = "correct horse"  # noqa: S105
NO_RUNS = b'{"ok":true,"runs":[]}\n'
USED_HOSTS = True


async def test_an_alias_of_the_ssh_configuration_is_enough(server: Sshd) -> None:
    states: list[LinkState] = []
    link = await reached(config(server), states=states)
    assert await listed(link) == NO_RUNS
    assert [state.state for state in states] == ["connecting", "ready"]


async def test_user_name_and_port_can_be_said_at_once(server: Sshd) -> None:
    path = server.folder / "ssh_config"
    path.write_text(
        f"Host *\n  IdentityFile {server.client_key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {server.folder}/k\n"
    )
    (server.folder / "k").write_text(server.known_hosts_line(f"[127.0.0.1]:{server.port}"))
    link = await reached(path, name=f"{server.user}@127.0.0.1:{server.port}")
    assert await listed(link) == NO_RUNS


# ------------------------------------------------------------------------------------------ on the way


async def test_a_name_without_an_address(server: Sshd) -> None:
    words = await said(config(server, "HostName no-such-host.invalid"))
    assert "box: there is no host called no-such-host.invalid" in words
    assert "check the spelling" in words


async def test_nothing_listens_there(server: Sshd) -> None:
    port = free_port()
    words = await said(config(server, port=port))
    assert f"box: nothing listens at 127.0.0.1 port {port}" in words
    assert "a rented machine may still be starting" in words


async def test_a_host_that_never_answers(server: Sshd) -> None:
    with Proxy(server.port) as road:
        road.go_silent()
        words = await said(config(server, port=road.port), connect_seconds=0.3)
        assert f"box: 127.0.0.1 port {road.port} did not answer within 0.3 s" in words
        assert road.accepted == 1


async def test_a_connection_that_is_closed_at_once(server: Sshd) -> None:
    with Proxy(server.port) as road:
        road.refusing = True
        words = await said(config(server, port=road.port))
        assert f"127.0.0.1 port {road.port} closed the connection before it was made" in words
        assert road.accepted == 2


@pytest.mark.parametrize("came_bytes", [1, 30, 600, 1600])  # in the first line, the offers, the keys, the login
async def test_a_connection_that_breaks_while_it_is_made_is_made_once_more(server: Sshd, came_bytes: int) -> None:
    states: list[LinkState] = []
    with Proxy(server.port) as road:
        road.breaking = [came_bytes]
        link = await reached(config(server, port=road.port), states=states)
        assert await listed(link) == NO_RUNS
        assert road.accepted == 2
    said_of = [(state.state, state.text) for state in states]
    again = ("connecting", "the connection to box broke while it was made; trying once more")
    assert said_of == [("connecting", ""), again, ("ready", "")]


async def test_what_was_answered_is_not_asked_again_after_a_connection_broke(server: Sshd) -> None:
    person = Person()
    with Proxy(server.port) as road:
        road.breaking = [1_000_000, 600]  # the one that shows the key, the one that follows the answer
        link = await reached(config(server, port=road.port, known=False), person)
        assert await listed(link) == NO_RUNS
        assert road.accepted == 3
    assert len(person.questions) == 1


@pytest.fixture
def web_port() -> Iterator[int]:
    """A port where something else than sshd answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def answer() -> None:
            line, _ = listener.accept()
            with line:
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 2000)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


async def test_what_listens_there_is_no_ssh_server(server: Sshd, web_port: int) -> None:
    words = await said(config(server, port=web_port))
    assert words.startswith("box: ")
    assert f"127.0.0.1 port {web_port}" in words


async def test_a_jump_host_is_passed_and_one_that_fails_is_named(servers: MakeServer) -> None:
    inner, jump = servers("inner"), servers("jump")
    path = inner.folder / "ssh_config"
    path.write_text(inner.ssh_config("box", "ProxyJump jump") + jump.ssh_config("jump"))
    assert await listed(await reached(path)) == NO_RUNS
    assert inner.sessions() == [] or jump.log.count("Accepted publickey") == 1
    jump.kill_listener()
    words = await said(path)
    assert f"box, hop 1 of 2 (jump): nothing listens at 127.0.0.1 port {jump.port}" in words


async def test_a_jump_host_that_cannot_go_on(servers: MakeServer) -> None:
    inner, jump = servers("inner"), servers("jump")
    path = inner.folder / "ssh_config"
    path.write_text(inner.ssh_config("box", "ProxyJump jump", port=free_port()) + jump.ssh_config("jump"))
    words = await said(path)
    assert "box, hop 2 of 2 (box): the hop before it cannot reach 127.0.0.1" in words


async def test_a_proxy_command_is_run_as_ssh_runs_it(server: Sshd) -> None:
    script = server.folder / "relay.py"
    script.write_text(
        "import os, socket, sys, threading\n"
        "line = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536):\n"
        "        line.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := line.recv(65536):\n"
        "    os.write(1, data)\n"
    )
    link = await reached(config(server, f"ProxyCommand python3 {script} %h %p"))
    assert await listed(link) == NO_RUNS


@pytest.mark.parametrize(
    "name",
    ["", "-oProxyCommand=touch x", "a b", "a;b", "$(id)", "a'b", 'a"b', "a\nb", "böx", "a@b@-c", "x:0", "x:99999", "`x`",
     "a|b", "../x", "a" * 300],
)  # fmt: skip
async def test_a_name_that_a_shell_could_misunderstand_is_no_host(server: Sshd, name: str) -> None:
    words = await said(config(server), name=name)
    assert "is not a host" in words
    assert "\n" not in words.splitlines()[0]


async def test_a_configuration_that_leads_to_no_host_is_refused(server: Sshd) -> None:
    words = await said(config(server, "HostName $(touch${IFS}x)"))
    assert "leads to" in words or "refuses" in words


async def test_a_mistake_in_the_configuration_is_told_as_ssh_tells_it(server: Sshd) -> None:
    words = await said(config(server, "NoSuchOption 1"))
    assert "ssh refuses its configuration for box" in words
    assert "ssh_config: line 2: Bad configuration option: nosuchoption" in words


async def test_without_ssh_there_is_nobody_to_ask(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    path = config(server)
    monkeypatch.setenv("PATH", str(server.folder))
    words = await said(path)
    assert "ssh is not installed on this machine" in words
    assert "openssh-client" in words


# ------------------------------------------------------------------------------------------ who it is


def tool(*command: str) -> str:
    """What one of OpenSSH's own programs says."""
    return subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout


def fingerprint(key: Path) -> str:
    return tool("ssh-keygen", "-lf", f"{key}.pub").split()[1]


async def test_an_unknown_host_is_refused_headless_with_its_fingerprint(server: Sshd) -> None:
    path = config(server, known=False)
    words = await said(path)
    shown = fingerprint(server.host_key)
    assert f"box: the host key of 127.0.0.1 port {server.port} is not known: ssh-ed25519 {shown}" in words
    assert f"--host-key {shown}" in words
    assert "--accept-new-host-key" in words
    assert "Accepted" not in server.log
    assert not (server.folder / "known_hosts").exists()


async def test_the_right_fingerprint_lets_a_host_in_and_is_kept_as_ssh_keeps_it(server: Sshd) -> None:
    path = config(server, known=False)
    link = await reached(path, host_keys=(fingerprint(server.host_key),))
    assert await listed(link) == NO_RUNS
    kept = (server.folder / "known_hosts").read_text()
    assert kept.startswith("box ssh-ed25519 ")
    assert (server.folder / "known_hosts").stat().st_mode & 0o777 == 0o600
    assert await listed(await reached(path)) == NO_RUNS
    assert tool("ssh", "-F", str(path), "box", "echo known") == "known\n"


@pytest.mark.parametrize("hashed", ["yes", "no"])
async def test_a_kept_key_is_found_again_hashed_or_not(server: Sshd, hashed: str) -> None:
    path = config(server, f"HashKnownHosts {hashed}", known=False)
    (server.folder / "known_hosts").write_text("# a comment\nnonsense\n@cert-authority *.x\nother ssh-rsa AAAA")
    await listed(await reached(path, accept_new_host_key=True))
    lines = (server.folder / "known_hosts").read_text().splitlines()
    assert len(lines) == 5
    assert lines[4].startswith("|1|" if hashed == "yes" else "box ")
    assert await listed(await reached(path)) == NO_RUNS


async def test_another_fingerprint_does_not(server: Sshd, servers: MakeServer) -> None:
    other = fingerprint(servers("other").host_key)
    words = await said(config(server, known=False), host_keys=(other,))
    assert "which is none of --host-key" in words
    assert "Accepted" not in server.log


async def test_a_fingerprint_that_is_none_is_refused(server: Sshd) -> None:
    assert "is no fingerprint" in await said(config(server), host_keys=("MD5:00:11",))


async def test_a_person_is_shown_algorithm_and_fingerprint_and_may_say_yes(server: Sshd) -> None:
    path, person = config(server, "HostKeyAlias none", known=False), Person()
    await listed(await reached(path, person))
    (question,) = person.questions
    assert (question.algorithm, question.fingerprint) == ("ssh-ed25519", fingerprint(server.host_key))
    assert (question.host, question.place) == ("box", f"127.0.0.1 port {server.port}")
    assert question.stored_in == str(server.folder / "known_hosts")
    await listed(await reached(path, person))
    assert len(person.questions) == 1


async def test_a_person_may_say_no_and_nothing_was_sent(server: Sshd) -> None:
    words = await said(config(server, known=False), Person(accepts=False))
    assert "was not accepted; nothing was sent" in words
    assert "Accepted" not in server.log
    assert "publickey" not in server.log


async def test_a_key_is_kept_only_once_the_host_has_let_us_in(server: Sshd) -> None:
    server.authorized_keys.write_text("")
    words = await said(config(server, known=False), Person())
    assert "accepted no key" in words
    assert not (server.folder / "known_hosts").exists()


async def test_a_changed_host_key_is_a_stop_whatever_was_allowed(server: Sshd) -> None:
    path = config(server)
    before = fingerprint(server.host_key)
    server.renew_host_key()
    person = Person()
    words = await said(path, person, accept_new_host_key=True, host_keys=(fingerprint(server.host_key),))
    assert f"the host key of 127.0.0.1 port {server.port} has changed; nothing was sent" in words
    assert before in words
    assert fingerprint(server.host_key) in words
    assert f"ssh-keygen -R 'box' -f {server.folder}/known_hosts" in words
    assert person.questions == []
    tool("ssh-keygen", "-R", "box", "-f", f"{server.folder}/known_hosts")
    await listed(await reached(path, person))
    assert len(person.questions) == 1


async def test_a_revoked_host_key_is_a_stop(server: Sshd) -> None:
    path = config(server)
    (server.folder / "known_hosts").write_text("@revoked " + server.known_hosts_line("box"))
    assert "shows a host key that is revoked" in await said(path, accept_new_host_key=True)


async def test_checking_cannot_be_switched_off_by_a_configuration(server: Sshd) -> None:
    lines = ("StrictHostKeyChecking no", "UserKnownHostsFile /dev/null")
    assert "is not known" in await said(config(server, *lines, known=False))
    person = Person()
    await listed(await reached(config(server, *lines, known=False), person))
    assert person.questions[0].stored_in == ""


# ------------------------------------------------------------------------------------------ who we are


async def test_a_key_that_the_host_does_not_know(server: Sshd) -> None:
    server.authorized_keys.write_text("")
    words = await said(config(server))
    assert f"accepted no key for user {server.user}; tried: {server.client_key}" in words
    assert server.log.count("Connection from") == 1
    assert "authorized_keys" in words


async def test_no_key_at_all(server: Sshd) -> None:
    server.client_key.unlink()
    words = await said(config(server))
    assert "accepted no key" in words
    assert "tried: no key at all" in words
    assert "ssh-add" in words


async def test_too_many_keys(servers: MakeServer) -> None:
    server = servers(settings="MaxAuthTries 3")
    extra = [make_key(server.folder / f"extra{number}") for number in range(5)]
    server.authorized_keys.write_text("")
    words = await said(config(server, *(f"IdentityFile {key}" for key in extra)))
    assert "gave up after too many keys" in words
    assert "IdentitiesOnly yes" in words
    assert str(extra[0]) in words


@pytest.fixture
def locked(server: Sshd) -> Path:
    """A key with a passphrase, which is the only one that is let in."""
    key = make_key(server.folder / "locked", passphrase=PASSPHRASE)
    server.authorized_keys.write_text("")
    server.authorize(key)
    return key


async def test_a_passphrase_is_asked_when_no_other_key_is_let_in(server: Sshd, locked: Path) -> None:
    person = Person(passphrases=("wrong", PASSPHRASE))
    link = await reached(config(server, f"IdentityFile {locked}"), person)
    assert await listed(link) == NO_RUNS
    assert person.asked_for == [(str(locked), 1), (str(locked), 2)]


async def test_no_passphrase_is_asked_while_another_key_will_do(server: Sshd, locked: Path) -> None:
    server.authorize(server.client_key)
    person = Person()
    await listed(await reached(config(server, f"IdentityFile {locked}"), person))
    assert person.asked_for == []


async def test_three_wrong_passphrases_are_enough(server: Sshd, locked: Path) -> None:
    person = Person(passphrases=("a", "b", "c", PASSPHRASE))
    words = await said(config(server, f"IdentityFile {locked}"), person)
    assert "accepted no key" in words
    assert len(person.asked_for) == 3


async def test_headless_a_locked_key_is_named(server: Sshd, locked: Path) -> None:
    words = await said(config(server, f"IdentityFile {locked}"))
    assert f"{locked} (locked)" in words


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an ssh-agent of our own."""
    socket_path = str(tmp_path / "agent.sock")
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket_path], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.readline()
        yield socket_path
        run.terminate()


def add(agent: str, key: Path, passphrase: str = "") -> None:
    ask = key.with_name("askpass")
    ask.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
    ask.chmod(0o700)
    environment = {"SSH_AUTH_SOCK": agent, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "PATH": "/usr/bin"}
    subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True, capture_output=True)


async def test_the_agent_opens_what_the_file_locks(server: Sshd, locked: Path, agent: str) -> None:
    add(agent, locked, PASSPHRASE)
    person = Person()
    link = await reached(config(server, f"IdentityFile {locked}", f"IdentityAgent {agent}"), person)
    assert await listed(link) == NO_RUNS
    assert person.asked_for == []


async def test_of_many_keys_in_the_agent_the_configured_one_comes_first(servers: MakeServer, agent: str) -> None:
    server = servers(settings="MaxAuthTries 2")
    for number in range(6):
        add(agent, make_key(server.folder / f"other{number}"))
    add(agent, server.client_key)
    link = await reached(config(server, f"IdentityAgent {agent}", "IdentitiesOnly no"))
    assert await listed(link) == NO_RUNS


async def test_an_agent_that_is_gone_is_no_agent(server: Sshd) -> None:
    link = await reached(config(server, f"IdentityAgent {server.folder}/none.sock"))
    assert await listed(link) == NO_RUNS


async def test_a_certificate_is_offered(server: Sshd) -> None:
    authority, key = make_key(server.folder / "ca"), make_key(server.folder / "certified")
    tool("ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", server.user, f"{key}.pub")
    server.authorized_keys.write_text(f"cert-authority {(server.folder / 'ca.pub').read_text()}")
    link = await reached(config(server, f"IdentityFile {key}"))
    assert await listed(link) == NO_RUNS


async def test_no_round_trip_is_spent_on_asking_which_ways_in_there_are(servers: MakeServer) -> None:
    server = servers(settings="LogLevel DEBUG3")

    def methods() -> list[str]:
        return [
            line.split("method ")[1].split()[0] for line in server.log.splitlines() if "userauth-request for" in line
        ]

    link = await reached(config(server))
    assert await link.ask(["list"]) == NO_RUNS
    assert methods() == ["publickey"]  # signed at once: a key from a file costs nobody anything
    server.signal_sessions(signal.SIGKILL)
    assert await listed(link) == NO_RUNS
    assert methods() == ["publickey"] * 2


async def test_a_key_that_is_no_longer_accepted_makes_room_for_the_next(server: Sshd) -> None:
    first, second = make_key(server.folder / "first"), make_key(server.folder / "second")
    server.authorized_keys.write_text("")
    server.authorize(first)
    link = await reached(config(server, f"IdentityFile {first}", f"IdentityFile {second}"))
    assert await link.ask(["list"]) == NO_RUNS
    server.authorized_keys.write_text("")
    server.authorize(second)
    server.signal_sessions(signal.SIGKILL)
    assert await listed(link) == NO_RUNS


# ------------------------------------------------------------------------------------------ at once


async def test_one_connection_serves_all_commands_and_several_hosts_are_reached_at_once(servers: MakeServer) -> None:
    made = [servers(f"host{number}") for number in range(4)]
    links = await asyncio.gather(*(reached(config(each)) for each in made))
    answers = await asyncio.gather(*(link.ask(["list"]) for link in links for _ in range(4)))
    assert answers == [NO_RUNS] * 16
    for link in links:
        await link.close()
    assert [each.log.count("Accepted publickey") for each in made] == [1] * 4
