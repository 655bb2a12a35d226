"""A plan holds exactly what the grid and the kernel ask for, and says what it leaves out."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from tunetui.core.definitions import (
    ArgumentDefinition,
    Budget,
    Grid,
    ImplementationDefinition,
    Kernel,
    LaunchDefinition,
    ProblemField,
)
from tunetui.core.errors import ExitCode, InputError, TunetuiError
from tunetui.core.identity import trial_id
from tunetui.core.planning import Plan, make_plan
from tunetui_agent.messages import Device, Method, Toolchain

CPU = Device(id="cpu", kind="cpu", name="Some CPU", attributes={"cores": 4})
GPU = Device(id="GPU-1", kind="gpu", name="Some GPU", attributes={"max_threads_per_block": 1024}, driver="580")
PYTHON = Toolchain(language="python", available=True, version="NumPy 2")
MOJO = Toolchain(language="mojo", available=True, version="1.2.0")
CUDA = Toolchain(language="cuda", available=True, version="NVRTC 12.8")
NO_MOJO = Toolchain(language="mojo", available=False, reason="no mojo compiler; pip install tunetui[mojo]")

KERNEL = Kernel(
    name="row-sum",
    files={"reference.py": "r", "sum_numpy.py": "n", "sum.mojo": "m", "sum.cu": "c", "common.cuh": "h"},
    problem={
        "rows": ProblemField(type="int", default=1000),
        "columns": ProblemField(type="int", default=8),
        "dtype": ProblemField(type="str", default="float32", choices=["float32", "float16"]),
    },
    where=["tile <= rows"],
    arguments={
        "matrix": ArgumentDefinition(
            role="input", dtype={"float32": "float32", "float16": "float16"}, shape=["rows", "columns"]
        ),
        "sums": ArgumentDefinition(role="output", dtype="float32", shape=["rows"]),
        "partial": ArgumentDefinition(role="scratch", dtype="float32", shape=["threads", "ceildiv(rows, tile)"]),
        "rows": ArgumentDefinition(role="scalar", dtype="int64", value="rows"),
        "scale": ArgumentDefinition(role="scalar", dtype="float32", value="1 / columns"),
    },
    implementations={
        "numpy": {
            "cpu": ImplementationDefinition(
                language="python",
                source="sum_numpy.py",
                launches=[LaunchDefinition(entry="run", arguments=["matrix", "sums"])],
                axes={"tile": [16, 64]},
            )
        },
        "mojo": {
            "cpu": ImplementationDefinition(
                language="mojo",
                source="sum.mojo",
                launches=[LaunchDefinition(entry="run", arguments=["matrix", "rows", "scale", "sums", "partial"])],
                where=["threads <= device_cores"],
                axes={"tile": [16, 64], "threads": [1, 2, 8]},
            )
        },
        "cuda": {
            "gpu": ImplementationDefinition(
                language="cuda",
                source="sum.cu",
                launches=[
                    LaunchDefinition(
                        entry="sum",
                        arguments=["matrix", "sums"],
                        grid=["ceildiv(rows, tile)"],
                        block=["block", "1"],
                        shared_bytes="block * 4",
                    )
                ],
                axes={"tile": [16, 64], "block": [32, 2048]},
                where=["block <= device_max_threads_per_block"],
            )
        },
    },
)
GRID = Grid(name="g", kernel="row-sum")


def _plan(device: Device = CPU, toolchains: tuple[Toolchain, ...] = (PYTHON, MOJO), **changes: Any) -> Plan:
    return make_plan(msgspec.structs.replace(GRID, **changes), KERNEL, device, toolchains)


def test_a_plan_is_every_valid_configuration_with_its_expressions_worked_out() -> None:
    plan = _plan()
    found = {(trial.implementation, *trial.configuration.values()) for trial in plan.trials}
    assert found == {("numpy", 16), ("numpy", 64), ("mojo", 16, 1), ("mojo", 16, 2), ("mojo", 64, 1), ("mojo", 64, 2)}
    trial = next(one for one in plan.trials if one.configuration == {"tile": 64, "threads": 2})
    assert trial.problem == {"rows": 1000, "columns": 8, "dtype": "float32"}
    assert trial.shapes == {"matrix": [1000, 8], "sums": [1000], "partial": [2, 16]}
    assert trial.scalars == {"rows": 1000, "scale": 0.125}
    assert trial.dtypes == {
        "matrix": "float32", "rows": "int64", "scale": "float32", "sums": "float32", "partial": "float32",
    }  # fmt: skip
    assert trial.geometry == []
    assert plan.provenances[trial.provenance]["compiler"] == "1.2.0"


def test_counts_say_which_constraint_excluded_what() -> None:
    counts = _plan(where=["tile < 64"]).counts
    assert counts["numpy"].excluded == {"tile <= rows": 0, "tile < 64": 1}
    assert (counts["numpy"].cartesian, counts["numpy"].valid, counts["numpy"].planned) == (2, 1, 1)
    assert counts["mojo"].excluded == {"tile <= rows": 0, "threads <= device_cores": 2, "tile < 64": 2}
    assert counts["mojo"].cartesian == 6
    assert counts["mojo"].valid == 2
    recorded = {
        (item.implementation, item.constraint): item.configurations for item in _plan(where=["tile < 64"]).excluded
    }
    assert recorded["mojo", "threads <= device_cores"] == 2


def test_geometry_is_resolved_for_a_gpu_and_absent_ones_are_left_out_with_the_reason() -> None:
    plan = _plan(GPU, (CUDA,), implementations=["cuda", "numpy"])
    assert plan.left_out == {"numpy": "kernel row-sum has no numpy implementation for a gpu"}
    geometry = {trial.configuration["tile"]: trial.geometry for trial in plan.trials}
    assert [(one.grid, one.block, one.shared_bytes) for one in geometry[16]] == [([63], [32, 1], 128)]
    assert plan.counts["cuda"].excluded["block <= device_max_threads_per_block"] == 2
    assert plan.provenances[plan.trials[0].provenance]["driver"] == "580"


def test_an_implementation_without_its_toolchain_is_left_out_and_the_rest_goes_on() -> None:
    plan = _plan(toolchains=(PYTHON, NO_MOJO), axes={"threads": [1, 2]})
    assert plan.left_out == {"mojo": NO_MOJO.reason}
    assert {trial.implementation for trial in plan.trials} == {"numpy"}
    with pytest.raises(TunetuiError, match="no implementation can be built") as caught:
        _plan(toolchains=(NO_MOJO,))
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "no python toolchain was found" in caught.value.hint
    assert NO_MOJO.reason in caught.value.hint


def test_problems_are_outermost_and_the_order_inside_depends_on_the_seed_alone() -> None:
    fields = {"rows": [100, 1000, 2000], "dtype": ["float32", "float16"]}
    tiles = {"tile": list(range(1, 33))}
    plan = _plan(problem=fields, axes=tiles)
    assert len(plan.problems) == 6
    order = [tuple(trial.problem.values()) for trial in plan.trials]
    assert list(dict.fromkeys(order)) == [tuple(problem.values()) for problem in plan.problems]
    assert sum(first != second for first, second in itertools.pairwise(order)) == 5
    assert _plan(problem=fields, axes=tiles).trials == plan.trials
    other = _plan(problem=fields, axes=tiles, method=Method(seed=1))
    assert [trial.id for trial in other.trials] != [trial.id for trial in plan.trials]
    assert {trial.id for trial in other.trials} == {trial.id for trial in plan.trials}
    assert {trial.dtypes["matrix"] for trial in plan.trials} == {"float32", "float16"}


def test_an_implementation_that_constraints_empty_is_a_notice_and_all_empty_an_error() -> None:
    plan = _plan(where=["threads > 2"])  # numpy has no threads: the constraint does not speak for it
    assert [trial.implementation for trial in plan.trials] == ["numpy", "numpy"]
    assert plan.counts["mojo"].valid == 0
    (notice,) = plan.notices
    assert notice.startswith("mojo has no configuration for rows = 1000")
    assert "'threads > 2' excludes the last" in notice
    with pytest.raises(
        InputError, match="'tile > 99' excludes the last of mojo; 'tile > 99' excludes the last of numpy"
    ):
        _plan(where=["tile > 99"])


def test_a_budget_of_trials_is_shared_out_and_repeats_itself() -> None:
    axes = {"tile": list(range(1, 101))}
    plan = _plan(axes=axes, budget=Budget(trials=30))
    assert plan.sampled
    assert len({trial.id for trial in plan.trials}) == 30
    assert (plan.counts["numpy"].planned, plan.counts["mojo"].planned) == (15, 15)
    assert plan.counts["mojo"].valid == 200
    assert _plan(axes=axes, budget=Budget(trials=30)).trials == plan.trials
    few = _plan(implementation_axes={"numpy": {"tile": [1, 2, 3]}}, axes=axes, budget=Budget(trials=31))
    assert (few.counts["numpy"].planned, few.counts["mojo"].planned) == (3, 28)
    assert not _plan(budget=Budget(trials=6)).sampled
    assert len(_plan(budget=Budget(trials=1)).trials) == 1


def test_a_space_too_large_to_build_is_sampled_under_a_budget_and_refused_without() -> None:
    axes: dict[str, list[Any]] = {"tile": list(range(1, 20_001)), "threads": list(range(1, 20_001))}
    where = ["tile * threads % 2 == 0 or tile < threads"]
    kernel = msgspec.structs.replace(KERNEL, where=[])
    grid = msgspec.structs.replace(GRID, axes=axes, where=where, implementations=["mojo"])
    roomy = Device(id="cpu", kind="cpu", name="Many", attributes={"cores": 20_000})
    with pytest.raises(InputError, match=r"mojo: about .* of 400,000,000 combinations"):
        make_plan(grid, kernel, roomy, [MOJO])
    plan = make_plan(msgspec.structs.replace(grid, budget=Budget(trials=40)), kernel, roomy, [MOJO])
    assert len({trial.id for trial in plan.trials}) == 40
    assert plan.counts["mojo"].valid is None
    assert plan.counts["mojo"].cartesian == 400_000_000
    assert plan.sampled


def test_more_trials_than_a_run_can_hold_are_refused_with_the_count() -> None:
    with pytest.raises(InputError, match="1,500,003 configurations are too many for one run") as caught:
        _plan(axes={"tile": list(range(1, 500_002))}, problem={"rows": [500_001]})
    assert "budget.trials" in caught.value.hint


def test_an_axis_or_a_name_that_nothing_declares_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"axes\.tyle") as caught:
        _plan(axes={"tyle": [1]})
    assert caught.value.hint == "did you mean tile?"
    with pytest.raises(InputError, match="device_core is not known"):
        _plan(where=["threads <= device_core"])


def test_ids_name_the_work_and_not_the_order_of_its_names() -> None:
    one = trial_id("mojo", {"rows": 1, "columns": 2}, {"tile": 3, "threads": 4})
    assert one == trial_id("mojo", {"columns": 2, "rows": 1}, {"threads": 4, "tile": 3})
    assert len({one, trial_id("mojo", {"rows": 1, "columns": 2}, {"tile": 3, "threads": 5})}) == 2
    assert len(one) == 16
    assert one == "dbbc46ae790ae033"  # a change would make every earlier run unreadable


def _provenance(kernel: Kernel = KERNEL, **changes: Any) -> dict[str, Any]:
    plan = make_plan(msgspec.structs.replace(GRID, implementations=["numpy"], **changes), kernel, CPU, [PYTHON, MOJO])
    (fields,) = plan.provenances.values()
    return fields


def _with_file(name: str) -> Kernel:
    return msgspec.structs.replace(KERNEL, files={**KERNEL.files, name: "changed"})


def test_provenance_changes_with_what_a_figure_depends_on_and_with_nothing_else() -> None:
    before = _provenance()
    assert {key for key, value in _provenance(_with_file("sum_numpy.py")).items() if value != before[key]} == {
        "kernel_source"
    }
    assert {key for key, value in _provenance(_with_file("reference.py")).items() if value != before[key]} == {
        "reference"
    }
    assert _provenance(_with_file("sum.mojo")) == before
    assert _provenance(_with_file("common.cuh"))["kernel_source"] != before["kernel_source"]
    assert _provenance(method=Method(cache="hot"))["method"] != before["method"]
    assert _provenance(method=Method(trial_timeout_seconds=5)) == before
    assert _provenance(axes={"tile": [4]}) == before


def test_a_shape_that_is_no_whole_number_names_its_place_and_configuration() -> None:
    broken = {**KERNEL.arguments, "sums": ArgumentDefinition(role="output", dtype="float32", shape=["rows / tile"])}
    with pytest.raises(InputError) as caught:
        make_plan(GRID, msgspec.structs.replace(KERNEL, arguments=broken), CPU, [PYTHON])
    assert "arguments.sums.shape: expected a whole number" in caught.value.message
    assert "'rows / tile' at tile = " in caught.value.message
    assert "ceildiv" in caught.value.hint


def test_the_time_is_bounded_by_the_method_and_by_the_budget() -> None:
    plan = _plan(method=Method(max_seconds=3, trial_timeout_seconds=20))
    assert plan.sampling_seconds_at_most == 6 * 2 * 3
    assert plan.seconds_at_most == 6 * 20
    assert _plan(budget=Budget(minutes=0.5)).seconds_at_most == 30
