from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.damaging import store_damaged
from tests.agent.gpu_sources import (
    SCALE_MOJO,
    gpu_trial,
    implementation_of,
    mojo_spec,
    needs_mojo,
)
from tunetui_agent.build import Target, open_builder
from tunetui_agent.build.cache import META
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.build.mojo_batches import Variant, _named
from tunetui_agent.build.mojo_gpu import entry_point, is_traced
from tunetui_agent.build.mojo_toolchain import instantiation_failures
from tunetui_agent.messages import BuildFinished, RunSpec, Trial

H100 = Target(kind="gpu", architecture="sm_90")
A100 = Target(kind="gpu", architecture="sm_80")


def build(cache: Path, spec: RunSpec, target: Target, *blocks: int) -> list[BuildFinished]:
    trials = [gpu_trial("mojo", block=block, layout="row") for block in blocks]
    return open_builder("mojo", cache, "gpu").build(spec, implementation_of(spec), trials, target)


def meta_of(cache: Path, key: str) -> dict[str, Any]:
    return dict(json.loads((cache / "builds" / key / META).read_text()))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[BuildFinished]]:
    """A cache with two variants for an H100, of which it had one, damaged; the front end alone takes seconds."""
    cache, spec = tmp_path_factory.mktemp("built"), mojo_spec()
    trial = gpu_trial("mojo", block=64, layout="row")
    store_damaged(cache, str(open_builder("mojo", cache, "gpu").key(spec, implementation_of(spec), trial, H100)))
    return cache, build(cache, spec, H100, 64, 128)


@needs_mojo
def test_every_entry_becomes_ptx_for_the_architecture_with_a_traced_twin(
    built: tuple[Path, list[BuildFinished]],
) -> None:
    cache, records = built
    assert [(record.ok, record.cached) for record in records] == [(True, False)] * 2
    for record in records:
        for key, parameters in ((record.artifact, 3), (traced_key(record.artifact), 4)):
            meta = meta_of(cache, key)
            assert list(meta["kernels"]) == ["scale", "finish"]
            ptx = (cache / "builds" / key / meta["files"]["scale"]).read_text()
            assert re.search(r"^\.target sm_90a?$", ptx, re.MULTILINE)  # the other architectures: tests/kernels
            assert meta["kernels"]["scale"] == entry_point(ptx)
            assert len(set(re.findall(r"_param_(\d+)[,\n]", ptx))) == parameters
            finish = (cache / "builds" / key / meta["files"]["finish"]).read_text()
            assert meta["kernels"]["finish"] == entry_point(finish) != meta["kernels"]["scale"]


@needs_mojo
def test_what_is_built_is_found_again_and_what_is_damaged_built_anew(built: tuple[Path, list[BuildFinished]]) -> None:
    cache, (first, second) = built
    assert (first.cached, second.cached) == (False, False), "the first was there, damaged"
    meta = meta_of(cache, first.artifact)
    assert all(entry_point((cache / "builds" / first.artifact / name).read_text()) for name in meta["files"].values())
    assert [record.cached for record in build(cache, mojo_spec(), H100, 64, 128)] == [True, True]


@needs_mojo
def test_variants_that_the_compiler_names_cost_only_themselves_and_need_no_twin(tmp_path: Path) -> None:
    """So many parameters that it repeats the first few alone, and the first two differ in another."""
    more = [f"p{number}" for number in range(6)]
    declared = ", ".join(f"{name}: Int" for name in more)
    source = SCALE_MOJO.replace("finish_traced", "finish_watched")
    source = source.replace("block: Int, layout", f"block: Int, {declared}, layout")
    source = source.replace("[block, layout]", f"[block, {', '.join(more)}, layout]")
    spec = mojo_spec(source)
    own = replace(implementation_of(spec), parameters=["block", *more, "layout"])
    known = dict.fromkeys(more, 1)
    wanted = [(64, "row"), (64, "column"), (48, "row"), (40, "row")]
    trials = [gpu_trial("mojo", block=block, layout=layout, **known) for block, layout in wanted]
    records = open_builder("mojo", tmp_path, "gpu").build(spec, own, trials, A100)
    assert [record.ok for record in records] == [True, True, False, False]
    line = next(n for n, text in enumerate(source.splitlines(), 1) if "comptime assert" in text)
    for record, (block, _) in zip(records[2:], wanted[2:], strict=True):
        assert record.log.startswith(f"scale.mojo:{line}: constraint failed: block must be a multiple of 32\n")
        assert f'"block": {block}' in record.log
    assert not (tmp_path / "builds" / traced_key(records[0].artifact)).exists()


def test_values_cut_short_that_mean_two_variants_name_none() -> None:
    spec = mojo_spec()
    variants = [Variant(layout, [], ("40", "1", f'"{layout}"')) for layout in ("row", "column")]
    line = next(n for n, text in enumerate(SCALE_MOJO.splitlines(), 1) if text.startswith("def scale["))
    said = f"scale.mojo:{line}:5: error: function instantiation failed\nscale.mojo:{line}:5: note: "
    said += 'call expansion failed with parameter value(s): ("block": 40, "p0": 1)\n'
    assert _named(spec, implementation_of(spec), variants, said) == {}
    assert list(_named(spec, implementation_of(spec), variants[:1], said)) == ["row"]


@needs_mojo
def test_a_source_error_is_told_by_file_and_line(tmp_path: Path) -> None:
    spec = mojo_spec(SCALE_MOJO.replace("var i = block_idx", "var i == block_idx"))
    records = build(tmp_path, spec, A100, 64, 128)
    assert [record.ok for record in records] == [False, False]
    line = next(n for n, text in enumerate(SCALE_MOJO.splitlines(), 1) if "var i =" in text)
    assert records[0].log.startswith(f"scale.mojo:{line}: ")


@needs_mojo
def test_an_entry_that_the_source_lacks_is_told_by_its_own_name(tmp_path: Path) -> None:
    spec = mojo_spec(SCALE_MOJO.replace("def finish[", "def finnish["))
    (record,) = build(tmp_path, spec, A100, 64)
    assert not record.ok
    assert "finish" in record.log.splitlines()[0]


@needs_mojo
def test_everything_that_decides_the_ptx_decides_its_key(tmp_path: Path) -> None:
    builder, spec = open_builder("mojo", tmp_path, "gpu"), mojo_spec()
    own = implementation_of(spec)

    def trial(block: int = 64, layout: str = "row", rows: int = 1) -> Trial:
        return gpu_trial("mojo", block=block, layout=layout, rows=rows)

    base = builder.key(spec, own, trial(), A100)
    assert builder.key(spec, own, trial(rows=2), A100) == base
    others = [
        builder.key(spec, own, trial(block=128), A100),
        builder.key(spec, own, trial(layout="column"), A100),
        builder.key(spec, own, trial(), H100),
        builder.key(spec, replace(own, options=["-O1"]), trial(), A100),
        builder.key(mojo_spec(SCALE_MOJO + "\n"), own, trial(), A100),
    ]
    assert len({base, *others}) == len(others) + 1


@pytest.mark.parametrize("architecture", ["sm_90'; rm", "x86_64", ""])
def test_what_is_no_gpu_architecture_reaches_no_source(tmp_path: Path, architecture: str) -> None:
    (record,) = build(tmp_path, mojo_spec(), Target(kind="gpu", architecture=architecture), 64)
    assert not record.ok
    assert "is no NVIDIA architecture" in record.log


def test_a_twin_of_every_entry_is_needed() -> None:
    spec = mojo_spec()
    assert is_traced(spec, implementation_of(spec))
    partly = mojo_spec(SCALE_MOJO.replace("def finish_traced", "def finish_tracked"))
    assert not is_traced(partly, implementation_of(partly))


def test_a_twin_that_nobody_wants_is_not_built() -> None:
    spec = mojo_spec()
    plain = replace(spec, method=replace(spec.method, occupancy="theoretical"))
    assert not is_traced(plain, implementation_of(plain))


def test_ptx_with_two_kernels_or_none_is_refused() -> None:
    one = ".visible .entry scale_1a2b(\n"
    assert entry_point(one) == "scale_1a2b"
    for text in ("", one + ".entry other("):
        with pytest.raises(ValueError, match="kernels where one was expected"):
            entry_point(text)


def test_a_failed_function_is_known_by_its_parameter_values() -> None:
    text = (
        "v.mojo:1:1: error: failed to run the pass manager for offload functions\n"
        "k.mojo:8:5: error: function instantiation failed\n"
        'k.mojo:8:5: note: call expansion failed with parameter value(s): ("a": 32, "b": "x, y", "c": 0.5)\n'
        "k.mojo:9:5: note: constraint failed: too wide\n"
        "k.mojo:8:5: error: function instantiation failed\n"
        'k.mojo:8:5: note: call expansion failed with parameter value(s): ("a": 64, "b": "z", "c": 1.0)\n'
    )
    found = instantiation_failures(text)
    assert [(line, values) for line, values, _ in found] == [
        (8, ("32", '"x, y"', "0.5")),
        (8, ("64", '"z"', "1.0")),
    ]
    assert "too wide" in found[0][2]
    assert "too wide" not in found[1][2]
