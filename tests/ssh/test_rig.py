"""The rig itself: what the other tests stand on is a real server on a road that really breaks."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.ssh.proxy import Proxy
from tests.ssh.sshd import Sshd


def ssh(server: Sshd, command: str, port: int | None = None, **options: str) -> subprocess.CompletedProcess[str]:
    config = server.folder / "config"
    config.write_text(server.ssh_config("box", port=port))
    return subprocess.run(
        ["ssh", "-F", str(config), *(f"-o{name}={value}" for name, value in options.items()), "box", command],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=300,
    )  # fmt: skip


def test_ssh_itself_reaches_the_server_and_finds_its_folders(server: Sshd) -> None:
    done = ssh(server, 'echo "$HOME|$XDG_CACHE_HOME"; command -v python3')
    assert done.stdout.splitlines()[0] == f"{server.home}|{server.cache}", done.stderr + server.log
    assert done.stdout.splitlines()[1].startswith(str(Path(server.environment["PATH"].split(":")[0])))


def test_a_start_up_file_speaks_before_every_command(server: Sshd) -> None:
    server.start_up_file("echo Welcome\n")
    assert ssh(server, "echo done").stdout == "Welcome\ndone\n"


def test_a_renewed_host_key_is_refused_by_ssh(server: Sshd) -> None:
    config = server.ssh_config("box")
    server.renew_host_key()
    (server.folder / "config").write_text(config)
    done = subprocess.run(
        ["ssh", "-F", str(server.folder / "config"), "box", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_a_road_passes_everything_on(server: Sshd) -> None:
    with Proxy(server.port, rtt_seconds=0.01) as road:
        done = ssh(server, "head -c 3000000 /dev/zero | tr '\\0' x", port=road.port)
        assert done.stdout == "x" * 3_000_000
        assert road.accepted == 1


@pytest.mark.parametrize("how", ["reset", "cut"])
def test_a_cut_road_ends_the_connection(server: Sshd, how: str) -> None:
    config = server.folder / "config"
    with Proxy(server.port) as road:
        config.write_text(server.ssh_config("box", port=road.port))
        command = ["ssh", "-F", str(config), "box", "echo ready; while sleep 0.05; do echo more; done"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == b"ready\n"
            if how == "reset":
                assert road.reset() == 1
            else:
                road.cut_inside_packet()
            run.stdout.read()
            assert run.wait(60) == 255


def test_a_silent_road_is_noticed_by_keepalive_and_speaks_again(server: Sshd) -> None:
    with Proxy(server.port) as road:
        road.go_silent()
        assert ssh(server, "true", road.port, ConnectTimeout="1").returncode == 255
        road.speak_again()
        assert ssh(server, "true", road.port, ConnectTimeout="20").returncode == 0


def test_sessions_can_be_killed_while_the_server_lives_on(server: Sshd) -> None:
    config = server.folder / "config"
    config.write_text(server.ssh_config("box"))
    pipe = subprocess.PIPE  # both ways: `cat` must have something to wait for, whatever the tests' own input is
    with subprocess.Popen(["ssh", "-F", str(config), "box", "echo ready; cat"], stdin=pipe, stdout=pipe) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        assert server.signal_sessions(signal.SIGKILL)
        assert run.wait(60) == 255
    assert ssh(server, "echo again").stdout == "again\n"
