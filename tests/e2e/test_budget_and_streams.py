"""Budgets and targets decide how a sweep ends; stdout holds data and nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import PATIENCE_SECONDS, Workplace, finished, next_trial, until
from tunetui.core.errors import ExitCode
from tunetui_agent.build.mojo_toolchain import find_compiler

TARGETS = """
[targets]
"latency_ms.median" = "< 10_000"
"latency_ms.min" = "< 0"
"latency_ms.p99" = "< 10_000"
"""


def test_minutes_that_end_first_keep_what_was_measured_and_a_later_start_goes_on(workplace: Workplace) -> None:
    workplace.grid(how='["waits"]', number="[1, 2, 3]")
    workplace.open_gate(1)
    workplace.run("--set", "axes.number=1")
    run = workplace.start("--events", "--set", "budget.minutes=0.005")
    until(run.stdout, b'"command":"wish-')  # the agent was asked to stop
    workplace.open_gate()
    _, err = finished(run, ExitCode.BUDGET_ENDED)
    assert "the budget ended before the sweep did; the same command goes on with what is missing" in err
    assert workplace.leaderboard()["run"]["ended"] == "budget"
    assert len(workplace.outcomes()) in {1, 2}  # whether a second trial was begun or not
    assert workplace.agents() == []
    workplace.run()
    assert list(workplace.outcomes().values()) == [1, 1, 1]


def test_minutes_that_end_before_anything_was_measured_are_a_budget_that_ended(workplace: Workplace) -> None:
    _, err = workplace.run("--set", "budget.minutes=0.0001", code=ExitCode.BUDGET_ENDED)
    assert "the budget ended" in err


def test_trials_sample_a_larger_space_and_are_no_limit_to_one_that_they_cover(workplace: Workplace) -> None:
    out, err = workplace.run("--set", "budget.trials=2", "--format", "csv", code=ExitCode.BUDGET_ENDED)
    assert "2 trials, seed 0, a random sample" in err
    assert "budget.trials left out a part of the sweep; a larger one goes on from here" in err
    assert len(list(csv.DictReader(io.StringIO(out)))) == 2
    _, err = workplace.run("--set", "budget.trials=3", "--format", "none")
    assert "2 rows done, 1 trial to measure" in err


def test_targets_are_met_missed_or_undecided_and_check_makes_them_an_exit_code(workplace: Workplace) -> None:
    workplace.grid(TARGETS, number="[1]")
    out, _ = workplace.run("--check", code=ExitCode.TARGET_MISSED)
    verdicts = {v["metric"]: v["verdict"] for v in workplace.leaderboard()["boards"][0]["targets"]}
    assert verdicts == {"latency_ms.median": "met", "latency_ms.min": "missed", "latency_ms.p99": "undecided"}
    assert [line.split()[0] for line in out.splitlines() if "10000" in line or "< 0" in line] == [
        "met", "missed", "undecided",
    ]  # fmt: skip
    workplace.edit("grid.toml", '"latency_ms.min" = "< 0"', "")
    workplace.run("--check", "--format", "none", code=ExitCode.TARGET_MISSED)  # undecided is not met
    workplace.edit("grid.toml", '"latency_ms.p99" = "< 10_000"', "")
    _, err = workplace.run("--check", code=ExitCode.OK)
    assert "1 row done, 0 trials to measure" in err


def test_every_format_is_data_alone_and_says_what_the_file_says(workplace: Workplace) -> None:
    out, _ = workplace.run("--format", "json", "--set", "method.revisit_percent=5")
    assert json.loads(out) == workplace.leaderboard()
    assert "revisit" in {envelope["record"].get("stage") for envelope in workplace.records()}
    out, _ = workplace.run("--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert sorted(row["number"] for row in rows) == ["1", "2", "3"]
    assert {row["status"] for row in rows} == {"measured"}
    out, err = workplace.run("--format", "none")
    assert out == ""
    assert "wrote " in err


def test_the_event_stream_is_the_journal_line_for_line(workplace: Workplace) -> None:
    out, _ = workplace.run("--events")
    assert out.encode() == workplace.journal.read_bytes()
    before = len(workplace.journal.read_bytes())
    out, _ = workplace.run("--events", "--format", "csv", "--set", "axes.number=1,2,3,4")
    events = workplace.journal.read_bytes()[before:].decode()
    assert out.startswith(events)
    assert len(list(csv.DictReader(io.StringIO(out.removeprefix(events))))) == 4


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_reader_that_takes_one_line_ends_nothing_but_the_output(workplace: Workplace, form: str) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        run = workplace.start("--format", form, stdout=pipe)
    with os.fdopen(reading, "rb") as pipe:
        head = subprocess.Popen(["head", "-1"], stdin=pipe, stdout=subprocess.PIPE)
    err = run.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert head.communicate()[0].count(b"\n") == 1
    assert "Traceback" not in err
    assert "Broken" not in err
    assert run.returncode in {0, 128 + signal.SIGPIPE}  # whether it was still writing when head left
    assert workplace.files() == ["grid.leaderboard.json", "grid.leaderboard.toml"]


def test_a_mojo_kernel_and_a_python_one_race_in_one_sweep(workplace: Workplace) -> None:
    if find_compiler() is None:
        pytest.skip("no Mojo toolchain here: pip install tunetui[mojo]")
    workplace.grid("[problem]\nrows = 64\ncolumns = 32\n[axes.mojo]\nunroll = [1, 2]\nthreads = [1]", method='["sum"]')
    workplace.edit("grid.toml", 'kernel = "./kernel"', 'kernel = "row-sum"')
    workplace.edit("grid.toml", '["numpy"]', '["numpy", "mojo"]')
    workplace.run()
    rows = workplace.leaderboard()["boards"][0]["rows"]
    assert sorted((row["implementation"], row["status"]) for row in rows) == [
        ("mojo", "measured"), ("mojo", "measured"), ("numpy", "measured"),
    ]  # fmt: skip
    assert all(row["build_seconds"] > 0 for row in rows if row["implementation"] == "mojo")


def test_a_budget_in_usd_without_a_price_is_refused_before_anything_runs(workplace: Workplace) -> None:
    _, err = workplace.run("--set", "budget.usd=1", code=ExitCode.BAD_INPUT)
    assert "budget.usd cannot be kept: no price is known of local" in err
    assert "--usd-per-hour local=PRICE" in err
    assert not workplace.journal.exists()
    _, err = workplace.run("--set", "budget.usd=1", "--usd-per-hour", "dear", code=ExitCode.BAD_INPUT)
    assert "expected a number, 0 or more, found 'dear'" in err


def test_usd_that_are_used_up_end_the_run_and_count_over_all_its_starts(workplace: Workplace) -> None:
    workplace.grid(how='["waits"]', number="[1, 2]")
    dear = ("--set", "budget.usd=0.05", "--usd-per-hour", "local=36")  # five seconds' worth: a trial begins in them
    run = workplace.start("--events", *dear)
    next_trial(run)
    until(run.stdout, b'"command":"wish-')
    workplace.open_gate()
    _, err = finished(run, ExitCode.BUDGET_ENDED)
    assert "the budget ended before the sweep did" in err
    cost = workplace.leaderboard()["cost"]
    assert cost["usd"] >= 0.05
    assert cost["hosts"][0]["price_source"] == "--usd-per-hour"
    agents = len([each for each in workplace.records() if each["record"]["kind"] == "AgentStarted"])
    workplace.run(*dear, code=ExitCode.BUDGET_ENDED)
    assert len([each for each in workplace.records() if each["record"]["kind"] == "AgentStarted"]) == agents
    out, _ = workplace.run("--set", "budget.usd=1", "--usd-per-hour", "0")
    assert "cost: $0." in out


def test_an_agent_whose_app_was_killed_ends_by_itself_when_the_usd_are_used_up(workplace: Workplace) -> None:
    workplace.grid("[reliability]\nminutes = 60", how='["is slow"]', number="[1]")
    dear = ("--set", "budget.usd=0.05", "--usd-per-hour", "36")  # five seconds' worth: a trial begins in them
    run = workplace.start("--events", *dear)
    until(run.stdout, b'"kind":"TrialStarted"')
    run.kill()
    run.communicate()
    for agent in workplace.agents():
        wait_for_death(agent)
    _, err = workplace.run(*dear, code=ExitCode.BUDGET_ENDED)
    said = [each["record"].get("text") for each in workplace.records()]
    assert "the budget is used up, and nobody was there to end the run" in said
    assert "the budget ended" in err
    assert workplace.agents() == []
