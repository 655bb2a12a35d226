"""A real OpenSSH server on loopback for one test: its own keys, home, folders and configuration; nothing of the machine's."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.workplace import furnish

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
PATIENCE_SECONDS = 300.0


def needs_sshd() -> None:
    """Skip the test where there is no OpenSSH server or client and none was installed."""
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server here (package openssh-server); .ci/run installs it where it is root")


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new key pair at ``path`` and ``path``.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


class Sshd:
    """One server process and whatever runs below it; ``folder`` holds all its files.

    Sessions find ``home`` as their HOME and ``cache`` as their XDG_CACHE_HOME, and the Python that runs the tests first
    on their PATH.  ``client_key`` may log in.
    """

    def __init__(
        self, folder: Path, *, settings: str = "", environment: Mapping[str, str] | None = None, used: bool = False
    ) -> None:
        """``settings`` are more lines of sshd_config; ``environment`` is set for every session.

        A host that was ``used`` has the agent already, which costs less than to send and compile it once more.
        """
        needs_sshd()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home, self.cache = folder / "home", folder / "home" / ".cache"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.host_key = make_key(folder / "host_key")
        self.client_key = make_key(folder / "client_key")
        self.authorized_keys = folder / "authorized_keys"
        self.authorize(self.client_key)
        self.environment = {
            "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.cache),
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            **(environment or {}),
        }
        if used:
            furnish(self.cache / "tunetui")
            self._know_python()
        self.settings = settings
        self.port = self._said_before = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    # ---------------------------------------------------------------------------------- the server

    def start(self) -> None:
        """Listen on the port of before, or on a free one."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        known = self.port
        for _ in range(5):
            self._spawn(known or free_port())
            if self._listens():
                return
            self.kill_listener()
        raise AssertionError(f"sshd does not start:\n{self.log}")

    def kill_listener(self) -> None:
        """No new connections; those that are there go on."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the server, its sessions and every process that was started from its folder."""
        sessions = self.sessions()
        self.kill_listener()
        for pid in [*sessions, *self.processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def sessions(self) -> list[int]:
        """Process ids below the server: its sessions and what they run (agents that went on alone are not among them)."""
        return _descendants(self._process.pid) if self._process is not None else []

    def signal_sessions(self, number: signal.Signals) -> list[int]:
        """Send every sshd process of a session a signal (SIGKILL, SIGSTOP); their process ids."""
        found = [pid for pid in self.sessions() if _words(pid)[:1] and _words(pid)[0].startswith(b"sshd")]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return found

    def processes(self, word: str = "") -> list[int]:
        """Process ids whose command line names this server's folder: agents and their children.

        With ``word`` ("attach", "worker", ...) only those that also have it as an argument.
        """
        place, listener = os.fsencode(self.folder), self._process.pid if self._process is not None else 0
        found = []
        for entry in Path("/proc").iterdir():
            words = _words(int(entry.name)) if entry.name.isdigit() else []
            if any(place in each for each in words) and (not word or word.encode() in words):
                found.append(int(entry.name))
        return [pid for pid in found if pid != listener]

    # ---------------------------------------------------------------------------------- its files

    def authorize(self, key: Path, options: str = "") -> None:
        """Let one more key log in."""
        line = f"{options} {key.with_name(key.name + '.pub').read_text()}".lstrip()
        with self.authorized_keys.open("a") as file:
            file.write(line)

    def start_up_file(self, text: str) -> None:
        """What bash runs for every command that sshd starts."""
        (self.home / ".bashrc").write_text(text)

    def ssh_config(self, name: str, *lines: str, port: int | None = None, known: bool = True) -> str:
        """A ``Host`` block with which ssh reaches this server as ``name``; ``lines`` come first and so win.

        Its known_hosts file holds the server's key, unless not ``known``.
        """
        known_hosts = self.folder / "known_hosts"
        if known:
            known_hosts.write_text(self.known_hosts_line(name))
        own = [
            *lines, "HostName 127.0.0.1", f"Port {port or self.port}", f"User {self.user}", f"HostKeyAlias {name}",
            f"IdentityFile {self.client_key}", "IdentitiesOnly yes", "IdentityAgent none",
            f"UserKnownHostsFile {known_hosts}", "GlobalKnownHostsFile none",
        ]  # fmt: skip
        return "\n    ".join([f"Host {name}", *own]) + "\n"

    def known_hosts_line(self, name: str) -> str:
        algorithm, key = self.host_key.with_name("host_key.pub").read_text().split()[:2]
        return f"{name} {algorithm} {key}\n"

    def renew_host_key(self) -> None:
        """Another machine behind the same address."""
        self.kill_listener()
        for path in (self.host_key, self.host_key.with_name("host_key.pub")):
            path.unlink()
        make_key(self.host_key)
        self.start()

    @property
    def log(self) -> str:
        """What the server said."""
        path = self.folder / "sshd.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # ---------------------------------------------------------------------------------- how it starts

    def _know_python(self) -> None:
        """What is known to have NumPy is known by the name that sessions find."""
        note, name = self.cache / "tunetui" / "env" / "cpu.json", Path(sys.executable).with_name("python3")
        note.write_text(note.read_text().replace(json.dumps(sys.executable), json.dumps(str(name))))

    def _spawn(self, port: int) -> None:
        self.port = port
        self._said_before = len(self.log)
        variables = " ".join(f'"{name}={value}"' for name, value in self.environment.items())
        (self.folder / "sshd_config").write_text(
            f"{self.settings}\n"
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile none\n"
            f"AuthorizedKeysFile {self.authorized_keys}\nStrictModes no\nUsePAM no\nPrintMotd no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n"
            f"MaxStartups 100\nLogLevel VERBOSE\nSubsystem sftp internal-sftp\nSetEnv {variables}\n"
        )
        assert SSHD is not None
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _listens(self) -> bool:
        """Whether the process just started listens, as it says itself: somebody else may answer at its port."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self._process is not None and time.monotonic() < until:
            ended = self._process.poll() is not None
            if "Server listening on" in self.log[self._said_before :]:
                return True
            if ended:
                return False
            time.sleep(0.005)
        return False


def free_port() -> int:
    """A port that nobody has at this moment, below those that a system gives to whoever connects or asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _descendants(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    own = [int(word) for word in text.split()]
    return [*own, *(below for child in own for below in _descendants(child))]


def _words(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return []
