"""How long a run will still take, from what it took so far."""

from __future__ import annotations

import math

from tunetui.core.snapshot import Run
from tunetui_agent.messages import reliability


def remaining_seconds(run: Run, now: float) -> float | None:
    """Time left, from what trials took since this start, and the races and runs under load still to come; None before the first is finished.

    Whether a problem has anybody to race, and for how long, shows at its end only: each is counted in full.  The budget's
    minutes end all of it.
    """
    if run.resumed is None or run.finished_since_resumed == 0:
        return None
    races = _races_seconds(run) + _loads_seconds(run)
    missing = run.counts.total - run.counts.done
    if missing == 0:
        return races
    minutes = (run.plan.grid.get("budget") or {}).get("minutes") if run.plan else None
    until_budget = run.resumed + 60.0 * minutes - now if isinstance(minutes, int | float) else math.inf
    return min(_seconds_per_trial(run, run.resumed, now) * missing + races, max(0.0, until_budget))


def _seconds_per_trial(run: Run, resumed: float, now: float) -> float:
    """Between trials that end; before every device at work has ended a second one, since the start, with its builds."""
    at_work = max(1, sum(not agent.ended for agent in run.agents.values()))
    if run.first_finished_at is not None and run.finished_since_resumed >= max(2 * at_work, 4):
        return max(0.0, now - run.first_finished_at) / (run.finished_since_resumed - at_work)
    return (now - resumed) / run.finished_since_resumed


def _loads_seconds(run: Run) -> float:
    """Of the runs under load to come, one for each problem, and what is left of the present ones."""
    asked = run.plan.grid.get("reliability", {}).get("seconds", 0.0) if run.plan else 0.0
    if run.plan is None or not asked:
        return 0.0
    over = {run.rows[t].problem_key for t, load in run.loads.items() if load.reason and t in run.rows}
    present = [run.loads.get(each.trial) for each in run.running.values() if each.stage == reliability.RELIABILITY]
    spent = sum(load.seconds for load in present if load is not None and not load.reason)
    return max(0.0, asked * (len(run.plan.problems) - len(over)) - spent)


def _races_seconds(run: Run) -> float:
    method = run.plan.method if run.plan else {}
    if run.plan is None or run.counts.total < 2 or not method.get("finalists"):
        return 0.0
    begun = 1 if run.race else 0
    left = max(0, len(run.plan.problems) - len(run.raced) - begun)
    present = max(0.0, run.race.limit_seconds - run.race.seconds) if run.race else 0.0
    return left * float(method.get("finalists_seconds", 0.0)) + present
