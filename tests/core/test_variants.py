from __future__ import annotations

import msgspec
import pytest

from tunetui.core.definitions import (
    ArgumentDefinition,
    Grid,
    ImplementationDefinition,
    Kernel,
    LaunchDefinition,
    ProblemField,
)
from tunetui.core.errors import InputError
from tunetui.core.planning import make_plan
from tunetui.core.variants import make_variants
from tunetui_agent.messages import Device, Toolchain

LAUNCH = LaunchDefinition(entry="scale", arguments=["x"], grid=["ceildiv(n, block)"], block=["block"])
CALL = LaunchDefinition(entry="scale", arguments=["x"])
KERNEL = Kernel(
    name="scale",
    files={"scale.mojo": "m", "scale.cu": "c", "reference.py": ""},
    problem={"n": ProblemField(type="int", default=100), "dims": ProblemField(type="int", default=8)},
    arguments={"x": ArgumentDefinition(role="output", dtype="float32", shape=["n"])},
    implementations={
        "mojo": {
            "gpu": ImplementationDefinition(
                language="mojo", source="scale.mojo", launches=[LAUNCH], parameters=["block", "dims"],
                axes={"block": [32, 64, 128], "blocks": [1, 2]}, where=["block <= device_max_threads_per_block"],
            ),
        },
        "cuda": {
            "gpu": ImplementationDefinition(
                language="cuda", source="scale.cu", launches=[LAUNCH], parameters=["block"], axes={"block": [32, 64]}
            ),
        },
        "library": {
            "gpu": ImplementationDefinition(language="python", source="reference.py", launches=[CALL], baseline=True)
        },
    },
)  # fmt: skip
GRID = Grid(name="g", kernel="scale", device="gpu", problem={"n": [100, 200], "dims": [8]})


def blocks(grid: Grid, kernel: Kernel = KERNEL, names: list[str] | None = None) -> list[tuple[str, object, object]]:
    return [
        (trial.implementation, trial.configuration["block"], trial.problem["dims"])
        for trial in make_variants(grid, kernel, names)
    ]


def test_what_is_not_fixed_at_build_time_makes_no_new_variant() -> None:
    assert blocks(GRID) == [
        ("mojo", 32, 8), ("mojo", 64, 8), ("mojo", 128, 8), ("cuda", 32, 8), ("cuda", 64, 8),
    ]  # fmt: skip


def test_a_problem_field_fixed_at_build_time_does() -> None:
    grid = msgspec.structs.replace(GRID, problem={"dims": [8, 16]})
    assert [found for found in blocks(grid) if found[0] == "mojo"] == [
        ("mojo", block, dims) for dims in (8, 16) for block in (32, 64, 128)
    ]
    assert len([found for found in blocks(grid) if found[0] == "cuda"]) == 2


def test_only_constraints_that_need_no_device_exclude() -> None:
    grid = msgspec.structs.replace(GRID, where=["block < 128", "block <= device_warp_size"])
    assert ("mojo", 64, 8) in blocks(grid)
    assert ("mojo", 128, 8) not in blocks(grid)


def test_every_build_of_a_plan_is_among_the_variants() -> None:
    grid = msgspec.structs.replace(GRID, where=["block * blocks < 200"])
    device = Device(id="GPU-0", kind="gpu", name="small", attributes={"max_threads_per_block": 64})
    toolchains = [Toolchain(language=name, available=True, version="1") for name in ("mojo", "cuda", "python")]
    planned = {
        (trial.implementation, trial.configuration["block"], trial.problem["dims"])
        for trial in make_plan(grid, KERNEL, device, toolchains).trials
        if trial.implementation != "library"
    }
    assert planned
    assert planned < set(blocks(grid))


def test_one_implementation_can_be_chosen() -> None:
    assert {name for name, _, _ in blocks(GRID, names=["cuda"])} == {"cuda"}
    with pytest.raises(InputError, match="'cud' is no GPU implementation of this grid"):
        make_variants(GRID, KERNEL, ["cud"])


def test_nothing_to_build_is_said() -> None:
    with pytest.raises(InputError, match="no GPU implementation that is compiled"):
        make_variants(msgspec.structs.replace(GRID, implementations=["library"]), KERNEL)
    with pytest.raises(InputError, match="leave no configuration to build"):
        make_variants(msgspec.structs.replace(GRID, where=["block > 1000"]), KERNEL)


def test_a_variant_carries_nothing_that_only_a_device_can_tell() -> None:
    (first, *_) = make_variants(GRID, KERNEL)
    assert (first.shapes, first.geometry, first.provenance) == ({}, [], "")
