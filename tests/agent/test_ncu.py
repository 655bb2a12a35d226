"""Hardware counters: what ncu writes is read, and where it cannot be had, that is said."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.kernel_folders import double_spec, double_trial
from tunetui_agent import hardware_counters as counters
from tunetui_agent.hardware_counters import MARKER, METRICS, REASON, TIME, Profiler, read_rows
from tunetui_agent.messages import Device

NAMES = list(METRICS)


def page(*kernels: tuple[str, float, list[str]]) -> str:
    """As ``--csv --page raw`` prints kernels: name, nanoseconds, the four metrics."""
    lines = ["==PROF== Connected to process 7", ",".join(f'"{name}"' for name in ["ID", "Kernel Name", *NAMES, TIME])]
    lines.append('"","","%","%","%","%","ns"')
    for number, (name, time, values) in enumerate(kernels):
        lines.append(",".join(f'"{each}"' for each in [str(number), name, *values, f"{time:,.0f}"]))
    return "\n".join(lines)


def test_each_row_has_the_counters_of_its_own_kernels_weighted_by_their_time() -> None:
    text = page(
        (MARKER, 2000, ["1", "1", "1", "1"]),
        ("search", 46_000, ["35.37", "20.5", "68.22", "2.25"]),
        (MARKER, 2000, ["1", "1", "1", "1"]),
        ("gemm", 3000, ["40", "50", "10", "80"]),
        ("topk", 1000, ["20", "10", "30", "n/a"]),
    )
    assert read_rows(["a", "b"], text) == {
        "a": {
            "ncu_occupancy_achieved_percent": 35.37, "ncu_sm_throughput_percent": 20.5,
            "ncu_dram_throughput_percent": 68.22, "ncu_l2_hit_percent": 2.25, "ncu_kernels": 1,
        },
        "b": {
            "ncu_occupancy_achieved_percent": 35.0, "ncu_sm_throughput_percent": 40.0,
            "ncu_dram_throughput_percent": 15.0, "ncu_l2_hit_percent": 80.0, "ncu_kernels": 2,
        },
    }  # fmt: skip


def test_a_row_that_could_not_be_replayed_takes_nothing_from_the_next() -> None:
    text = page((MARKER, 2000, ["1"] * 4), (MARKER, 2000, ["1"] * 4), ("search", 10, ["5"] * 4))
    found = read_rows(["a", "b", "c"], text, "a: errored: out of device memory\n")
    assert found["a"] == {REASON: "n/a: ncu profiled nothing of it: a: errored: out of device memory"}
    assert found["b"]["ncu_occupancy_achieved_percent"] == 5.0
    assert REASON in found["c"]


def test_figures_that_are_none_are_left_out() -> None:
    text = page((MARKER, 1, ["1"] * 4), ("search", 10, ["nan", "inf", "", "114.2"]))
    assert read_rows(["a"], text) == {"a": {REASON: "n/a: ncu gave no figures for this GPU"}}


@dataclass
class Card:
    """As much of an open GPU as the profiler asks for."""

    device: Device
    released: bool = False

    def release(self) -> None:
        self.released = True


def profiled(kind: str = "gpu", going: bool = True) -> tuple[dict[str, Any], Card]:
    card = Card(Device(id="GPU-1", kind=kind, name="card", attributes={}))
    trial = replace(double_trial(), id="a")
    profiler = Profiler(double_spec(), card)  # type: ignore[arg-type]
    return profiler.profile([(trial, None)], lambda: going)["a"], card


@pytest.fixture
def ncu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, first on PATH."""
    program = tmp_path / "bin" / "ncu"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_counters_that_this_user_may_not_read_are_said_plainly(ncu: Path) -> None:
    ncu.write_text('#!/bin/sh\necho "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission"\nexit 1\n')
    found, card = profiled()
    assert found == {
        REASON: "n/a: this user may not read the GPU's counters (ERR_NVGPUCTRPERM); tunetui doctor says more"
    }
    assert card.released


def test_a_profiler_that_fails_gives_its_last_words(ncu: Path) -> None:
    ncu.write_text("#!/bin/sh\necho first\necho ==ERROR== no such metric\nexit 9\n")
    assert profiled()[0] == {REASON: "n/a: ncu ended with status 9: ==ERROR== no such metric"}


def test_a_profiler_that_says_nothing_gives_no_figures(ncu: Path) -> None:
    assert profiled()[0] == {REASON: "n/a: ncu profiled nothing of it: it said nothing"}


def test_a_run_that_is_asked_to_end_does_not_wait_for_the_profiler(ncu: Path) -> None:
    ncu.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    assert profiled(going=False)[0] == {REASON: "n/a: the run was asked to end"}


def test_without_ncu_or_a_gpu_that_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(counters, "NCU_PLACES", ())
    assert profiled()[0] == {REASON: "n/a: ncu (NVIDIA Nsight Compute) was not found on this host"}
    assert profiled("cpu")[0] == {REASON: "n/a: hardware counters are read of NVIDIA GPUs alone"}
