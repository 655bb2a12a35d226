"""Sweeps that people and signals interrupt: what was measured is kept, the next start measures the rest."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import Workplace, finished, next_trial, until
from tunetui.core.errors import ExitCode


@pytest.fixture
def waiting(workplace: Workplace) -> Workplace:
    """Three trials, each of which stands still until its gate is open."""
    workplace.grid(how='["waits"]', number="[1, 2, 3]")
    return workplace


def second_of_three(workplace: Workplace) -> subprocess.Popen[bytes]:
    """A sweep with one trial done and one at a standstill."""
    run = workplace.start("--events")
    workplace.open_gate(next_trial(run))
    next_trial(run)
    return run


def all_is_well(workplace: Workplace) -> None:
    """Every trial has one outcome and a rank, no record was lost or taken twice, and nobody is left at work."""
    assert list(workplace.outcomes().values()) == [1, 1, 1]
    assert workplace.every_record_once()
    assert {row["status"] for row in workplace.rows().values()} == {"measured"}
    assert workplace.leaderboard()["run"]["ended"] == "done"
    assert workplace.agents() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_finishes_the_present_trial_saves_and_leaves_the_rest(
    waiting: Workplace, number: signal.Signals
) -> None:
    run = second_of_three(waiting)
    run.send_signal(number)
    until(run.stderr, b"finishing the present trial")
    waiting.open_gate()
    _, err = finished(run, ExitCode.INTERRUPTED)
    assert "interrupted; the same command measures what is missing" in err
    assert waiting.leaderboard()["run"]["ended"] == "interrupted"
    assert len(waiting.outcomes()) == 2
    assert waiting.agents() == []

    _, err = waiting.run()
    assert "2 rows done, 1 trial to measure" in err
    all_is_well(waiting)


def test_two_interrupts_stop_at_once_and_save_what_there_is(waiting: Workplace) -> None:
    run = second_of_three(waiting)
    run.send_signal(signal.SIGINT)
    until(run.stderr, b"finishing the present trial")
    run.send_signal(signal.SIGINT)
    _, err = finished(run, ExitCode.INTERRUPTED)
    assert "stopping at once" in err
    assert len(waiting.outcomes()) == 1
    assert waiting.files() == ["grid.leaderboard.json", "grid.leaderboard.toml"]
    assert waiting.agents() == []

    waiting.open_gate()
    _, err = waiting.run()
    assert "1 row done, 2 trials to measure" in err
    all_is_well(waiting)


def test_an_interrupt_right_after_the_plan_is_quiet(workplace: Workplace) -> None:
    run = workplace.start()
    until(run.stderr, b"time  ")
    run.send_signal(signal.SIGINT)
    finished(run, ExitCode.INTERRUPTED)
    workplace.run()
    all_is_well(workplace)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_an_agent_whose_app_is_gone_goes_on_and_the_same_command_attaches_to_it_again(
    waiting: Workplace, number: signal.Signals
) -> None:
    run = second_of_three(waiting)
    (agent,) = waiting.agents()
    run.send_signal(number)
    run.communicate()
    assert run.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert waiting.agents() == [agent]
    assert b'"RunFinished"' not in waiting.journal.read_bytes()

    again = waiting.start()
    said = until(again.stderr, b"the agent is still at work: attached to it")
    assert b"1 row done, 2 trials to measure" in said
    waiting.open_gate()
    finished(again)
    all_is_well(waiting)


def test_targets_edited_while_the_agent_was_at_work_are_the_ones_judged(waiting: Workplace) -> None:
    run = second_of_three(waiting)
    run.kill()
    run.communicate()
    waiting.edit("grid.toml", "[axes]", '[targets]\n"latency_ms.median" = "> 0"\n[axes]')

    again = waiting.start()
    until(again.stderr, b"the agent is still at work: attached to it")
    waiting.open_gate()
    finished(again)
    (verdict,) = waiting.leaderboard()["boards"][0]["targets"]
    assert (verdict["metric"], verdict["verdict"]) == ("latency_ms.median", "met")


def test_what_an_agent_measured_after_its_app_was_gone_is_taken_over_when_both_are_gone(waiting: Workplace) -> None:
    run = second_of_three(waiting)
    (agent,) = waiting.agents()
    run.kill()
    run.communicate()
    waiting.open_gate()
    wait_for_death(agent)

    _, err = waiting.run()
    assert "3 rows done, 0 trials to measure" in err
    all_is_well(waiting)


def test_starting_afresh_ends_the_old_agent_and_keeps_the_old_journal(waiting: Workplace) -> None:
    run = second_of_three(waiting)
    (agent,) = waiting.agents()
    run.kill()
    run.communicate()
    old = waiting.journal.read_bytes()
    _, said = waiting.run("--fresh", "--dry-run")
    assert "1 row there would be measured again" in said
    assert waiting.agents() == [agent]

    waiting.open_gate()
    _, err = waiting.run("--fresh")
    (kept,) = waiting.journal.parent.glob("journal-*.jsonl")
    assert f"the earlier journal is kept as {kept}" in " ".join(err.split())
    assert kept.read_bytes().startswith(old)
    all_is_well(waiting)
    _, err = waiting.run()
    assert "3 rows done, 0 trials to measure" in err
    assert list(waiting.outcomes().values()) == [1, 1, 1]


def test_another_run_on_a_busy_device_is_told_which_run_holds_it(waiting: Workplace) -> None:
    run = second_of_three(waiting)
    (agent,) = waiting.agents()
    _, err = waiting.run("-o", "other", code=ExitCode.UNAVAILABLE)
    assert "device cpu is busy" in err
    assert f"process {agent}" in err
    assert waiting.files() == []
    waiting.open_gate()
    finished(run)
    all_is_well(waiting)
    waiting.run("-o", "other")
    assert waiting.files() == [f"{stem}.leaderboard.{kind}" for stem in ("grid", "other") for kind in ("json", "toml")]
