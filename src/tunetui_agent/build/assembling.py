"""Assembles a builder's PTX to a cubin among the builders, so that the device does not wait while the driver does it.

The driver takes 0.1 to 0.4 s to load a module of PTX, and keeps the device idle meanwhile.  The cubin lies beside the PTX
artifact under `assembled_key`; where there is no assembler, it refuses the PTX, or the driver does not take the cubin,
the PTX is loaded.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.build.cache import ArtifactCache
from tunetui_agent.build.cuda import spills_by_kernel, traced_key
from tunetui_agent.build.nvjitlink import NvJitLink, NvJitLinkError, find_nvjitlink
from tunetui_agent.build.prebuilt import PrebuiltBuilder

if TYPE_CHECKING:
    from tunetui_agent.build import Builder, Target
    from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial

LANGUAGES_OF_PTX = frozenset({"mojo"})
_THREADS = 4


def assembled_key(key: str) -> str:
    """The key of the cubin that belongs to an artifact of PTX."""
    return f"{key}-cubin"


class AssemblingBuilder:
    """Another builder, whose PTX is assembled before it is called finished."""

    def __init__(self, builder: Builder, cache: Path, assembler: NvJitLink) -> None:
        self._builder, self._assembler = builder, assembler
        self._cache = ArtifactCache(cache)
        # What was built elsewhere is here at once: then every builder may assemble one.
        self.batch = 1 if isinstance(builder, PrebuiltBuilder) else builder.batch

    def toolchain(self) -> Toolchain:
        """The compiler, and who assembles what it makes."""
        return replace(self._builder.toolchain(), assembler=self._assembler.name)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str | None:
        """The inner builder's."""
        return self._builder.key(spec, implementation, trial, target)

    def folder(self, key: str) -> Path:
        """The inner builder's."""
        return self._builder.folder(key)

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """The inner builder's records; the time of assembling is in their seconds."""
        from concurrent.futures import ThreadPoolExecutor  # a tenth of what a builder's start takes

        finished = self._builder.build(spec, implementation, trials, target)
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
            seconds = dict(threads.map(self._with_twin, [each.artifact for each in finished if each.ok]))
        return [replace(each, seconds=each.seconds + seconds.get(each.artifact, 0.0)) for each in finished]

    def _with_twin(self, key: str) -> tuple[str, float]:
        begun = time.perf_counter()
        for each in (traced_key(key), key):
            self._assemble(each)
        return key, time.perf_counter() - begun

    def _assemble(self, key: str) -> None:
        meta = self._cache.find(key)
        there = self._cache.find(assembled_key(key))
        if meta is None or (there is not None and there.get("assembler") == self._assembler.name):
            return
        folder, kernels = self._cache.folder(key), meta["kernels"]
        files: dict[str, str] = meta.get("files") or dict.fromkeys(kernels, meta["file"])
        fields: dict[str, Any] = {
            "kernels": kernels,
            "language": meta.get("language"),
            "assembler": self._assembler.name,
        }
        try:
            made = {name: self._assembler.assemble((folder / name).read_bytes()) for name in set(files.values())}
            fields["spill_bytes"] = {k: n for one in made.values() for k, n in spills_by_kernel(one.log).items()}
            fields["files"] = {entry: f"{name}.cubin" for entry, name in files.items()}
            with tempfile.TemporaryDirectory(prefix="tunetui-cubin-") as room:
                paths = [Path(room, f"{name}.cubin") for name in made]
                for path, one in zip(paths, made.values(), strict=True):
                    path.write_bytes(one.cubin)
                self._cache.store(assembled_key(key), paths[0], fields, paths[1:])
        except (NvJitLinkError, OSError):  # the driver assembles the PTX instead, and says it if it is wrong
            return


def with_assembler(builder: Builder, language: str, kind: str, cache: Path) -> Builder:
    """The builder, assembling what it makes where that is PTX and this host has what it takes."""
    assembler = _assembler() if kind == "gpu" and language in LANGUAGES_OF_PTX else None
    return AssemblingBuilder(builder, cache, assembler) if assembler else builder


def assembler_of(language: str, kind: str) -> str:
    """The assembler and its version; empty where nothing is assembled before it is loaded."""
    assembler = _assembler() if kind == "gpu" and language in LANGUAGES_OF_PTX else None
    return assembler.name if assembler else ""


@lru_cache(maxsize=1)
def _assembler() -> NvJitLink | None:
    return find_nvjitlink()
