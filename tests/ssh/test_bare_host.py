"""A host with sshd and a bare Python, and nothing else or the agent at most: examined, given an environment, measured on, over real SSH."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.workplace import write_kernel
from tests.session.environments import inside, left_over, wheels
from tests.ssh.conftest import MakeServer
from tests.ssh.proxy import Proxy
from tests.ssh.reaching import config, reached
from tests.ssh.sshd import Sshd
from tunetui.cli import main
from tunetui.core.errors import ExitCode
from tunetui.session.preparing import Preparation, PrepareOptions, prepare_host
from tunetui.settings import MANAGED

__all__ = ["wheels"]  # a fixture

GRID = """
name = "double"
kernel = "./kernel"
implementations = ["numpy"]
device = "cpu"
[axes]
number = [1, 2]
[method]
cache = "hot"
min_samples = 6
max_samples = 6
max_seconds = 0.2
ceilings = "none"
energy = "none"
finalists = 0
"""


@dataclass
class Workplace:
    """The operator's machine, with one host in its SSH configuration."""

    folder: Path
    server: Sshd

    def settings(self, text: str) -> None:
        """Write settings.toml."""
        path = self.folder / "config" / "tunetui" / "settings.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @property
    def root(self) -> Path:
        return self.server.cache / "tunetui"


@pytest.fixture
def bare(servers: MakeServer) -> Sshd:
    """A server on which no agent was ever."""
    return servers()


@pytest.fixture
def workplace(
    servers: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Workplace:
    is_bare = "bare" in request.fixturenames
    server: Sshd = request.getfixturevalue("bare") if is_bare else servers(used=True)
    for name in ("config", "data", "cache"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / "mine" / name))
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(config(server)))
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    place = Workplace(tmp_path / "mine", server)
    place.settings(f'[hosts.box]\npython = "{MANAGED}"\nusd_per_hour = 1.29\n')
    return place


# ------------------------------------------------------------------------------------------ doctor


@pytest.mark.usefixtures("bare")
def test_doctor_tells_the_way_and_what_the_host_lacks(
    workplace: Workplace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["doctor", "box", "--device", "cpu"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "Connection (box" in text
    assert f"@127.0.0.1 port {workplace.server.port}" in text
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", workplace.server.host_key], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert fingerprint in text
    assert "client_key" in text
    assert "ms there and back" in text
    assert "against this machine's" in text
    assert "WARN  Python" in text
    assert "doctor box --prepare" in text
    assert "folder        " in text
    assert ", no failures" in text.splitlines()[-1]
    assert not any((workplace.root / "env").glob("cpu-*"))


def test_several_hosts_are_examined_and_one_that_is_not_there_fails(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "box", "nowhere.invalid", "--device", "cpu"]) == ExitCode.UNAVAILABLE
    text = capsys.readouterr().out
    assert "Connection (box" in text
    assert "Connection (nowhere.invalid)" in text
    assert "FAIL  SSH" in text
    assert main(["doctor", "box", "nowhere.invalid", "--device", "cpu", "--format", "json"]) == ExitCode.UNAVAILABLE
    both = json.loads(capsys.readouterr().out)
    assert [each["host"].partition(":")[0] for each in both] == ["box", "nowhere.invalid"]
    assert both[1]["checks"][0]["status"] == "failure"


def test_a_host_whose_clock_is_wrong_by_years_is_warned_of(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import time

    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 3 * 31_557_600)  # ours; seen from here theirs is behind
    assert main(["doctor", "box", "--device", "cpu"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "WARN  clock" in text
    assert "3.0 years behind this machine's" in text


def test_a_python_of_the_settings_that_is_not_there_is_told(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.settings('[hosts.box]\npython = "/no where/python; $(x)"\n')
    assert main(["doctor", "box", "--device", "cpu"]) == ExitCode.UNAVAILABLE
    text = capsys.readouterr().out
    assert "FAIL  environment" in text
    assert "/no where/python; $(x) cannot be used" in text
    assert "settings.toml" in text


# ------------------------------------------------------------------------------------------ runs


def test_devices_that_the_settings_name_and_the_host_lacks_are_told(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    write_kernel(workplace.folder)
    (workplace.folder / "grid.toml").write_text(GRID)
    workplace.settings(f'[hosts.box]\npython = "{sys.executable}"\ndevices = ["GPU-1"]\n')
    assert main(["--batch", "grid.toml", "--host", "box"]) == ExitCode.UNAVAILABLE
    told = capsys.readouterr().err
    assert "box has none of the devices that the settings name for it" in told
    assert "it has cpu" in told
    workplace.settings(f'[hosts.box]\npython = "{sys.executable}"\ndevices = ["cpu"]\n')
    assert main(["--batch", "grid.toml", "--host", "box"]) == ExitCode.OK


def test_a_host_by_a_name_of_the_users_own_is_reached_at_its_address(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    write_kernel(workplace.folder)
    (workplace.folder / "grid.toml").write_text(GRID)
    workplace.settings(f'[hosts.fast]\naddress = "box"\npython = "{sys.executable}"\nwrong = 1\n')
    assert main(["--batch", "grid.toml", "--host", "fast", "--dry-run"]) == ExitCode.OK
    assert "hosts.fast.wrong: unknown key, ignored" in capsys.readouterr().err


@pytest.mark.usefixtures("bare")
def test_a_bare_host_without_a_way_out_measures_a_grid(
    workplace: Workplace, wheels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_kernel(workplace.folder)
    (workplace.folder / "grid.toml").write_text(GRID)
    argv = ["--batch", "grid.toml", "--host", "box", "--offline-wheels", str(wheels)]
    assert main(argv) == ExitCode.OK
    told = capsys.readouterr().err
    assert "preparing   box: sending" in told
    assert "prepared    box: Python" in told
    rows = json.loads((workplace.folder / "grid.leaderboard.json").read_text())["boards"][0]["rows"]
    assert [row["status"] for row in rows] == ["measured", "measured"]
    assert left_over(workplace.root) == []
    meta = json.loads(next((workplace.root / "runs").glob("*/meta.json")).read_text())
    assert inside(workplace.root, meta["python"])

    assert main([*argv, "--fresh"]) == ExitCode.OK
    assert "prepar" not in capsys.readouterr().err  # it is there by now


async def test_a_link_cut_while_wheels_are_sent_and_installed_costs_nothing(workplace: Workplace, wheels: Path) -> None:
    sent: list[int] = []
    cut: list[str] = []
    with Proxy(workplace.server.port) as proxy:
        link = await reached(config(workplace.server, port=proxy.port))

        def cut_now_and_then(now: Preparation) -> None:
            if now.step == "send":
                sent.append(now.done)
            half = now.step == "send" and now.done > now.total // 2
            if (half or now.step == "install") and now.step not in cut:
                cut.append(now.step)
                proxy.reset()

        options = PrepareOptions(python=MANAGED, offline_wheels=True, wheels_folder=wheels)
        got = await prepare_host(link, "cpu", options, cut_now_and_then)
        assert cut == ["send", "install"]
        assert inside(workplace.root, got.python)
        assert left_over(workplace.root) == []
        assert min(sent[sent.index(max(sent)) :]) > 0
        await got.close()


async def test_two_operators_prepare_one_host_at_once(workplace: Workplace, wheels: Path) -> None:
    links = [await reached(config(workplace.server)) for _ in range(2)]
    options = PrepareOptions(python=MANAGED, offline_wheels=True, wheels_folder=wheels)
    ready = await asyncio.gather(*(prepare_host(link, "cpu", options, lambda _: None) for link in links))
    assert len({each.python for each in ready}) == 1
    assert len(list((workplace.root / "env").glob("cpu-*"))) == 1
    for link in links:
        await link.close()


async def test_the_choice_of_a_python_costs_one_command_when_it_is_known(workplace: Workplace) -> None:
    link = await reached(config(workplace.server))
    options = PrepareOptions(python=sys.executable)
    first = await prepare_host(link, "cpu", options, lambda _: None)
    before = sorted((workplace.root / "env").iterdir())
    asked: list[str] = []
    ask = link.ask

    async def counted(arguments: list[str], stdin: bytes = b"") -> bytes:
        asked.append(arguments[0])
        return await ask(arguments, stdin)

    link.ask = counted  # type: ignore[method-assign,assignment]
    again = await prepare_host(link, "cpu", options, lambda _: None)
    assert (again.python, asked) == (first.python, ["environment"])
    assert sorted((workplace.root / "env").iterdir()) == before
    await link.close()
