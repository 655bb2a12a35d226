"""Winners run under load at the end of a sweep: reported, judged, cut short and taken up again, by real processes."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.agent.agent_runs import wait_for_death
from tests.e2e.workplace import Workplace, finished, until
from tunetui.core.errors import ExitCode

SHORT = """
[reliability]
seconds = 0.5
[targets]
reliability_p99_ms = "< 10_000"
reliability_errors = "== 0"
"""
LONG = "\n[reliability]\nminutes = 5\n"  # told every second; a longer one is told less often


def load_of(workplace: Workplace) -> dict[str, Any]:
    """The one run under load in the leaderboard."""
    (found,) = workplace.leaderboard()["boards"][0]["reliability"]
    return dict(found)


def verdicts(workplace: Workplace) -> dict[str, str]:
    return {each["metric"]: each["verdict"] for each in workplace.leaderboard()["boards"][0]["targets"]}


def test_a_winner_that_holds_under_load_is_ready_and_is_not_run_again(workplace: Workplace) -> None:
    workplace.grid(SHORT, number="[1]")
    out, _ = workplace.run("--check", "--events", "--format", "table")
    load = load_of(workplace)
    assert (load["complete"], load["wrong"], load["errors"]) == (True, 0, 0)
    assert load["executions"] > load["timed"] > 0
    assert load["verified"] > 0
    assert load["p50_ms"] <= load["p99_ms"] <= load["worst_ms"] * 1.002
    assert sum(point["executions"] for point in load["series"]) == load["executions"]
    assert set(verdicts(workplace).values()) == {"met"}
    assert list(verdicts(workplace))[-1] == "reliability_failures"
    report = out.splitlines()
    assert any(line.startswith("under load: numpy how=does well number=1") for line in report)
    assert any(line.startswith("ready: numpy") for line in report)

    before = len(workplace.records())
    workplace.run("--check", "--set", "targets.reliability_errors=< 1")
    kinds = [each["record"]["kind"] for each in workplace.records()[before:]]
    assert "AgentStarted" not in kinds, "nothing is missing, so nothing is begun"


def test_a_run_under_load_that_somebody_stops_is_labelled_cut_short_and_made_anew_by_the_same_command(
    workplace: Workplace,
) -> None:
    workplace.grid(LONG, number="[1]")
    run = workplace.start("--events", "--check")
    until(run.stdout, b'"kind":"ReliabilitySampled"')
    run.send_signal(signal.SIGINT)
    finished(run, ExitCode.INTERRUPTED)
    load = load_of(workplace)
    assert load["complete"] is False
    assert "of 300 s: somebody asked for the end" in load["reason"]
    assert load["executions"] > 0
    assert verdicts(workplace) == {"reliability_failures": "undecided"}
    workplace.run("--check", "--set", "reliability.minutes=0.01")
    assert load_of(workplace)["complete"] is True
    assert list(workplace.outcomes().values()) == [1]


def test_an_agent_killed_under_load_leaves_its_figures_labelled_and_is_replaced(workplace: Workplace) -> None:
    workplace.grid(LONG, number="[1]")
    run = workplace.start("--events")
    until(run.stdout, b'"kind":"ReliabilitySampled"')
    (agent,) = workplace.agents()
    os.kill(agent, signal.SIGKILL)
    wait_for_death(agent)
    until(run.stdout, b'"kind":"AgentStarted"')
    until(run.stdout, b'"kind":"ReliabilitySampled"')
    run.send_signal(signal.SIGINT)
    finished(run, ExitCode.INTERRUPTED)
    first, second = [each["from"] for each in workplace.records() if each["record"]["kind"] == "AgentStarted"]
    assert first != second
    sampled = {each["from"] for each in workplace.records() if each["record"]["kind"] == "ReliabilitySampled"}
    assert sampled == {first, second}
    assert workplace.every_record_once()


def test_minutes_that_end_under_load_are_a_budget_that_ended(workplace: Workplace) -> None:
    workplace.grid(LONG, number="[1]")
    workplace.run("--set", "reliability.minutes=0")
    run = workplace.start("--events", "--set", "budget.minutes=0.03")
    _, err = finished(run, ExitCode.BUDGET_ENDED)
    assert "the budget ended before the runs under load did; the same command goes on with them" in err
    assert workplace.agents() == []
