"""The Hosts screen: hosts examined over real SSH, questions put and answered, runs that go on followed and stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.ssh.sshd import Sshd
from tests.tui.cockpit import JOURNAL, by_palette, cockpit_of, opened, shown, until
from tests.tui.hostile import NEVER_ON_A_TERMINAL, PAYLOADS
from tunetui.core.examination import Check, Examination
from tunetui.session.run_life import KnownRun
from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.commands.hosts import HOSTS
from tunetui.tui.keys import clashes
from tunetui.tui.opening import SCOPES
from tunetui.tui.screens.asking import HostKeyScreen
from tunetui.tui.screens.confirming import ConfirmScreen
from tunetui.tui.screens.hosts import HostsScreen
from tunetui.tui.screens.leaderboard import LeaderboardScreen
from tunetui.tui.screens.leaving import LeavingScreen
from tunetui.tui.screens.machines import MachinesScreen
from tunetui.tui.screens.run import RunScreen

GRID = """
name = "small"
kernel = "semantic-search"
device = "cpu"
implementations = ["numpy"]

[axes]
tile_rows = { start = 64, stop = 128, step = 1 }
select = ["argpartition", "sort"]
threads = [1]

[problem]
corpus_size = 1000
dims = 32
k = 4

[method]
max_seconds = 0.4
ceilings = "none"
energy = "none"
precision_percent = 0.1
"""


@pytest.fixture
def kept(home: Path) -> str:
    """A recorded run among those kept here."""
    folder = home.parent / "data" / "tunetui" / "runs" / "quickstart-00000000"
    folder.mkdir(parents=True)
    shutil.copy(JOURNAL, folder / "journal.jsonl")
    return folder.name


@pytest.fixture
def left(home: Path) -> Iterator[None]:
    """A run of many trials that goes on without anybody; it is ended afterwards."""
    (home / "small.toml").write_text(GRID)
    tunetui = [sys.executable, "-m", "tunetui"]
    subprocess.run([*tunetui, "--batch", "small.toml", "--detach"], check=True, capture_output=True, env=os.environ)
    yield
    subprocess.run([*tunetui, "stop", "small", "--now"], check=False, capture_output=True, env=os.environ)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    made = Sshd(tmp_path / "server")
    yield made
    made.stop()


def hosts_screen(pilot: Pilot[None]) -> HostsScreen:
    screen = pilot.app.screen
    assert isinstance(screen, HostsScreen)
    return screen


async def looked(pilot: Pilot[None]) -> HostsScreen:
    screen = hosts_screen(pilot)
    await until(pilot, lambda: not screen.busy)
    return screen


def reachable(server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool) -> None:
    config = home / "ssh_config"
    config.write_text(server.ssh_config("box", known=known) + "\nHost dead\n  HostName 127.0.0.1\n  Port 9\n")
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(config))


async def test_what_is_known_of_a_host_is_scrolled_through_by_keyboard(home: Path) -> None:
    async with opened(HostsScreen(), (60, 20)) as pilot:
        screen = await looked(pilot)
        checks = [Check(section="Host", name=f"check {n}", status="ok", found="fine") for n in range(40)]
        screen.found["local"] = Examination(host="local", checks=checks)
        screen.show_all()
        await pilot.press("tab", "end")
        await until(pilot, lambda: "check 39" in shown(pilot))


EFFECTS: dict[str, Callable[[Pilot[None]], bool]] = {
    "examine_host": lambda p: "local" in hosts_screen(p).found and "Python" in shown(p),
    "look_for_runs": lambda p: "quickstart-00000000" in hosts_screen(p).runs,
    "attach_run": lambda p: isinstance(p.app.screen, RunScreen),
    "open_run": lambda p: isinstance(p.app.screen, LeaderboardScreen),
    "end_run": lambda p: isinstance(p.app.screen, ConfirmScreen),
    "show_machines": lambda p: isinstance(p.app.screen, MachinesScreen),
    "clear_host": lambda p: any("nothing to clear away" in each.text for each in cockpit_of(p).said),
}


def test_every_command_of_the_screen_is_tried() -> None:
    assert {command.id for command in HOSTS} == EFFECTS.keys()
    assert clashes({"Hosts": SCOPES["Hosts"]}) == []


@pytest.mark.parametrize("palette", [False, True], ids=["key", "palette"])
@pytest.mark.parametrize("command", HOSTS, ids=lambda command: command.id)
async def test_a_command_does_its_work_by_key_and_by_palette(command: AnyCommand, palette: bool, kept: str) -> None:
    async with opened(HostsScreen()) as pilot:
        screen = await looked(pilot)
        if command.id in {"attach_run", "open_run", "end_run"}:
            screen.list.go_to(("run", kept))
            await pilot.pause()
        if command.id == "look_for_runs":
            screen.runs.clear()
        if palette:
            await by_palette(pilot, command.name)
        else:
            await pilot.press(command.key.split(",")[0])
        await until(pilot, lambda: EFFECTS[command.id](pilot))
        await until(pilot, lambda: not screen.busy)


async def asked_about(pilot: Pilot[None], screen: HostsScreen, host: str) -> None:
    """Examine a host whose key nobody knows."""
    screen.list.go_to(("host", host))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, HostKeyScreen))


async def test_an_unknown_key_is_asked_about_and_the_host_examined_while_a_dead_one_delays_nothing(
    server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable(server, home, monkeypatch, known=False)
    async with opened(HostsScreen()) as pilot:
        screen = await looked(pilot)
        screen.list.go_to(("host", "dead"))
        await pilot.press("enter")
        await asked_about(pilot, screen, "box")
        await until(pilot, lambda: "SHA256:" in shown(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "box" in screen.found)
        await until(pilot, lambda: "host key" in shown(pilot))
        assert any(check.name == "host key" for check in screen.found["box"].checks)
        await until(pilot, lambda: "dead" in screen.found)
        assert screen.found["dead"].count("failure") == 1
        await until(pilot, lambda: not screen.busy)


async def test_a_refused_key_and_a_changed_one_are_told_and_nothing_is_sent(
    server: Sshd, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable(server, home, monkeypatch, known=False)
    async with opened(HostsScreen()) as pilot:
        screen = await looked(pilot)
        await asked_about(pilot, screen, "box")
        await pilot.press("enter")  # refuses
        await until(pilot, lambda: "box" in screen.found)
        assert screen.found["box"].count("failure") == 1
        await until(pilot, lambda: not screen.busy)
        reachable(server, home, monkeypatch, known=True)
        server.renew_host_key()
        await pilot.press("enter")
        await until(pilot, lambda: "box" not in screen.busy)
        (check,) = screen.found["box"].checks
        assert check.status == "failure"
        assert "key" in check.found
        assert not isinstance(pilot.app.screen, HostKeyScreen)  # a changed key is a stop, not a question
        await until(pilot, lambda: not screen.busy)


async def test_a_run_that_goes_on_is_attached_to_left_again_and_stopped(left: None) -> None:
    async with opened(HostsScreen()) as pilot:
        screen = await looked(pilot)
        (run,) = (run for run in screen.runs.values() if run.kept_here)
        assert run.state == "running"
        screen.list.go_to(("run", run.name))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
        watching = pilot.app.screen
        assert isinstance(watching, RunScreen)
        await until(pilot, lambda: watching.run_now.counts.measured > 1)
        assert watching.can_steer  # taken up with all that its own start could do
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, LeavingScreen))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is watching)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: screen.runs[run.name].state in {"interrupted", "running"} and not screen.busy)
        live = cockpit_of(pilot).live
        await until(pilot, lambda: live is not None and not live.alive)
        assert live is not None
        assert live.snapshot.ended is not None
        await pilot.press("f5")
        await until(pilot, lambda: screen.runs[run.name].state == "interrupted")
        await until(pilot, lambda: not screen.busy)


@pytest.mark.parametrize("size", [(160, 48), (80, 24), (60, 20)], ids=str)
async def test_hosts_runs_and_keys_are_seen_in_every_size(size: tuple[int, int], kept: str) -> None:
    async with opened(HostsScreen(), size) as pilot:
        await looked(pilot)
        lines = shown(pilot).splitlines()
        assert any("this machine" in line for line in lines)
        assert any(kept in line for line in lines)
        assert "examine" in lines[-1]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_what_hosts_say_is_shown_as_it_is(payload: str) -> None:
    async with opened(HostsScreen()) as pilot:
        screen = await looked(pilot)
        check = Check(section=payload, name=payload, status="failure", found=payload, advice=payload)
        screen.found["local"] = Examination(host=payload, checks=[check])
        screen.runs[payload] = KnownRun(payload, payload, [payload], True, kernel=payload, detail=payload)
        for key in (("host", "local"), ("run", payload)):
            screen.show_all()
            screen.list.go_to(key)
            await pilot.pause()
            assert not any(raw in shown(pilot) for raw in NEVER_ON_A_TERMINAL)
