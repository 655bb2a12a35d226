"""A small leaderboard made by core from hand-made samples, for tests of formatting alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunetui.core.events import PlannedKernel, Record, RunFinished, RunPlanned, TrialsQueued
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui_agent.messages import (
    AgentStarted,
    Device,
    DeviceFound,
    TrialFailed,
    TrialMeasured,
    TrialRef,
    TrialStarted,
    Value,
)

PROBLEM: dict[str, Value] = {"corpus_size": 10_000, "dims": 768}
DEVICE = Device(id="cpu", kind="cpu", name="Example CPU", attributes={"cores": 2, "memory_bytes": 8 * 1024**3})


def ref(number: int, implementation: str, configuration: dict[str, Value], problem: dict[str, Value]) -> TrialRef:
    return TrialRef(
        id=f"{number:016x}", implementation=implementation, problem=problem, configuration=configuration, provenance="v"
    )


def measured(trial: TrialRef, center_ns: int, spread_ns: int, **facts: Any) -> TrialMeasured:
    samples = [center_ns + spread_ns * step for step in range(-12, 13)]
    values: dict[str, Any] = {
        "quality": {"recall": 1.0, "max_abs_error": 2.4e-7}, "build_seconds": 1.25, "tags": [], "stopped_by": "precision",
    }  # fmt: skip
    return TrialMeasured(
        trial=trial,
        samples_ns=samples,
        warmups=3,
        seconds=1.0,
        sampling_seconds=0.9,
        verify_seconds=0.1,
        **values | facts,
    )


def failed(trial: TrialRef, status: str, cause: str) -> TrialFailed:
    return TrialFailed(trial=trial, status=status, cause=cause)


def outcomes(
    problem: dict[str, Value] | None = None, *, text: str = "argpartition"
) -> list[TrialMeasured | TrialFailed]:
    shape = PROBLEM if problem is None else problem
    return [
        measured(ref(1, "mojo", {"row_block": 4, "threads": 2}, shape), 310_100, 200),
        measured(ref(2, "mojo", {"row_block": 2, "threads": 2}, shape), 310_900, 250),
        measured(
            ref(3, "numpy", {"select": text, "threads": 2}, shape), 4_210_000, 9_000, tags=["noisy"], build_seconds=None
        ),
        failed(ref(4, "mojo", {"row_block": 1, "threads": 2}, shape), "wrong", "recall 0.8 is below 1"),
        failed(ref(5, "mojo", {"row_block": 8, "threads": 2}, shape), "build_failed", "error: no such register"),
    ]


def run_of(
    results: Sequence[TrialMeasured | TrialFailed], *, grid: dict[str, Any] | None = None, reason: str = "done"
) -> Run:
    """The fold of a journal with these outcomes."""
    trials = [result.trial for result in results]
    problems = [dict(items) for items in dict.fromkeys(tuple(trial.problem.items()) for trial in trials)]
    axes: dict[str, dict[str, list[Value]]] = {}
    for trial in trials:
        for axis, value in trial.configuration.items():
            axes.setdefault(trial.implementation, {}).setdefault(axis, []).append(value)
    plan = RunPlanned(
        run="run-1", name="small", tunetui_version="0", command="tunetui --batch small.toml", started=1000.0, seed=7,
        grid=grid or {}, kernel=PlannedKernel(name="semantic-search", metrics=METRICS), problems=problems, axes=axes,
        trials=len(trials), method={"confidence_percent": 95.0},
    )  # fmt: skip
    started = AgentStarted(
        protocol=1,
        version="0",
        run="agent-1",
        epoch="e",
        pid=1,
        boot_id="b",
        host="here",
        platform="Linux",
        python="3.11",
    )
    app: list[Any] = [plan, TrialsQueued(trials=trials)]
    agent: list[Any] = [started, DeviceFound(device=DEVICE, toolchains=[])]
    for result in results:
        agent += [TrialStarted(trial=result.trial), result]
    records = [Record("app", seq, 1000.0 + seq, event) for seq, event in enumerate(app)]
    records += [Record("agent-1", seq, 1002.0 + seq, event) for seq, event in enumerate(agent)]
    if reason:
        records.append(Record("app", len(app), 1100.0, RunFinished(reason=reason)))
    return fold(Run(), records)


def leaderboard(
    results: Sequence[TrialMeasured | TrialFailed] | None = None,
    *,
    grid: dict[str, Any] | None = None,
    reason: str = "done",
) -> Leaderboard:
    return build_leaderboard(run_of(outcomes() if results is None else results, grid=grid, reason=reason))


METRICS = {
    "throughput_vectors_per_s": "corpus_size / seconds",
    "bandwidth_gb_per_s": "corpus_size * dims * 4 / seconds / 1e9",
}
GRID_WITH_CLAIM: dict[str, Any] = {
    "targets": {"latency_ms.median": "< 50", "success_rate": "> 0.95"},
    "name": "quickstart",
    "kernel": "semantic-search",
    "compare": {"label": "V1", "simulated": True, "latency_ms": 2.99, "corpus_size": 3651},
}
