"""``kill -9`` of worker, agent and app in the middle of a sweep on a GPU, and a second tunetui that wants the same GPU."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.agent.agent_runs import children_of, wait_for_death
from tests.e2e.workplace import next_trial
from tests.gpu.gpu_workplace import GpuWorkplace, needs_gpu
from tunetui.core.errors import ExitCode

pytest.importorskip("cupy", exc_type=ImportError)
pytestmark = needs_gpu


def test_kill_9_of_worker_agent_and_app_costs_at_most_the_present_trial(workplace: GpuWorkplace) -> None:
    workplace.waiting_grid([1, 2, 3, 4])
    run = workplace.start("--events")
    workplace.open_gate(next_trial(run))
    second = next_trial(run)
    (agent,) = workplace.agents()

    _, said = workplace.run("-o", "other", code=ExitCode.UNAVAILABLE)
    assert "is busy with run" in said
    assert f"process {agent}" in said

    for _ in range(2):  # the first time an earlier trial might have broken the worker, so it is tried again
        (worker,) = children_of(agent, "worker")
        os.kill(worker, signal.SIGKILL)
        third = next_trial(run)
        if third != second:
            break
    assert third != second

    os.kill(agent, signal.SIGKILL)
    wait_for_death(agent)
    next_trial(run)  # of the agent that took its place
    (successor,) = workplace.agents()
    assert successor != agent

    run.kill()
    run.communicate()
    assert workplace.agents() == [successor]
    workplace.open_gate()
    wait_for_death(successor)

    _, said = workplace.run()
    assert "4 rows done, 0 trials to measure" in said
    rows = {row["configuration"]["number"]: row for row in workplace.leaderboard()["boards"][0]["rows"]}
    assert Counter(row["status"] for row in rows.values()) == {"measured": 3, "crashed": 1}
    assert rows[second]["status"] == "crashed"
    assert "SIGKILL" in rows[second]["cause"]
    assert list(workplace.outcomes().values()) == [1] * 4
    assert workplace.every_record_once()
