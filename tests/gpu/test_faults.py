"""Kernels that do everything wrong on a GPU, in one sweep: each costs its own row, and every other row stands.

What is not detected: a read past the end of an input that stays inside the device's memory and does not change the result.
Only an instrumented run (compute-sanitizer, which is no part of tunetui) sees it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.gpu.gpu_workplace import FAULTY, GpuWorkplace, needs_gpu

pytest.importorskip("cupy", exc_type=ImportError)
pytestmark = needs_gpu

GOOD = ["none", "works_too", "works_as_well", "works_again"]
UNDETECTED = ["reads_one_beyond"]
FATAL = {
    "hangs": ("timed_out", "took longer than 5 s"),
    "writes_far": ("crashed", "an illegal memory access was encountered"),
    "reads_far": ("crashed", "an illegal memory access was encountered"),
    "traps": ("crashed", "unspecified launch failure"),
}
"""After these nothing more can be done in the process: the next trial gets a new worker."""
FAULTS = FATAL | {
    "writes_nothing": ("wrong", "output 'y': every element is NaN, or nothing was written"),
    "stops_working": ("wrong", "after timing: output 'y'"),
    "works_at_one_place": ("wrong", "after timing: "),
    "is_wrong": ("wrong", "off by 1"),
    "gives_nan": ("wrong", "output 'y': 1 of 1000 elements are NaN"),
    "trusts_scratch": ("wrong", "output 'y'"),
    "writes_one_beyond": ("wrong", "wrote outside its output 'y'"),
    "writes_one_before": ("wrong", "wrote outside its output 'y'"),
    "changes_its_input": ("wrong", "changed its input 'x'"),
    "leaves_its_counter": ("wrong", "left its counter 'ticket' other than zero"),
    "much_shared_memory": ("unsupported", "524288 bytes of shared memory per block; the device has "),
    "many_threads": ("unsupported", "a block of [2048] threads; the device takes 1024"),
    "many_registers": ("errored", "too many resources requested for launch"),
    "asks_for_4_tb": ("errored", "out of device memory"),
    "does_not_compile": ("build_failed", "double.cu:"),
    "needs_static_shared": (
        "build_failed",
        "ptxas error   : Entry function 'twice' uses too much shared data (0x40000 bytes",
    ),
}


@dataclass(frozen=True)
class Sweep:
    """What one run of all of them left."""

    workplace: GpuWorkplace
    rows: dict[str, dict[str, Any]]
    said: str


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    place = GpuWorkplace(tmp_path_factory.mktemp("faults"))
    place.grid("trial_timeout_seconds = 5", fault=json.dumps([*FAULTS, *GOOD, *UNDETECTED]))
    _, said = place.run()
    yield Sweep(place, place.rows(), said)
    place.end()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_own_row_and_is_named(sweep: Sweep, fault: str) -> None:
    status, cause = FAULTS[fault]
    row = sweep.rows[fault]
    assert (row["status"], cause in row["cause"]) == (status, True), row
    assert "latency_ms" not in row
    assert "rank" not in row


@pytest.mark.parametrize("good", GOOD)
def test_a_kernel_beside_them_is_measured_and_right(sweep: Sweep, good: str) -> None:
    row = sweep.rows[good]
    assert row["status"] == "measured", row
    assert row["latency_ms"]["n"] == 6
    assert 0 < row["latency_ms"]["median"] < 1
    assert row["quality"]["max_abs_error"] < 1e-5
    assert row["resources"]["registers"] > 0
    assert row["resources"]["occupancy_theoretical_percent"] > 0
    assert row["rank"].rstrip("=").isdigit()


def test_every_trial_has_one_outcome_and_the_sweep_ends_in_order(sweep: Sweep) -> None:
    assert list(sweep.workplace.outcomes().values()) == [1] * len(sweep.rows)
    assert sweep.workplace.every_record_once()
    assert sweep.workplace.leaderboard()["run"]["ended"] == "done"
    sweep.workplace.wait_for_agents()


def test_trials_after_one_that_killed_its_worker_are_judged_by_their_own_merit(sweep: Sweep) -> None:
    order = [
        (record["trial"]["configuration"]["fault"], record["kind"])
        for envelope in sweep.workplace.records()
        if (record := envelope["record"])["kind"] in {"TrialMeasured", "TrialFailed"}
    ]
    after = order[next(place for place, (fault, _) in enumerate(order) if fault in FATAL) + 1 :]
    # Every row was found to be what it should be; here it only has to be true that some of them came afterwards.
    assert [fault for fault, kind in after if kind == "TrialMeasured"], order
    assert sum(fault in FATAL for fault, _ in after) == len(FATAL) - 1


def test_a_compile_error_is_told_by_file_line_and_first_useful_line(sweep: Sweep) -> None:
    lines = (FAULTY / "double.cu").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "misspelt" in text)
    expected = f'double.cu:{line}: identifier "misspelt" is undefined'
    assert sweep.rows["does_not_compile"]["cause"] == expected
    assert expected in " ".join(sweep.said.split())


def test_the_limit_that_a_block_exceeds_is_the_device_s_own(sweep: Sweep) -> None:
    (device,) = sweep.workplace.leaderboard()["devices"]
    limit = device["attributes"]["shared_memory_per_block_bytes"]
    assert sweep.rows["much_shared_memory"]["cause"].endswith(f"the device has {limit}")


def test_a_read_just_past_an_input_that_changes_no_result_goes_unseen(sweep: Sweep) -> None:
    assert sweep.rows["reads_one_beyond"]["status"] == "measured"


def test_ceilings_telemetry_and_the_launch_overhead_stand_beside_the_figures(sweep: Sweep) -> None:
    (device,) = sweep.workplace.leaderboard()["devices"]
    assert device["details"]["ceiling_copy_gb_per_s"] > 100
    telemetry = sweep.rows["none"]["telemetry"]
    assert telemetry["call_overhead_ns"] > 0
    assert telemetry.keys() & {"sm_clock_mhz", "telemetry_reason"}
