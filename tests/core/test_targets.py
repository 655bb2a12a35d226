from __future__ import annotations

from typing import Any

import pytest

from tests.core.journals import agent, agent_started, device_found, measured
from tunetui.core.run import fold
from tunetui.core.snapshot import Row, Run
from tunetui.core.targeting import parse_target
from tunetui.core.targets import MET, MISSED, UNDECIDED, Figure, exact, figures_of, find, judge

METRICS = {"throughput_vectors_per_s": "corpus_size * queries / seconds", "rows": "tile_rows"}


def row(samples: list[int], **changes: Any) -> Row:
    run = fold(Run(), [agent(0, agent_started()), agent(1, device_found()), agent(2, measured(1, samples, **changes))])
    return next(iter(run.rows.values()))


def figures(of: Row, success_rate: float | None = 0.9) -> dict[str, Figure]:
    return figures_of(of, METRICS, None, success_rate=success_rate, confidence=0.95)


@pytest.mark.parametrize(
    ("target", "low", "high", "verdict"),
    [
        ("< 50", 40.0, 49.0, MET),
        ("< 50", 40.0, 50.0, UNDECIDED),
        ("< 50", 50.0, 60.0, MISSED),
        ("<= 50", 40.0, 50.0, MET),
        ("<= 50", 50.0, 60.0, UNDECIDED),
        ("<= 50", 50.1, 60.0, MISSED),
        ("> 50", 51.0, 60.0, MET),
        ("> 50", 50.0, 60.0, UNDECIDED),
        ("> 50", 40.0, 50.0, MISSED),
        (">= 50", 50.0, 60.0, MET),
        (">= 50", 40.0, 49.0, MISSED),
        ("== 1", 1.0, 1.0, MET),
        ("== 1", 0.9, 0.9, MISSED),
        ("== 1", 0.9, 1.1, UNDECIDED),
        ("== 1", 1.1, 1.2, MISSED),
        ("< 50", 40.0, None, UNDECIDED),
        ("< 50", 51.0, None, MISSED),
        ("> 50", 51.0, None, MET),
    ],
)
def test_a_target_is_judged_on_the_uncertain_side(target: str, low: float, high: float | None, verdict: str) -> None:
    found = judge(parse_target("x", target), Figure(45.0, low, high, "few samples" if high is None else ""))
    assert found.verdict == verdict
    assert bool(found.reason) == (verdict == UNDECIDED)


def test_resources_are_found_by_the_names_that_targets_have_for_them() -> None:
    own = {"registers": 64, "spill_bytes": 8, "static_shared_bytes": 16, "dynamic_shared_bytes": 1024}
    found = figures(row([5] * 6, resources=own))
    asked = {name: find(found, name).value for name in ("registers_per_thread", "spilled_bytes", "shared_memory_bytes")}
    assert asked == {"registers_per_thread": 64, "spilled_bytes": 8, "shared_memory_bytes": 1040}


def test_a_percentile_is_judged_on_its_own_interval_and_says_how_many_samples_it_lacks() -> None:
    found = figures(row([1_000_000] * 100))
    p95 = judge(parse_target("latency_ms.p95", "< 50"), find(found, "latency_ms.p95"))
    p99 = judge(parse_target("latency_ms.p99", "< 50"), find(found, "latency_ms.p99"))
    assert (p95.verdict, p95.value, p95.high) == (MET, 1.0, 1.0)
    assert (p99.verdict, p99.reason) == (UNDECIDED, "p99's interval needs at least 368 samples, has 100")


def test_a_metric_made_of_time_is_judged_at_the_matching_end_of_the_times_interval() -> None:
    found = figures(row([1_000_000, 1_100_000, 1_200_000, 1_300_000, 1_400_000, 2_000_000]))
    throughput = found["throughput_vectors_per_s"]
    assert throughput.low == pytest.approx(1000 / 2e-3)
    assert throughput.high == pytest.approx(1000 / 1e-3)
    assert throughput.value == pytest.approx(1000 / 1.25e-3)
    assert judge(parse_target("throughput_vectors_per_s", "> 499999"), throughput).verdict == MET
    assert judge(parse_target("throughput_vectors_per_s", "> 600000"), throughput).verdict == UNDECIDED
    assert (found["rows"].low, found["rows"].high) == (1.0, 1.0)


def test_a_metric_of_a_row_without_an_interval_is_undecided() -> None:
    found = figures(row([1_000_000] * 5))
    verdict = judge(parse_target("throughput_vectors_per_s", "> 1"), found["throughput_vectors_per_s"])
    assert (verdict.verdict, verdict.reason) == (UNDECIDED, "the median's interval needs at least 6 samples, has 5")


def test_what_was_read_or_counted_is_exact() -> None:
    found = figures(row([5] * 6, resources={"registers_per_thread": 64, "limiter": "registers"}, build_seconds=1.5))
    assert judge(parse_target("recall", "== 1"), find(found, "recall")).verdict == MET
    assert judge(parse_target("quality.recall", ">= 1"), find(found, "quality.recall")).verdict == MET
    assert judge(parse_target("registers_per_thread", "< 64"), find(found, "registers_per_thread")).verdict == MISSED
    assert judge(parse_target("success_rate", "> 0.95"), find(found, "success_rate")).verdict == MISSED
    assert judge(parse_target("build_seconds", "< 2"), find(found, "build_seconds")).verdict == MET


def test_what_nobody_measured_is_undecided_and_never_a_number() -> None:
    found = figures(row([5] * 6))
    occupancy = judge(parse_target("occupancy_achieved_percent", "> 70"), find(found, "occupancy_achieved_percent"))
    assert (occupancy.verdict, occupancy.value) == (UNDECIDED, None)
    assert occupancy.reason == "n/a: occupancy_achieved_percent was not measured on this device"
    build = judge(parse_target("build_seconds", "< 2"), find(found, "build_seconds"))
    assert build.reason == "n/a: nothing was built for it"
    assert judge(parse_target("x", "< 2"), exact(None, "no trial was tried")).reason == "n/a: no trial was tried"
