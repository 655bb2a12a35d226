"""From an order to measured rows: a cloud on loopback whose machines are real SSH servers with real agents."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import PATIENCE_SECONDS, Workplace
from tests.lambda_cloud.cloud import KEY, US_WEST, Cloud, instance_type
from tests.lambda_cloud.renting import Clock
from tests.lambda_cloud.users import YES, User
from tests.ssh.sshd import Sshd

TYPE = "cpu_4x_general"
GPU_TYPE = "gpu_1x_a10"


@pytest.fixture
def machine(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """What every launch leads to; machines boot and end at once."""
    server = Sshd(tmp_path / "machine")
    known_hosts = tmp_path / "known_hosts"
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host tunetui-*\n  Port {server.port}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  UserKnownHostsFile {known_hosts}\n  GlobalKnownHostsFile none\n"
    )
    monkeypatch.setenv("TUNETUI_SSH_CONFIG", str(config))
    monkeypatch.setattr("tunetui.session.renting.CUDA_SECONDS", 0.0)  # by a clock that does not wait
    cloud.ip, cloud.boot_seconds, cloud.ip_seconds, cloud.end_seconds = "127.0.0.1", 0.0, 0.0, 0.0
    kind = instance_type(TYPE, 15, "4x cores")
    cloud.types[TYPE] = ({**kind, "specs": {**kind["specs"], "gpus": 0}}, [US_WEST])
    yield server
    server.stop()


@pytest.fixture
def options(machine: Sshd) -> list[str]:
    key = f"{machine.client_key}.pub"
    return ["--ssh-key", key, "--user", pwd.getpwuid(os.getuid()).pw_name, *YES]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    folder = tmp_path / "work"
    folder.mkdir()
    place = Workplace(folder)
    monkeypatch.chdir(folder)
    yield place
    place.end()


def test_a_batch_launches_measures_and_terminates(
    user: User, machine: Sshd, options: list[str], workplace: Workplace
) -> None:
    code = user.run("--batch", "grid.toml", "--host", f"lambda:{TYPE}", "--terminate-when-done", *options)
    assert code == 0, user.err
    [entry] = user.ledger.entries().values()
    assert (entry.state, user.cloud.alive(), len(user.cloud.launches)) == ("gone", [], 1)
    assert len(workplace.rows()) == 3
    leaderboard = (workplace.folder / "grid.leaderboard.toml").read_text()
    assert all(
        text in leaderboard for text in (entry.name, "usd_per_hour = 0.15", "Lambda Cloud, when it was launched")
    )
    assert f"ready       {entry.name}: SSH answers" in user.err
    assert f"terminated  {entry.name}: gone" in user.err
    written = [path for path in user.folder.rglob("*") if path.is_file() and path.stat().st_size < 1 << 20]
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []
    assert f"lambda-{entry.instance} " in (user.folder / "known_hosts").read_text()


def test_at_the_end_one_question_is_asked_and_keeping_says_what_it_costs(
    user: User, machine: Sshd, options: list[str], workplace: Workplace
) -> None:
    assert user.run("lambda", "launch", TYPE, *options) == 0, user.err
    name = user.out.strip()
    assert user.run("--batch", "grid.toml", "--host", name, answers="keep\n") == 0
    assert user.err.count("Terminate it, or keep it (terminate/keep)?") == 1
    assert f"kept        {name} goes on costing $0.15 an hour" in user.err
    assert len(user.cloud.alive()) == 1
    assert user.run("--batch", "grid.toml", "--host", name, "--fresh", answers="terminate\n") == 0
    assert user.cloud.alive() == []


def test_a_gpu_that_runs_no_kernel_is_not_ready_and_is_not_left_behind(
    user: User, machine: Sshd, options: list[str], workplace: Workplace
) -> None:
    if Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine's GPU would run it")
    words = ["--batch", "grid.toml", "--host", f"lambda:{GPU_TYPE}", "--terminate-when-done", *options]
    assert user.run(*words) == 3
    assert "CUDA does not run: 0 of 1 GPUs are there" in user.err
    assert "it costs until" not in user.err  # not any more
    assert (len(user.cloud.launches), user.cloud.alive()) == (1, [])


def ended(machine: Sshd) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while machine.processes("start"):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_machine_that_does_not_let_us_in_is_not_waited_for_long(
    user: User, machine: Sshd, options: list[str], clock: Clock
) -> None:
    begun = clock.now()
    machine.authorized_keys.write_text("")
    assert user.run("lambda", "launch", TYPE, *options) == 3
    assert "accepted no key" in user.err
    assert "it costs until it is terminated: tunetui lambda terminate" in user.err
    assert 60 <= clock.now() - begun < 120


def test_a_machine_with_a_run_at_work_is_kept_until_that_is_over(
    user: User, machine: Sshd, options: list[str], workplace: Workplace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user.run("lambda", "launch", TYPE, *options) == 0, user.err
    name = user.out.strip()
    workplace.grid(how='["waits"]', number="[1]")
    assert user.run("--batch", "grid.toml", "--host", name, "--detach", "-o", "left") == 0
    assert user.run("lambda", "gc", "--yes") == 0
    assert f"{name} is left: double-" in user.out
    assert user.run("--batch", "grid.toml", "--host", name, "--terminate-when-done", "-o", "other") == 3  # it is taken
    assert f"kept        {name} goes on" in user.err
    slept: list[float] = []
    sleep = clock.sleep

    async def until_the_gate_opens(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:  # two minutes are over, and it is at work
            assert len(user.cloud.alive()) == 1
            workplace.open_gate()
            await asyncio.to_thread(ended, machine)
        await sleep(seconds)

    monkeypatch.setattr(clock, "sleep", until_the_gate_opens)
    assert user.run("lambda", "guard", name, "--after", "2") == 0
    assert f"{name} has had no work for 2 min: terminating it" in user.err
    assert user.cloud.alive() == []


def test_whoever_attaches_to_a_run_settles_what_becomes_of_its_machine(
    user: User, machine: Sshd, options: list[str], workplace: Workplace
) -> None:
    assert user.run("lambda", "launch", TYPE, *options) == 0, user.err
    name = user.out.strip()
    assert user.run("--batch", "grid.toml", "--host", name, "--detach") == 0
    assert user.run("attach", "double-", "--terminate-when-done") == 0, user.err
    assert len(workplace.rows()) == 3
    assert f"terminated  {name}: gone" in user.err
    assert user.cloud.alive() == []
