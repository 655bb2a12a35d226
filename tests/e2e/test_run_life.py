"""Runs that outlive the tunetui that began them: left, listed, followed, ended and cleared away from the command line."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import Workplace, finished, next_trial, until
from tunetui.core.errors import ExitCode
from tunetui_agent.folder import HostFolder


@pytest.fixture
def waiting(workplace: Workplace) -> Workplace:
    """Three trials, each of which stands still until its gate is open."""
    workplace.grid(how='["waits"]', number="[1, 2, 3]")
    return workplace


def runs(workplace: Workplace) -> dict[str, dict[str, object]]:
    out, _ = workplace.call("runs", "--json")
    return {run["name"]: run for run in json.loads(out)["runs"]}


def name_of(workplace: Workplace) -> str:
    return workplace.journal.parent.name


def complete(workplace: Workplace, stem: str = "grid") -> None:
    assert list(workplace.outcomes().values()) == [1, 1, 1]
    assert workplace.every_record_once()
    assert {row["status"] for row in workplace.rows(stem).values()} == {"measured"}
    assert workplace.leaderboard(stem)["run"]["ended"] == "done"
    assert workplace.agents() == []


def test_a_run_that_was_left_goes_on_is_listed_and_is_followed_from_anywhere(waiting: Workplace) -> None:
    out, err = waiting.run("--detach")
    name = name_of(waiting)
    assert f"tunetui attach {name}" in err
    assert out == ""
    assert waiting.files() == []
    (agent,) = waiting.agents()

    assert runs(waiting)[name]["state"] == "running"
    assert runs(waiting)[name]["total"] == 3

    elsewhere = waiting.folder / "elsewhere"
    elsewhere.mkdir()
    (waiting.folder / "grid.toml").unlink()  # nothing is read but what is kept of the run
    waiting.open_gate()
    wait_for_death(agent)
    out, _ = waiting.call("attach", name[:8])
    assert "waits" in out
    complete(waiting)
    assert runs(waiting)[name] | {"updated": 0} == {
        "name": name, "state": "done", "hosts": ["local"], "kept_here": True, "done": 3, "failed": 0, "total": 3,
        "updated": 0, "holder": 0, "kernel": "double", "detail": "",
    }  # fmt: skip


def test_a_run_whose_app_was_killed_is_followed_while_it_goes_on(waiting: Workplace) -> None:
    run = waiting.start("--events")
    next_trial(run)
    run.kill()
    run.communicate()
    follower = waiting.tunetui("attach", name_of(waiting), "--events", "--format", "none")
    until(follower.stderr, b"0 of 3 trials done")
    waiting.open_gate()
    finished(follower)
    complete(waiting)


def test_a_second_tunetui_follows_the_one_that_deals_and_takes_over_when_that_is_killed(waiting: Workplace) -> None:
    run = waiting.start("--events")
    next_trial(run)
    deals = f"process {run.pid}) deals this run; following".encode()
    second, third = waiting.start("--format", "none"), waiting.tunetui("attach", name_of(waiting))
    until(second.stderr, deals)
    until(third.stderr, deals)
    third.send_signal(signal.SIGINT)
    _, err = finished(third, ExitCode.INTERRUPTED)
    assert "leaving: the run goes on" in err
    assert runs(waiting)[name_of(waiting)]["holder"] == run.pid
    run.kill()
    run.communicate()
    until(second.stderr, b"whoever dealt this run is gone: it is dealt from here now")
    waiting.open_gate()
    finished(second)
    complete(waiting)


def test_a_run_is_ended_from_another_terminal_and_its_own_tunetui_saves_what_there_is(waiting: Workplace) -> None:
    run = waiting.start("--events")
    waiting.open_gate(next_trial(run))
    next_trial(run)
    out, _ = waiting.call("stop", name_of(waiting), "--now")
    assert "ends at once" in out
    finished(run, ExitCode.INTERRUPTED)
    assert len(waiting.rows()) == 1
    assert waiting.agents() == []
    assert runs(waiting)[name_of(waiting)]["state"] == "interrupted"
    out, _ = waiting.call("stop", name_of(waiting))
    assert "no agent at work" in out
    waiting.open_gate()
    waiting.run()
    complete(waiting)


def test_a_run_whose_agent_died_is_told_from_one_that_is_done_and_is_taken_up(waiting: Workplace) -> None:
    waiting.run("--detach")
    (agent,) = waiting.agents()
    os.kill(agent, signal.SIGKILL)
    wait_for_death(agent)
    assert runs(waiting)[name_of(waiting)]["state"] == "dead"
    waiting.open_gate()
    (waiting.folder / "grid.toml").unlink()
    waiting.call("attach", name_of(waiting))
    complete(waiting)


def test_an_unknown_run_is_refused_with_those_that_there_are(workplace: Workplace) -> None:
    workplace.run()
    for command in ("attach", "stop"):
        _, err = workplace.call(command, "nonsense", code=ExitCode.BAD_INPUT)
        assert "there is no run 'nonsense'" in err
        assert name_of(workplace) in err


def test_only_old_runs_that_ended_and_are_kept_here_are_cleared_away(waiting: Workplace) -> None:
    waiting.open_gate()
    waiting.run()
    host = HostFolder(waiting.cache / "tunetui")
    (old,) = host.runs()
    out, _ = waiting.call("gc")
    assert "nothing to remove" in out
    out, _ = waiting.call("gc", "--days", "0", "--dry-run")
    assert f"{old.name} would be removed" in out
    assert len(host.runs()) == 1
    out, _ = waiting.call("gc", "--days", "0")
    assert f"{old.name} removed" in out
    assert host.runs() == []
    complete(waiting)
    _, err = waiting.run()
    assert "3 rows done, 0 trials to measure" in err
