"""The plan as text."""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import Any

import pytest

from tunetui.cli.plan_text import method_line, plan_lines, resume_lines, time_estimate
from tunetui.core.definitions import Budget, Grid, Kernel
from tunetui.core.planning import Counts, Plan
from tunetui.core.snapshot import Row, Run
from tunetui.core.text_fitting import text_width
from tunetui.session import ResumeSummary
from tunetui_agent.messages import Device, Method, Toolchain, Trial

DEVICE = Device(id="cpu", kind="cpu", name="Example CPU", attributes={"cores": 2, "memory_bytes": 8 * 1024**3})
TOOLCHAINS = [
    Toolchain(language="mojo", available=True, version="25.6.0"),
    Toolchain(language="python", available=True, version="3.11.7, numpy 2.3.0"),
    Toolchain(language="cuda", available=False, reason="no NVIDIA driver"),
]
TRIAL = Trial(id="0" * 16, implementation="mojo", problem={}, configuration={}, provenance="v")


def plan(**facts: Any) -> Plan:
    plain: dict[str, Any] = {
        "problems": [{"corpus_size": 10_000, "dims": 768}, {"corpus_size": 50_000, "dims": 768}],
        "axes": {"mojo": {"row_block": [1, 2, 4], "threads": [1, 2, 4]}, "numpy": {"select": ["sort", "argpartition"]}},
        "left_out": {"cuda": "there is no GPU"},
        "counts": {
            "mojo": Counts(cartesian=18, valid=12, excluded={"threads <= device_cores": 6, "k < 5": 0}, planned=12),
            "numpy": Counts(cartesian=4, valid=4, excluded={}, planned=2),
        },
        "trials": [TRIAL] * 14, "provenances": {}, "notices": ["row_block is alone"], "seed": 7, "sampled": True,
        "sampling_seconds_at_most": 56.0, "seconds_at_most": 840.0,
    }  # fmt: skip
    return Plan(**plain | facts)


def said(width: int | None = None, **facts: Any) -> list[str]:
    grid = Grid(
        name="quick", kernel="semantic-search", targets={"latency_ms.p95": "< 50"}, budget=Budget(minutes=30, trials=14)
    )
    kernel = Kernel(name="semantic-search", summary="Exact top-k search.")
    return plan_lines(grid, kernel, plan(**facts), DEVICE, TOOLCHAINS, width)[1:]


def test_the_plan_reads_like_this() -> None:
    assert said() == [
        "kernel      semantic-search: Exact top-k search.",
        "problem     dims=768, corpus_size=10000|50000",
        "            2 problems, ranked apart",
        "mojo        row_block=1|2|4, threads=1|2|4",
        "            18 combinations, 12 valid; 6 excluded by threads <= device_cores",
        "numpy       select=sort|argpartition",
        "            4 combinations, 4 valid, 2 planned",
        "left out    cuda: there is no GPU",
        "device      Example CPU (cpu: 2 cores, 8 GiB)",
        "toolchains  mojo: 25.6.0; python: 3.11.7, numpy 2.3.0",
        f"method      {method_line(Method())}",
        "targets     latency_ms.p95 < 50",
        "budget      30 min, 14 trials",
        "note        row_block is alone",
        "plan        14 trials, seed 7, a random sample of what is valid",
    ]


@pytest.mark.parametrize("width", [60, 80])
def test_the_plan_fits_the_terminal(width: int) -> None:
    assert max(text_width(line) for line in said(width)) <= width


def test_hostile_names_stay_text() -> None:
    text = "\n".join(said(left_out={"\x1b[2J": "[red]\x9b\u202e"}, notices=["\x1b]0;x\x07"]))
    assert all(character == "\n" or character.isprintable() for character in text)
    assert "[red]" in text


def test_hot_caches_are_said() -> None:
    assert method_line(Method(cache="hot", precision_percent=0.5)).startswith(
        "hot caches; until the median is known to ±0.5 %"
    )


def test_the_method_is_one_line() -> None:
    said = "cold caches; until the median is known to ±1 % at 95 % confidence, 10 to 1,000 samples, 2 s at most"
    assert method_line(Method(finalists=0)) == said
    assert method_line(Method()) == f"{said}; up to 8 finalists raced at the end"


def test_a_first_start_found_nothing() -> None:
    assert resume_lines(ResumeSummary(), None) == []


def test_what_an_earlier_start_left_is_said_with_the_reason_for_stale_rows() -> None:
    resume = ResumeSummary(
        found=True,
        done=9,
        failed=2,
        stale={"compiler changed: 1.0 -> 1.1": 2},
        missing=3,
        reattached=True,
        journal=Path("/x/j"),
    )
    assert resume_lines(resume, None) == [
        "found       9 rows done, 3 trials to measure, in /x/j",
        "            2 of them failed: --retry-failed measures those again",
        "stale       2 rows to measure again: compiler changed: 1.0 -> 1.1",
        "            the agent is still at work: attached to it",
    ]


def test_a_fresh_start_says_where_the_old_journal_went() -> None:
    resume = ResumeSummary(archived=Path("/x/journal.1.jsonl"))
    assert resume_lines(resume, None) == ["fresh       the earlier journal is kept as /x/journal.1.jsonl"]


def test_time_is_an_upper_bound_until_something_was_measured() -> None:
    assert time_estimate(plan(), 14, Run(), Method(finalists=0)) == (
        "about 55 s of sampling at most, less where the precision is reached sooner; builds not counted"
    )
    assert "sooner, then up to about 20 s to race finalists; builds" in time_estimate(plan(), 14, Run(), Method())
    assert "finalists, then about 5 min under load; builds" in time_estimate(plan(), 14, Run(), Method(), 150.0)
    assert time_estimate(plan(), 0, Run(), Method()) == "nothing left to measure"
    row = Row.of(
        trial="t", implementation="mojo", problem={}, problem_key="p", configuration={}, provenance="v",
        status="measured", plan=1, seconds=60.0, samples_ns=array("q", [1]),
    )  # fmt: skip
    assert time_estimate(plan(), 3, Run(rows={"t": row}), Method(finalists=0)) == (
        "about 3 min, by the trials measured before"
    )
