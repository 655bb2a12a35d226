from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.core.definition_texts import KERNEL, SOURCES
from tunetui.core.decoding import decode_grid, grid_from_dict, grid_to_dict
from tunetui.core.definitions import Grid, Kernel
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.kernel_decoding import decode_kernel
from tunetui.core.matching import check_grid_against_kernel, resolve_grid, shared_kinds
from tunetui.core.planning import Plan, make_plan
from tunetui_agent.messages import Device, Toolchain

LIBRARY = """
[implementations.library.gpu]
language = "python"
source = "rows.py"
entry = "sums"
arguments = ["x", "sums"]
parameters = ["dtype"]
requires = ["lib"]
baseline = true
where = ["rows <= 2000"]
"""
GPU = Device(id="GPU-0", kind="gpu", name="a GPU", attributes={"compute_capability": 90})
CUDA = Toolchain(language="cuda", available=True, version="NVRTC 13.0")
PYTHON = Toolchain(language="python", available=True, version="CPython 3.11")
LIB = Toolchain(language="module:lib", available=True, version="2.1")
NO_LIB = Toolchain(language="module:lib", available=False, reason="the Python module lib is not installed")


def kernel(text: str = LIBRARY) -> Kernel:
    return decode_kernel(KERNEL + text, "kernel.toml", SOURCES)


def grid(more: str = "", implementations: str = 'implementations = ["cuda"]') -> Grid:
    return decode_grid(f'name = "g"\nkernel = "rows"\ndevice = "gpu"\n{implementations}\n{more}', "grid.toml")


def plan_of(asked: Grid, *toolchains: Toolchain) -> Plan:
    assert check_grid_against_kernel(asked, kernel()) == []
    return make_plan(resolve_grid(asked, kernel()), kernel(), GPU, toolchains)


def rows_of(plan: Plan, name: str) -> list[dict[str, Any]]:
    return [trial.problem for trial in plan.trials if trial.implementation == name]


def test_a_baseline_joins_a_run_that_does_not_name_it_once_per_problem() -> None:
    plan = plan_of(grid("[problem]\nrows = [1000, 2000]\n[axes]\nblock = [64]"), CUDA, PYTHON, LIB)
    assert [problem["rows"] for problem in rows_of(plan, "library")] == [1000, 2000]
    assert list(plan.axes) == ["cuda", "library"]
    fields = next(fields for fields in plan.provenances.values() if fields["language"] == "python")
    assert fields["compiler"] == "CPython 3.11, lib 2.1"


def test_a_baseline_is_measured_only_on_problems_that_it_can_do() -> None:
    plan = plan_of(grid("[problem]\nrows = [1000, 3000]"), CUDA, PYTHON, LIB)
    assert [problem["rows"] for problem in rows_of(plan, "library")] == [1000]
    assert any("library has no configuration for rows = 3000" in said for said in plan.notices)


def test_a_baseline_without_its_module_is_left_out_with_the_reason() -> None:
    plan = plan_of(grid(), CUDA, PYTHON, NO_LIB)
    assert plan.left_out == {"library": "the Python module lib is not installed"}
    assert not rows_of(plan, "library")


def test_a_grid_without_baselines_has_none() -> None:
    plan = plan_of(grid("baselines = false"), CUDA, PYTHON, LIB)
    assert {trial.implementation for trial in plan.trials} == {"cuda"}
    assert plan.left_out == {}


def test_a_grid_that_names_no_implementation_still_gets_each_baseline_once() -> None:
    plan = plan_of(grid(implementations=""), CUDA, PYTHON, LIB)
    assert len(rows_of(plan, "library")) == 1
    assert "mojo" in plan.left_out


def test_a_baseline_alone_is_no_run() -> None:
    with pytest.raises(TunetuiError, match="no implementation can be built"):
        plan_of(grid(), PYTHON, LIB)


def test_a_baseline_that_is_named_is_raced_even_where_baselines_are_unwanted() -> None:
    plan = plan_of(grid("baselines = false", 'implementations = ["library"]'), PYTHON, LIB)
    assert {trial.implementation for trial in plan.trials} == {"library"}


def test_a_baseline_does_not_decide_the_kind_of_device() -> None:
    only_cpu = {"numpy": kernel().implementations["numpy"], "library": kernel().implementations["library"]}
    narrow = msgspec.structs.replace(kernel(), implementations=only_cpu)
    asked = decode_grid('name = "g"\nkernel = "rows"', "grid.toml")
    assert shared_kinds(asked, narrow) == ["cpu"]


def test_the_wish_for_baselines_survives_the_journal() -> None:
    asked = grid("baselines = false")
    assert grid_from_dict(grid_to_dict(asked), "journal") == asked


def test_a_required_module_must_be_a_plain_name() -> None:
    with pytest.raises(InputError, match=r"library\.gpu\.requires\[0\]: expected a Python module, found \"os\.path\""):
        kernel(LIBRARY.replace('"lib"', '"os.path"'))
