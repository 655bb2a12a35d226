from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.gpu_sources import (
    ARCHITECTURES,
    SCALE_CU,
    SCALE_CUH,
    cuda_spec,
    gpu_trial,
    implementation_of,
    needs_nvrtc,
)
from tunetui_agent.build import Target, open_builder
from tunetui_agent.build.cache import META, content_key, content_keys
from tunetui_agent.build.cubin import read_resources
from tunetui_agent.build.cuda import explain, macro, spills_by_kernel, traced_key
from tunetui_agent.messages import BuildFinished, RunSpec, Trial

pytestmark = needs_nvrtc
H100 = Target(kind="gpu", architecture="sm_90")


def build(
    cache: Path, spec: RunSpec | None = None, target: Target = H100, trials: list[Trial] | None = None
) -> list[BuildFinished]:
    spec = spec or cuda_spec()
    trials = trials or [gpu_trial("cuda", block=128)]
    return open_builder("cuda", cache, "gpu").build(spec, implementation_of(spec), trials, target)


def meta_of(cache: Path, key: str) -> dict[str, object]:
    return dict(json.loads((cache / "builds" / key / META).read_text()))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_cubin_is_built_for_every_architecture_without_a_gpu(tmp_path: Path, architecture: str) -> None:
    (record,) = build(tmp_path, target=Target(kind="gpu", architecture=architecture))
    assert record.ok, record.log
    meta = meta_of(tmp_path, record.artifact)
    assert meta["kernels"] == {"scale": "scale", "scatter": "scatter"}
    assert meta["spill_bytes"] == {"scale": 0, "scatter": 0}
    cubin = (tmp_path / "builds" / record.artifact / "kernel.cubin").read_bytes()
    assert read_resources(cubin)["scale"].registers > 0


def test_a_source_that_can_be_traced_gets_a_twin_with_one_more_argument(tmp_path: Path) -> None:
    (record,) = build(tmp_path)
    twin = tmp_path / "builds" / traced_key(record.artifact) / "kernel.cubin"
    timed = tmp_path / "builds" / record.artifact / "kernel.cubin"
    assert twin.read_bytes() != timed.read_bytes()
    (plain,) = build(tmp_path, cuda_spec(SCALE_CU.replace("TUNETUI_TRACE", "SOMETHING_ELSE")))
    assert not (tmp_path / "builds" / traced_key(plain.artifact)).exists()


def test_trials_that_differ_only_at_run_time_share_a_build(tmp_path: Path) -> None:
    trials = [gpu_trial("cuda", block=128, rows=1), gpu_trial("cuda", block=128, rows=2), gpu_trial("cuda", block=64)]
    records = build(tmp_path, trials=trials)
    assert [(record.ok, record.cached) for record in records] == [(True, False)] * 2
    assert [record.cached for record in build(tmp_path, trials=trials)] == [True, True]


def test_everything_that_decides_the_cubin_decides_its_key(tmp_path: Path) -> None:
    builder, spec = open_builder("cuda", tmp_path, "gpu"), cuda_spec()
    own, trial = implementation_of(spec), gpu_trial("cuda", block=128)
    base = builder.key(spec, own, trial, H100)
    assert builder.key(cuda_spec(header=SCALE_CUH + "// more\n"), own, trial, H100) != base
    assert builder.key(spec, own, gpu_trial("cuda", block=64), H100) != base
    assert builder.key(spec, own, trial, Target(kind="gpu", architecture="sm_80")) != base
    assert builder.key(spec, replace(own, options=["--use_fast_math"]), trial, H100) != base


def test_keys_that_share_their_beginning_are_those_of_the_whole() -> None:
    key = content_keys("cuda", 3, {"b": 1, "a": "ü"})
    assert [key("x", [1]), key("y", [])] == [
        content_key("cuda", 3, {"a": "ü", "b": 1}, *more) for more in (("x", [1]), ("y", []))
    ]


def test_a_builder_that_is_given_another_spec_forgets_the_sources_of_the_one_before(tmp_path: Path) -> None:
    builder, trial = open_builder("cuda", tmp_path, "gpu"), gpu_trial("cuda", block=128)
    specs = [cuda_spec(), cuda_spec(header=SCALE_CUH + "// more\n"), cuda_spec()]
    first, other, again = (builder.key(spec, implementation_of(spec), trial, H100) for spec in specs)
    assert first == again != other


def test_a_compile_error_is_told_by_file_and_line(tmp_path: Path) -> None:
    (record,) = build(tmp_path, cuda_spec(SCALE_CU.replace("staged[threadIdx.x] =", "stagged[threadIdx.x] =")))
    assert not record.ok
    line = next(n for n, text in enumerate(SCALE_CU.splitlines(), 1) if "staged[threadIdx.x] =" in text)
    assert record.log.splitlines()[0] == f'scale.cu:{line}: identifier "stagged" is undefined'


def test_an_error_in_a_header_is_told_by_the_headers_name(tmp_path: Path) -> None:
    (record,) = build(tmp_path, cuda_spec(header=SCALE_CUH.replace("2.0f", "two")))
    assert record.log.startswith('scale.cuh:1: identifier "two" is undefined\n')


def test_a_variant_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    source = SCALE_CU.replace('#include "scale.cuh"', '#include "scale.cuh"\n#if BLOCK > 100\n#error too wide\n#endif')
    records = build(tmp_path, cuda_spec(source), trials=[gpu_trial("cuda", block=b) for b in (64, 128, 32)])
    assert [record.ok for record in records] == [True, False, True]
    assert "too wide" in records[1].log.splitlines()[0]


def test_too_much_static_shared_memory_is_the_variants_failure(tmp_path: Path) -> None:
    (record,) = build(tmp_path, trials=[gpu_trial("cuda", block=100_000)])
    assert not record.ok
    assert "shared" in record.log.splitlines()[0]
    assert "\0" not in record.log


def test_an_architecture_that_the_compiler_does_not_know_is_a_failure(tmp_path: Path) -> None:
    (record,) = build(tmp_path, target=Target(kind="gpu", architecture="sm_11"))
    assert not record.ok
    assert "sm_11" in record.log or "architecture" in record.log


def test_an_architecture_of_the_kernels_own_choice_wins(tmp_path: Path) -> None:
    spec = cuda_spec(SCALE_CU + "\n#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900\n#error not 900\n#endif\n")
    own = replace(implementation_of(spec), options=["-arch=sm_90a"])
    builder = open_builder("cuda", tmp_path, "gpu")
    target = Target(kind="gpu", architecture="sm_80")
    (record,) = builder.build(spec, own, [gpu_trial("cuda", block=128)], target)
    assert record.ok, record.log


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("tile_size", 32, "-DTILE_SIZE=32"),
        ("dtype", "float32", "-DDTYPE_FLOAT32=1"),
        ("layout", "row-major", "-DLAYOUT_ROW_MAJOR=1"),
        ("unroll", True, "-DUNROLL=1"),
        ("alpha", 0.5, "-DALPHA=0.5"),
    ],
)
def test_a_parameter_becomes_a_macro(name: str, value: int | str | float, option: str) -> None:  # noqa: PYI041
    assert macro(name, value) == option


def test_a_failure_without_a_located_error_is_told_by_its_first_error_line() -> None:
    assert explain("ptxas info\nptxas error   : Entry function uses too much shared data\n") == (
        "ptxas error   : Entry function uses too much shared data"
    )
    assert explain("") == "the CUDA compiler failed without a word"


def test_spills_are_told_of_the_kernel_that_spills() -> None:
    log = """ptxas info    : Compiling entry function 'merge' for 'sm_90'
ptxas info    : Function properties for merge
ptxas         .     256 bytes stack frame, 24 bytes spill stores, 40 bytes spill loads
ptxas info    : Compiling entry function 'score' for 'sm_90'
ptxas info    : Function properties for score
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
"""
    assert spills_by_kernel(log) == {"merge": 40, "score": 0}
    assert spills_by_kernel("") == {}
