"""``kill -9`` of each process in turn, at many moments: every trial has its outcome once, no record is lost or doubled."""

from __future__ import annotations

import os
import random
import signal

import pytest

from tests.agent.agent_runs import children_of, wait_for_death
from tests.e2e.workplace import Workplace, finished, next_trial, read_lines, until
from tunetui.core.errors import ExitCode

NUMBERS = range(1, 9)
ROUNDS = int(os.environ.get("TUNETUI_E2E_ROUNDS", "2"))  # more for a night


def complete(workplace: Workplace) -> None:
    assert list(workplace.outcomes().values()) == [1] * len(NUMBERS)
    assert workplace.every_record_once()
    assert {row["status"] for row in workplace.rows().values()} == {"measured"}
    assert workplace.leaderboard()["run"]["ended"] == "done"
    assert workplace.agents() == []


@pytest.fixture
def sweep(workplace: Workplace) -> Workplace:
    workplace.grid(number=str(list(NUMBERS)))
    return workplace


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_app_killed_at_any_moment_loses_nothing_and_measures_nothing_twice(sweep: Workplace, seed: int) -> None:
    moments = random.Random(seed)
    for _ in range(2):
        run = sweep.start("--events")
        read_lines(run.stdout, moments.randrange(1, 25))
        run.kill()
        run.communicate()
    sweep.run()
    complete(sweep)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_an_agent_killed_at_any_moment_is_replaced_and_loses_nothing(sweep: Workplace, seed: int) -> None:
    moments = random.Random(seed)
    run = sweep.start("--events")
    until(run.stdout, b'"kind":"AgentStarted"')
    read_lines(run.stdout, moments.randrange(0, 20))
    for agent in sweep.agents():
        os.kill(agent, signal.SIGKILL)
    _, err = finished(run)
    complete(sweep)
    assert err.count("died without a last record") <= 1


def test_agents_that_die_again_and_again_with_nothing_done_are_given_up(workplace: Workplace) -> None:
    workplace.grid(how='["waits"]', number="[1]")
    run = workplace.start("--events")
    for _ in range(3):
        next_trial(run)
        (agent,) = workplace.agents()
        os.kill(agent, signal.SIGKILL)
        wait_for_death(agent)
    _, err = finished(run, ExitCode.UNAVAILABLE)
    assert "the run failed before the sweep was done" in err
    assert err.count("died without a last record") == 3

    workplace.open_gate()
    _, err = workplace.run()
    assert "0 rows done, 1 trial to measure" in err
    assert list(workplace.outcomes().values()) == [1]


def test_a_worker_killed_in_a_trial_costs_at_most_that_trial(workplace: Workplace) -> None:
    workplace.grid(how='["waits"]', number="[1, 2, 3]")
    run = workplace.start("--events")
    first = next_trial(run)
    workplace.open_gate(first)
    second = next_trial(run)
    (agent,) = workplace.agents()
    for _ in range(2):  # the first time an earlier trial might have broken it, so it is tried again
        (worker,) = children_of(agent, "worker")
        os.kill(worker, signal.SIGKILL)
        if next_trial(run) != second:
            break
    workplace.open_gate()
    finished(run)
    rows = workplace.rows()
    assert rows[f"waits {second}"]["status"] == "crashed"
    assert "SIGKILL" in rows[f"waits {second}"]["cause"]
    assert sorted(row["status"] for row in rows.values()) == ["crashed", "measured", "measured"]
    assert list(workplace.outcomes().values()) == [1, 1, 1]
