"""A whole sweep over SSH on one machine without sshd: an asyncssh server in another process, and a link that is cut twice.

    python bench/gpu_over_ssh.py --output FOLDER [--grid grids/seed-288.toml] [--artifacts BUNDLE] [-- MORE OPTIONS]

The app runs as a user runs it (`tunetui --batch GRID --host USER@127.0.0.1:PORT`), through a TCP proxy that resets all connections at
40 % of the trials and passes nothing on for 6 s at 60 %. FOLDER gets the leaderboard and a summary: how long the link was away, and the
app's copy of the agent's journal held against the agent's own, byte for byte.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.ssh.accounts import settle  # noqa: E402
from tests.ssh.proxy import Proxy  # noqa: E402
from tests.ssh.stopwatch import marks  # noqa: E402

RESET_AT, SILENT_AT, SILENCE_SECONDS = 0.4, 0.6, 6.0
KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


# ------------------------------------------------------------------ the other machine


async def serve(folder: Path) -> None:
    """An SSH server until stdin ends; says its port and the fingerprint of its key."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    home = folder / "home"
    environment = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "PATH": os.environ["PATH"],
        "SHELL": "/bin/sh",
    }
    environment |= {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "CUDA_PATH") if name in os.environ}

    async def command(process: asyncssh.SSHServerProcess[bytes]) -> None:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", process.command or "exit 1",
            stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=home,
        )  # fmt: skip
        try:
            await process.redirect(child.stdin, child.stdout, child.stderr)
            status = await child.wait()
            await process.stdout.drain()
        except (OSError, asyncssh.Error, asyncio.CancelledError):
            child.kill()
            raise
        process.exit(status)

    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], authorized_client_keys=str(folder / "authorized_keys"),
        process_factory=command, encoding=None, sftp_factory=None, line_editor=False,
    )  # fmt: skip
    print(json.dumps({"port": server.get_port(), "fingerprint": key.get_fingerprint()}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


@contextlib.contextmanager
def other_machine(folder: Path) -> Iterator[dict[str, Any]]:
    """The server in its own process; it shares nothing with the app but the loopback."""
    (folder / "home").mkdir(mode=0o700)
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, "--serve", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield json.loads(server.stdout.readline())
    finally:
        server.communicate()


# ------------------------------------------------------------------ the way there


@contextlib.contextmanager
def way_in(folder: Path) -> Iterator[dict[str, str]]:
    """A key that the server knows, where the app finds it; the variables that the app is started with."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "authorized_keys").write_bytes(key.export_public_key())
    if shutil.which("ssh"):
        key.write_private_key(folder / "key")
        (folder / "ssh_config").write_text(
            f"Host 127.0.0.1\n  IdentityFile {folder}/key\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile none\n"
        )
        yield {"TUNETUI_SSH_CONFIG": str(folder / "ssh_config")}
        return
    # Without ssh there is no configuration: the key must lie where OpenSSH would look for one.
    own = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"
    known = own / "known_hosts"
    own.mkdir(mode=0o700, exist_ok=True)
    path = next(own / name for name in KEYS if not (own / name).exists())
    before = known.read_bytes() if known.exists() else b""
    key.write_private_key(path)
    path.chmod(0o600)
    try:
        yield {}
    finally:
        path.unlink()
        if before:
            known.write_bytes(before)
        else:
            known.unlink(missing_ok=True)


# ------------------------------------------------------------------ the sweep


class Sweep:
    """The app at work, and what is done to its link."""

    def __init__(self, asked: argparse.Namespace, folder: Path, road: Proxy, environment: dict[str, str]) -> None:
        self.folder, self.road = folder, road
        self.notes = folder / "stopwatch"
        self.done = self.total = 0
        self.cuts: list[dict[str, Any]] = []
        self._asked = asked
        self._environment = environment

    def run(self, server: dict[str, Any]) -> int:
        """From start to exit code."""
        target = f"{getpass.getuser()}@127.0.0.1:{self.road.port}"
        command = [
            sys.executable, "-m", "tests.ssh.stopwatch", str(self.notes), "--batch", str(self._asked.grid),
            "--host", target, "--host-key", server["fingerprint"], "--events", "-o", str(self.folder / "sweep"),
            *(word for path in self._asked.artifacts for word in ("--artifacts", str(path))), *self._asked.more,
        ]  # fmt: skip
        app = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | self._environment, cwd=ROOT)
        assert app.stdout is not None  # noqa: S101 - it is a pipe
        for line in app.stdout:
            self._look(json.loads(line)["record"])
        return app.wait()

    def _look(self, record: dict[str, Any]) -> None:
        if record["kind"] == "TrialsQueued":
            self.total += len(record["trials"])
        elif record["kind"] in {"TrialMeasured", "TrialFailed"} and record.get("stage", "sweep") == "sweep":
            self.done += 1
            if not self.cuts and self.done >= RESET_AT * self.total:
                self._cut("reset", self.road.reset)
            elif len(self.cuts) == 1 and self.done >= SILENT_AT * self.total:
                self._cut("silence", self._silence)

    def _silence(self) -> None:
        self.road.go_silent()
        time.sleep(SILENCE_SECONDS)  # the app's output waits in its pipe meanwhile, as its input does in the proxy
        self.road.speak_again()

    def _cut(self, kind: str, work: Any) -> None:
        cut = {"kind": kind, "at_trial": self.done, "of": self.total, "began": time.monotonic()}
        self.cuts.append(cut)
        work()
        cut["over"] = time.monotonic()

    def outages(self) -> list[dict[str, Any]]:
        """Each cut with when it was noticed and when the run was followed again, by the app's own notes."""
        found, noted = [], marks(self.notes)
        for cut in self.cuts:
            lost = next((mark.at for mark in noted if mark.at > cut["began"] and mark.said == "lost"), None)
            back = next((mark.at for mark in noted if lost and mark.at > lost and mark.said == "attached"), None)
            found.append({
                "kind": cut["kind"], "at_trial": cut["at_trial"], "of": cut["of"],
                "noticed_after_seconds": _round(lost and lost - cut["began"]),
                "reattached_after_notice_seconds": _round(back and lost and back - lost),
                "reattached_after_cut_was_over_seconds": _round(back and back - cut["over"]),
            })  # fmt: skip
        return found


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """The sweep and its accounts."""
    with tempfile.TemporaryDirectory(prefix="tunetui-over-ssh-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        environment = stack.enter_context(way_in(folder))
        server = stack.enter_context(other_machine(folder))
        road = stack.enter_context(Proxy(server["port"]))
        environment |= {"XDG_DATA_HOME": f"{folder}/data", "XDG_CONFIG_HOME": f"{folder}/config"}
        environment |= {"XDG_CACHE_HOME": f"{folder}/cache"}
        sweep = Sweep(asked, folder, road, environment)
        began = time.monotonic()
        code = sweep.run(server)
        seconds = time.monotonic() - began
        asked.output.mkdir(parents=True, exist_ok=True)
        stem = asked.grid.stem
        for kind in ("json", "toml"):
            if (folder / f"sweep.leaderboard.{kind}").exists():
                shutil.copy(folder / f"sweep.leaderboard.{kind}", asked.output / f"{stem}.leaderboard.{kind}")
        journals = list((folder / "data" / "tunetui" / "runs").glob("*/journal.jsonl"))
        accounts = settle(journals[0], folder / "home" / ".cache") if journals else None
        for path in journals:
            shutil.copy(path, asked.output / f"{stem}.journal.jsonl")
        board = json.loads((asked.output / f"{stem}.leaderboard.json").read_bytes()) if code == 0 else {}
        return {
            "what": f"{asked.grid.name} over an SSH link (asyncssh server on loopback) that was cut twice",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": os.environ.get("TUNETUI_COMMIT", "") or _commit(),
            "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "platform": platform.platform()},
            "ssh": shutil.which("ssh") or "none: the usual keys and files of OpenSSH",
            "devices": [each.get("name") for each in board.get("devices", [])],
            "exit_code": code,
            "seconds": round(seconds, 2),
            "trials": sweep.total,
            "trials_with_an_outcome": accounts.outcomes if accounts else 0,
            "outages": sweep.outages(),
            "agent_events": accounts.events if accounts else 0,
            "connections": road.accepted,
            "copy_is_identical_and_every_event_came_once": bool(accounts and accounts.is_right and accounts.events),
            "wrong": accounts.wrong if accounts else ["there is no journal"],
        }  # fmt: skip


def _commit() -> str:
    if shutil.which("git") is None:
        return ""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip()


def main() -> int:
    """Run the server, or the sweep and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--grid", type=Path, default=ROOT / "grids" / "seed-288.toml")
    parser.add_argument("--artifacts", type=Path, action="append", default=[])
    parser.add_argument("--output", type=Path, default=Path("over-ssh"))
    parser.add_argument("more", nargs="*", help="more options of tunetui, after --")
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.serve))
        return 0
    asked.grid, asked.artifacts = asked.grid.resolve(), [path.resolve() for path in asked.artifacts]
    report = measure(asked)
    text = json.dumps(report, indent=2)
    (asked.output / f"{asked.grid.stem}.over-ssh.json").write_text(text + "\n")
    print(text)
    return 0 if report["copy_is_identical_and_every_event_came_once"] and report["exit_code"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
