"""Energy, and hardware counters where they may be read, of rows on a real GPU; a disk that is full beside it."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.e2e.test_full_disk import FULL, SmallDisk
from tests.e2e.workplace import PATIENCE_SECONDS
from tests.gpu.gpu_workplace import GpuWorkplace, figures, needs_gpu
from tunetui.core.errors import ExitCode

pytest.importorskip("cupy", exc_type=ImportError)
pytestmark = needs_gpu

FAULTS = json.dumps(["none", "works_too", "works_as_well", "works_again"])


def only_examined(workplace: GpuWorkplace, names: set[str]) -> dict[str, Any]:
    """Figures of the one row that has such: the fastest, or one of those that were as fast to the nanosecond."""
    (board,) = workplace.leaderboard()["boards"]
    rows = [row for row in board["rows"] if row["status"] == "measured"]
    (examined,) = (row for row in rows if names & (row["resources"].keys() | row["telemetry"].keys()))
    assert examined["latency_ms"]["median"] == min(row["latency_ms"]["median"] for row in rows)
    return {**examined["resources"], **examined["telemetry"]}


def test_the_best_row_of_each_implementation_says_what_an_execution_costs(workplace: GpuWorkplace) -> None:
    pytest.importorskip("pynvml")
    workplace.grid("energy_seconds = 0.3", fault=FAULTS)
    workplace.run()
    (device,) = workplace.leaderboard()["devices"]
    if "energy_reason" in device["details"]:
        pytest.skip(device["details"]["energy_reason"])
    best = only_examined(workplace, {"energy_mj"})
    assert best["energy_mj"] * best["energy_executions"] == pytest.approx(
        1e3 * best["energy_power_w"] * best["energy_seconds"], rel=0.02
    )
    assert 10 < best["energy_power_w"] < 2000
    assert best["energy_seconds"] >= 0.3


def test_without_energy_nothing_is_burnt(workplace: GpuWorkplace) -> None:
    workplace.grid('energy = "none"', fault=FAULTS)
    workplace.run()
    assert not [each for each in figures(workplace) if "energy_mj" in each]
    kinds = {envelope["record"]["kind"] for envelope in workplace.records()}
    assert "TrialExamined" not in kinds


def test_profiled_rows_have_ncus_counters_or_the_reason_and_the_same_times(workplace: GpuWorkplace) -> None:
    workplace.grid('energy = "none"', fault=FAULTS)
    workplace.run("--profile")
    (board,) = workplace.leaderboard()["boards"]
    assert [row["latency_ms"]["n"] for row in board["rows"]] == [6] * 4
    best = only_examined(workplace, {"ncu_kernels", "ncu_reason"})
    if "ncu_reason" in best:
        assert best["ncu_reason"].startswith("n/a: ")
    else:
        assert 0 < best["ncu_occupancy_achieved_percent"] <= 100
        assert best["ncu_kernels"] == 1


def test_without_a_profiler_the_run_goes_on_and_says_so(workplace: GpuWorkplace) -> None:
    program = workplace.folder / "bin" / "ncu"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission"\nexit 1\n')
    program.chmod(0o755)
    workplace.environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"
    workplace.grid('energy = "none"')
    workplace.run("--profile")
    (best,) = figures(workplace)
    assert "may not read the GPU's counters (ERR_NVGPUCTRPERM)" in best["ncu_reason"]


def test_a_call_that_waits_for_the_device_is_said_to_contain_the_hosts_time(workplace: GpuWorkplace) -> None:
    workplace.grid('energy = "none"', waits="[false, true]")
    workplace.edit("grid.toml", '["cuda"]', '["cupy"]')
    workplace.run()
    (board,) = workplace.leaderboard()["boards"]
    assert {row["configuration"]["waits"]: "host-bound" in row.get("tags", []) for row in board["rows"]} == {
        False: False,
        True: True,
    }


def test_a_host_whose_disk_is_full_says_so_and_goes_on_when_there_is_room(workplace: GpuWorkplace) -> None:
    disk = SmallDisk(workplace.folder / "disk", "4m")
    try:
        workplace.cache = disk.folder
        workplace.environment["XDG_CACHE_HOME"] = str(disk.folder)
        workplace.grid('energy = "none"', fault=FAULTS)
        workplace.run("--dry-run")  # places the agent
        disk.leave(65_536)  # a run can begin; which of its files finds no room is the disk's affair
        said = " ".join(b" ".join(workplace.start().communicate(timeout=PATIENCE_SECONDS)).decode().split())
        assert FULL in said or "disk full" in said, said
        disk.make_room()
        workplace.run("--retry-failed")
        assert len(figures(workplace)) == 4
    finally:
        workplace.end()
        disk.end()


def test_a_driver_that_does_not_load_is_a_host_without_a_gpu(workplace: GpuWorkplace) -> None:
    hidden = workplace.folder / "hidden"
    hidden.mkdir()
    (hidden / "libcuda.so.1").write_text("not a library\n")
    workplace.environment["LD_LIBRARY_PATH"] = str(hidden)
    workplace.grid()
    _, said = workplace.run(code=ExitCode.UNAVAILABLE)
    assert "no GPU that could be used" in said
    assert "tunetui doctor says why" in said
