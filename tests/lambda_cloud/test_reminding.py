"""Machines that cost and do nothing are not kept quiet about."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.lambda_cloud.renting import Clock
from tests.lambda_cloud.users import User
from tunetui.cli.renting import start_guard
from tunetui.core.events import AgentPlaced
from tunetui.core.records import encode_app_record, wrap

LINE = "has had no work for"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """The clock of the cloud is also that of the reminders."""
    monkeypatch.setattr("tunetui.cli.reminding.time.time", clock.now)
    return clock


def test_where_nothing_is_rented_nothing_is_said(user: User) -> None:
    assert user.run("runs") == 0
    assert user.err == ""


def test_every_command_ends_with_a_line_for_a_machine_without_work(user: User, late: Clock) -> None:
    name = user.launched()
    late.time += 300
    assert user.run("runs") == 0
    assert LINE not in user.err
    late.time += 1800
    assert user.run("runs") == 0
    assert f"reminder    {name} {LINE} 35 min; it costs $1.29 an hour, about $0.77 so far" in user.err
    assert user.run("show", "not-there.toml") == 2
    assert user.err.count(LINE) == 1
    assert user.run("lambda", "terminate", name, "--yes") == 0
    late.time += 1800
    assert user.run("runs") == 0
    assert user.err == ""


def test_a_machine_with_a_run_at_work_is_not_spoken_of(user: User, late: Clock) -> None:
    name = user.launched()
    folder = user.folder / "data" / "tunetui" / "runs" / "sweep-1"
    folder.mkdir(parents=True)
    journal(folder / "journal.jsonl", name, at=late.time + 60)
    late.time += 1800
    assert user.run("runs") == 0
    assert "reminder" not in user.err
    late.time += 7200
    assert user.run("runs") == 0
    assert f"reminder    {name} was last heard of 2 h ago, with sweep-1 at work; it costs $1.29 an hour" in user.err
    journal(folder / "journal.jsonl", "elsewhere", at=late.time)
    assert user.run("runs") == 0
    assert f"{name} {LINE}" in user.err


def journal(path: Path, host: str, at: float) -> None:
    event = AgentPlaced(agent="agent-1", host=host, device="cpu", model="CPU")
    path.write_bytes(wrap("app", encode_app_record(0, at, event)) + b"\n")
    os.utime(path, (at, at))


def test_a_guard_is_a_process_of_its_own_that_ends_with_its_machine(user: User) -> None:
    name = user.launched()
    assert user.run("lambda", "terminate", name, "--yes") == 0
    path, process = start_guard(name, 5.0)
    assert process.wait(60) == 0
    assert f"{name} is gone: terminated" in path.read_text()
