"""``tunetui --batch --host``: a whole sweep on another machine, from a real sshd to the saved leaderboard."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import Workplace, finished, next_trial
from tests.ssh.conftest import MakeServer
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import config
from tests.ssh.sshd import Sshd, make_key
from tunetui.core.errors import ExitCode

WORD = "correct horse"
USED_HOSTS = True


@pytest.fixture
def workplace(tmp_path: Path, server: Sshd) -> Iterator[Workplace]:
    folder = tmp_path / "work"
    folder.mkdir()
    place = Workplace(folder)
    place.environment["TUNETUI_SSH_CONFIG"] = str(config(server))
    yield place
    place.end()


def nothing_is_left(server: Sshd) -> bool:
    """An agent ends right after its last record."""
    for pid in [*server.processes("worker"), *server.processes("start")]:
        wait_for_death(pid)
    return not server.processes("worker") and not server.processes("start")


def test_a_sweep_on_another_machine_ends_as_one_here_does(workplace: Workplace, server: Sshd) -> None:
    workplace.run("--host", "box")
    assert len(workplace.rows()) == 3
    assert set(workplace.outcomes().values()) == {1}
    assert workplace.every_record_once()
    assert not (workplace.cache / "tunetui" / "runs").exists()  # nothing was measured here
    assert [path.name for path in (server.cache / "tunetui" / "runs").iterdir()]
    assert nothing_is_left(server)


def test_a_winner_is_verified_on_the_host_that_measured_it_and_on_another(
    workplace: Workplace, server: Sshd, servers: MakeServer
) -> None:
    other = servers("other")
    path = Path(workplace.environment["TUNETUI_SSH_CONFIG"])
    path.write_text(path.read_text() + other.ssh_config("other"))
    workplace.grid(number="[1]")
    workplace.run("--host", "box", "--format", "none")
    for host in ("box", "other"):
        asked = ["verify", "grid.leaderboard.toml", "--host", host, "--margin", "900%", "-o", f"on-{host}"]
        out, _ = workplace.call(*asked)
        assert "  HOLDS" in out.splitlines()
        assert [device["reached_as"] for device in workplace.leaderboard(f"on-{host}")["devices"]] == [host]
    _, err = workplace.call("verify", "grid.leaderboard.toml", "--host", "gone", code=ExitCode.UNAVAILABLE)
    assert "there is no host called gone" in err
    assert not (workplace.cache / "tunetui" / "runs").exists()
    assert nothing_is_left(server)
    assert nothing_is_left(other)


def test_two_sessions_at_once_are_enough_for_a_sweep(servers: MakeServer, workplace: Workplace) -> None:
    narrow = servers("narrow", settings="MaxSessions 2")
    workplace.environment["TUNETUI_SSH_CONFIG"] = str(config(narrow))
    workplace.run("--host", "box")
    assert set(workplace.outcomes().values()) == {1}
    assert workplace.every_record_once()


def test_a_link_that_is_cut_costs_no_record(workplace: Workplace, server: Sshd) -> None:
    workplace.grid(how='["waits"]', number="[1, 2, 3, 4]")
    with Proxy(server.port) as road:
        workplace.environment["TUNETUI_SSH_CONFIG"] = str(config(server, port=road.port))
        run = workplace.start("--host", "box", "--events")
        for _ in range(3):
            number = next_trial(run)
            road.reset()
            workplace.open_gate(number)
        workplace.open_gate()
        finished(run)
    assert set(workplace.outcomes().values()) == {1}
    assert len(workplace.outcomes()) == 4
    assert workplace.every_record_once()


def test_an_app_that_is_killed_is_followed_by_one_that_attaches(workplace: Workplace, server: Sshd) -> None:
    workplace.grid(how='["waits"]', number="[1, 2, 3]")
    run = workplace.start("--host", "box", "--events")
    workplace.open_gate(next_trial(run))
    next_trial(run)
    run.send_signal(signal.SIGKILL)
    run.wait()
    workplace.open_gate()
    workplace.run("--host", "box")
    assert set(workplace.outcomes().values()) == {1}
    assert len(workplace.outcomes()) == 3
    assert workplace.every_record_once()
    assert nothing_is_left(server)


def test_an_unknown_host_is_refused_headless_and_let_in_by_its_fingerprint(workplace: Workplace, server: Sshd) -> None:
    (server.folder / "known_hosts").unlink()
    _, said = workplace.run("--host", "box", code=3)
    assert "is not known: ssh-ed25519 SHA256:" in said
    fingerprint = next(word for word in said.split() if word.startswith("SHA256:"))
    assert workplace.files() == []
    workplace.run("--host", "box", "--host-key", fingerprint)
    assert len(workplace.rows()) == 3


@pytest.mark.parametrize("name", ["a b", "$(touch x)", "-oProxyCommand=touch x", "a\nb", "ü"])
def test_a_name_that_is_no_host_is_bad_input(workplace: Workplace, name: str) -> None:
    _, said = workplace.run(f"--host={name}", code=2)
    assert "is not a host" in said
    assert not (workplace.folder / "x").exists()


def test_at_a_terminal_a_passphrase_is_asked_and_not_shown(workplace: Workplace, server: Sshd) -> None:
    key = make_key(server.folder / "locked", passphrase=WORD)
    server.authorized_keys.write_text("")
    server.authorize(key)
    workplace.environment["TUNETUI_SSH_CONFIG"] = str(config(server, f"IdentityFile {key}"))
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "tunetui", "--batch", "grid.toml", "--host", "box"],
        cwd=workplace.folder, env=workplace.environment, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    question = f"passphrase of {key} (empty: leave it out): "
    shown = said_on(master, question)
    os.write(master, b"not this\n")
    shown += said_on(master, f"that was not it; {question}")
    os.write(master, f"{WORD}\n".encode())
    shown += said_on(master, "wrote ")
    assert run.wait(60) == 0
    os.close(master)
    assert WORD not in shown
    assert "not this" not in shown
    assert len(workplace.rows()) == 3


def said_on(terminal: int, text: str) -> str:
    """What is shown up to and with ``text``."""
    shown = ""
    while text not in shown.replace("\r\n", "\n"):
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"{text!r} was never shown: {shown!r}"
        shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def test_a_host_that_is_not_there_is_unavailable(workplace: Workplace, server: Sshd) -> None:
    server.kill_listener()
    _, said = workplace.run("--host", "box", code=3)
    assert f"box: nothing listens at 127.0.0.1 port {server.port}" in said
