"""Every variant of every shipped kernel's GPU implementations builds and fits, for four architectures, without a GPU.

By default a selection is built in which every build-time value and architecture (of Mojo's two) occurs, and every two of dtype and number of
queries, which decide which code is generated at all, with traced twins on all architectures but the first; ``pytest -m full tests/kernels/test_gpu_variants.py`` builds all of them (some hours on 2 cores).
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.gpu_sources import ARCHITECTURES, needs_mojo, needs_nvrtc
from tests.kernels.ptx_assembler import assemble
from tunetui.core.decoding import decode_grid
from tunetui.core.definitions import ImplementationDefinition, Kernel
from tunetui.core.matching import resolve_grid
from tunetui.core.planning import make_plan
from tunetui.store.definitions import load_kernel
from tunetui_agent.build import Target, open_builder
from tunetui_agent.build.cubin import KernelResources, read_resources
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.devices.gpu_loading import limits_of
from tunetui_agent.devices.occupancy import blocks_allowed
from tunetui_agent.messages import (
    Device,
    Implementation,
    KernelSpec,
    Launch,
    Method,
    RunSpec,
    Toolchain,
    Trial,
    Value,
)

KERNELS = Path(__file__).resolve().parents[2] / "kernels"
JOBS = os.cpu_count() or 1

SWEPT: dict[str, dict[str, list[Value]]] = {
    "semantic-search": {"queries": [1, 10, 100, 1000], "corpus_size": [50_000]},
}
"""Problems beside the defaults; a text field with choices is always swept."""

DECISIVE = ("dtype", "queries")
MOST_SPILLED_BYTES = 160
"""Per thread: what a shipped variant may spill where its launch bound rations registers (140 bytes on sm_86, one query, is the most
today).  The traced twin may spill more: where it does, its figure is n/a.  Mojo's PTX is assembled here by another assembler than
the driver's."""

_PER_MULTIPROCESSOR = {
    "sm_80": (2048, 32, 164),
    "sm_86": (1536, 16, 100),
    "sm_89": (1536, 24, 100),
    "sm_90": (2048, 32, 228),
}
_MULTIPROCESSORS = {"sm_80": 108, "sm_86": 72, "sm_89": 58, "sm_90": 132}
_L2_MIB = {"sm_80": 40, "sm_86": 6, "sm_89": 48, "sm_90": 50}


def device_of(architecture: str) -> Device:
    """An A100, A10, L4 or H100 as the driver describes it (Programming Guide 13.0, "Technical Specifications")."""
    threads, blocks, shared_kib = _PER_MULTIPROCESSOR[architecture]
    attributes = {
        "compute_capability": int(architecture.removeprefix("sm_")),
        "multiprocessors": _MULTIPROCESSORS[architecture],
        "warp_size": 32,
        "max_threads_per_block": 1024,
        "max_threads_per_multiprocessor": threads,
        "max_blocks_per_multiprocessor": blocks,
        "registers_per_multiprocessor": 65536,
        "shared_memory_per_multiprocessor_bytes": shared_kib << 10,
        "shared_memory_per_block_bytes": (shared_kib - 1) << 10,
        "reserved_shared_memory_per_block_bytes": 1024,
        "l2_bytes": _L2_MIB[architecture] << 20,
        "memory_bytes": 24 << 30,
    }
    return Device(id="GPU-0", kind="gpu", name=architecture, attributes=attributes)


@dataclass(frozen=True)
class Variant:
    """One trial whose build parameters no other of its architecture has."""

    architecture: str
    trial: Trial
    parameters: tuple[tuple[str, Value], ...]


def gpu_implementations() -> Iterator[tuple[Kernel, str, ImplementationDefinition]]:
    for folder in sorted(KERNELS.iterdir()):
        kernel = load_kernel(folder)
        for name, kinds in kernel.implementations.items():
            if "gpu" in kinds and kinds["gpu"].language != "python":
                yield kernel, name, kinds["gpu"]


def cases() -> list[Any]:
    marks = {"cuda": needs_nvrtc, "mojo": needs_mojo}
    return [
        pytest.param(kernel, name, own, id=f"{kernel.name}-{name}", marks=marks[own.language])
        for kernel, name, own in gpu_implementations()
    ]


def variants_of(
    kernel: Kernel, name: str, own: ImplementationDefinition, architectures: list[str] | None = None
) -> list[Variant]:
    """What a sweep over all axes and problems would build, per architecture, as the app itself plans it."""
    swept = {**{f: list(p.choices) for f, p in kernel.problem.items() if p.choices}, **SWEPT.get(kernel.name, {})}
    problem = "\n".join(f"{field} = {json.dumps(values)}" for field, values in swept.items())
    text = f'name = "all"\nkernel = "k"\ndevice = "gpu"\nimplementations = ["{name}"]\nbaselines = false\n'
    grid = resolve_grid(decode_grid(f"{text}[problem]\n{problem}\n", "all.toml"), kernel)
    found: dict[tuple[Any, ...], Variant] = {}
    for architecture in ARCHITECTURES if architectures is None else architectures:
        toolchain = Toolchain(language=own.language, available=True)
        for trial in make_plan(grid, kernel, device_of(architecture), [toolchain]).trials:
            known = {**trial.problem, **trial.configuration}
            parameters = tuple((each, known[each]) for each in own.parameters)
            found.setdefault((architecture, parameters), Variant(architecture, trial, parameters))
    return list(found.values())


def covering(variants: list[Variant]) -> list[Variant]:
    """A selection with every value, and every pair of values of `DECISIVE`; largest gain first among a few candidates."""

    def pairs(variant: Variant) -> set[tuple[Any, ...]]:
        values = (("architecture", variant.architecture), *variant.parameters)
        decisive = [value for value in values if value[0] in DECISIVE]
        return {(value,) for value in values} | set(itertools.combinations(decisive, 2))

    left = {pair for variant in variants for pair in pairs(variant)}
    chosen, step = [], 0
    while left:
        some = next(pair for pair in sorted(left, key=repr))
        having = [variant for variant in variants if some in pairs(variant)]
        best = max(having[step % 7 :: 7] or having, key=lambda variant: len(pairs(variant) & left))
        chosen.append(best)
        left -= pairs(best)
        step += 1
    return chosen


def spec_of(kernel: Kernel, name: str, own: ImplementationDefinition) -> RunSpec:
    implementation = Implementation(
        name=name, language=own.language, source=own.source, parameters=own.parameters, options=own.options,
        launches=[Launch(entry=launch.entry, arguments=launch.arguments) for launch in own.launches],
    )  # fmt: skip
    spec = KernelSpec(
        name=kernel.name, reference=kernel.reference, files=dict(kernel.files), arguments=[],
        implementations=[implementation],
    )  # fmt: skip
    return RunSpec(protocol=1, run="all", device="GPU-0", kernel=spec, method=Method(build_timeout_seconds=1800))


def mistakes_of(cache: Path, spec: RunSpec, variants: list[Variant]) -> list[str]:
    """Builds some variants of one architecture and says what is wrong with them; runs in a process of its own."""
    (own,) = spec.kernel.implementations
    architecture = variants[0].architecture
    target = Target(kind="gpu", architecture=architecture)
    builder = open_builder(own.language, cache, "gpu")
    trials = [variant.trial for variant in variants]
    keys = [builder.key(spec, own, trial, target) for trial in trials]
    records = {record.artifact: record for record in builder.build(spec, own, trials, target)}
    said = []
    for variant, key in zip(variants, keys, strict=True):
        label = f"{architecture} {dict(variant.parameters)}"
        record = records[str(key)]
        if not record.ok:
            said.append(f"{label}: {record.log.splitlines()[0]}")
            continue
        twins = [(True, traced_key(str(key)))] if spec.method.occupancy == "traced" else []
        for twin, part in [(False, str(key)), *twins]:
            wrong = _misfits(builder.folder(part), variant, twin=twin)
            said += [f"{label}{', traced' if twin else ''}: {each}" for each in wrong]
    return said


def _misfits(folder: Path, variant: Variant, *, twin: bool) -> Iterator[str]:
    if not folder.exists():
        yield "was not built"
        return
    attributes = device_of(variant.architecture).attributes
    for (entry, resources, spilled), geometry in zip(_resources(folder, variant), variant.trial.geometry, strict=True):
        threads = geometry.block[0] * (geometry.block[1:] or [1])[0]
        own = max(0, resources.static_shared_bytes - (1024 if variant.architecture >= "sm_90" else 0))
        shared = own + geometry.shared_bytes
        if not 0 < resources.registers <= 255:
            yield f"{entry} uses {resources.registers} registers"
        if not twin and spilled > MOST_SPILLED_BYTES:
            yield f"{entry} spills {spilled} bytes, with {resources.registers} registers"
        if shared > attributes["shared_memory_per_block_bytes"] or threads > attributes["max_threads_per_block"]:
            yield f"{entry} asks for {threads} threads and {shared} bytes of shared memory"
        warps = -(-threads // 32)
        fits = blocks_allowed(limits_of(attributes), warps=warps, registers=resources.registers, shared_bytes=shared)
        if min(fits.values()) < 1:
            yield f"{entry} fits no multiprocessor: {fits}"


def _resources(folder: Path, variant: Variant) -> Iterator[tuple[str, KernelResources, int]]:
    meta = json.loads((folder / "artifact.json").read_text())
    for entry, symbol in meta["kernels"].items():
        if meta["language"] == "cuda":
            yield entry, read_resources((folder / meta["file"]).read_bytes())[symbol], meta["spill_bytes"][symbol]
        else:
            ptx = (folder / meta["files"][entry]).read_text()
            cubin, spilled = assemble(ptx, "sm_90a" if ".target sm_90a" in ptx else variant.architecture)
            yield entry, read_resources(cubin)[symbol], spilled


def check(
    cache: Path, kernel: Kernel, name: str, own: ImplementationDefinition, variants: list[Variant], plain: str = ""
) -> None:
    """Nothing is wrong with any variant; those of the architecture ``plain`` have no traced twins."""
    spec = spec_of(kernel, name, own)
    untraced = replace(spec, method=replace(spec.method, occupancy="theoretical"))
    batch = open_builder(own.language, cache, "gpu").batch
    parts = [
        list(part)
        for architecture in ARCHITECTURES
        for part in _batches([v for v in variants if v.architecture == architecture], batch)
    ]
    # Spawned, not forked: pytest has threads, and a compiler library loaded before a fork is not to be trusted.
    with ProcessPoolExecutor(JOBS, mp_context=multiprocessing.get_context("spawn")) as pool:
        specs = [untraced if part[0].architecture == plain else spec for part in parts]
        said = pool.map(mistakes_of, itertools.repeat(cache), specs, parts)
        wrong = [each for part in said for each in part]
    assert not wrong, f"{len(wrong)} mistakes in {len(variants)} variants:\n" + "\n".join(wrong)


def _batches(variants: list[Variant], size: int) -> Iterator[list[Variant]]:
    for start in range(0, len(variants), size):
        yield variants[start : start + size]


def test_the_search_is_there_in_both_languages() -> None:
    found = {(kernel.name, own.language) for kernel, _, own in gpu_implementations()}
    assert {("semantic-search", "cuda"), ("semantic-search", "mojo")} <= found


@pytest.mark.parametrize(("kernel", "name", "own"), cases())
def test_every_value_and_every_kind_of_code_builds_and_fits_on_some_architecture(
    kernel: Kernel, name: str, own: ImplementationDefinition, tmp_path: Path
) -> None:
    # Mojo's front end takes seconds for each architecture: the oldest and the newest stand for those between.
    architectures = ARCHITECTURES[:: len(ARCHITECTURES) - 1] if own.language == "mojo" else ARCHITECTURES
    chosen = covering(variants_of(kernel, name, own, architectures))
    assert {v.architecture for v in chosen} == set(architectures)
    check(tmp_path, kernel, name, own, chosen, plain=ARCHITECTURES[0])


@pytest.mark.full
@pytest.mark.parametrize(("kernel", "name", "own"), cases())
def test_every_variant_builds_and_fits_on_every_architecture(
    kernel: Kernel, name: str, own: ImplementationDefinition, tmp_path: Path
) -> None:
    check(tmp_path, kernel, name, own, variants_of(kernel, name, own))
