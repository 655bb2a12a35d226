"""How long a run will still take, from what it took so far."""

from __future__ import annotations

from tunetui.core.snapshot import Run


def remaining_seconds(run: Run, now: float) -> float | None:
    """Time left, from what trials took since this start, and the races still to come; None before the first is finished.

    Whether a problem has anybody to race, and for how long, shows at its end only: each is counted in full.
    """
    if run.resumed is None or run.finished_since_resumed == 0:
        return None
    races = _races_seconds(run)
    missing = run.counts.total - run.counts.done
    if missing == 0:
        return races
    per_trial = (now - run.resumed) / run.finished_since_resumed
    return per_trial * missing + races


def _races_seconds(run: Run) -> float:
    method = run.plan.method if run.plan else {}
    if run.plan is None or run.counts.total < 2 or not method.get("finalists"):
        return 0.0
    begun = 1 if run.race else 0
    left = max(0, len(run.plan.problems) - len(run.raced) - begun)
    present = max(0.0, run.race.limit_seconds - run.race.seconds) if run.race else 0.0
    return left * float(method.get("finalists_seconds", 0.0)) + present
