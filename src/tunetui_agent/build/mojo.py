"""Builds Mojo CPU kernels into shared libraries: one exported C function per variant, linked by the lld that comes with Mojo."""

from __future__ import annotations

from pathlib import Path

from tunetui_agent.build import Target
from tunetui_agent.build.cache import ArtifactCache, content_key
from tunetui_agent.build.mojo_batches import (
    WRAPPER,
    MojoBatches,
    SourceFault,
    Variant,
    module_of,
    parameter_list,
    parameters_of,
    sources_of,
)  # fmt: skip
from tunetui_agent.build.mojo_toolchain import RUNTIME, Compiler, Run, find_toolchain, run_tool, stand_in_for_cc
from tunetui_agent.messages import Argument, BuildFinished, Implementation, KernelSpec, RunSpec, Toolchain, Trial

RECIPE = 1
"""Raised when the generated source or the link line changes: older artifacts are then built again."""

_ENTRY = "kernel_entry"

_POINTED = {
    "float32": "Float32", "float64": "Float64", "float16": "Float16", "int8": "Int8", "int16": "Int16", "int32": "Int32",
    "int64": "Int64", "uint8": "UInt8", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64", "bool": "Bool",
}  # fmt: skip
_SCALARS = {**{n: _POINTED[n] for n in ("float32", "float64", "int32", "uint32", "uint64")}, "int64": "Int"}


class MojoBuilder:
    """Shared libraries for CPU targets; see the module's docstring."""

    batch = 16

    def __init__(self, cache: Path) -> None:
        self._cache = ArtifactCache(cache)
        self._root, self._own_cache = cache, cache / "mojo"
        self._batches = MojoBatches(self)

    def toolchain(self) -> Toolchain:
        """The Mojo compiler with its runtime libraries, or what to install."""
        return find_toolchain(self._root)

    def folder(self, key: str) -> Path:
        """Where the artifact lies: ``artifact.json`` names the library and its exported symbol."""
        return self._cache.folder(key)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str:
        """Hash of the Mojo sources, entry, argument types, parameters, options, compiler and CPU."""
        launch = implementation.launches[0]
        types = [_declared(spec.kernel, name, trial) for name in launch.arguments]
        parameters = parameters_of(implementation, trial)
        what = [
            sources_of(spec, implementation),
            implementation.source,
            launch.entry,
            types,
            parameters,
            implementation.options,
        ]
        return content_key(
            "mojo-cpu", RECIPE, what, find_toolchain(self._root).version, target.kind, target.architecture
        )

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key, in order of first appearance."""
        finished = self._batches.build(spec, implementation, trials, target)
        self._cache.trim(keep={record.artifact for record in finished})
        return finished

    def is_there(self, spec: RunSpec, implementation: Implementation, key: str) -> bool:
        """Whether the library is in the cache."""
        return self._cache.find(key) is not None

    def variant(self, key: str, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> Variant:
        """The exported function that calls the kernel with this trial's parameters."""
        arguments = implementation.launches[0].arguments
        types = [_mojo_type(*_declared(spec.kernel, name, trial)) for name in arguments]
        signature = ", ".join(f"a{i}: {kind}" for i, kind in enumerate(types))
        names = ", ".join(f"a{i}" for i in range(len(types)))
        symbol = _symbol(key)
        return Variant(key, [
            "",
            f'@export("{symbol}")',
            f'def {symbol}({signature}) abi("C"):',
            f"    {_ENTRY}{parameter_list(implementation, trial)}({names})",
        ])  # fmt: skip

    def frame(self, spec: RunSpec, implementation: Implementation, keys: list[str]) -> tuple[list[str], list[str]]:
        """The kernel imported under a name of the generated source's own."""
        return [f"from {module_of(implementation)} import {implementation.launches[0].entry} as {_ENTRY}"], []

    def aliases(self, implementation: Implementation) -> dict[str, str]:
        """The entry's own name."""
        return {_ENTRY: implementation.launches[0].entry}

    def compile(self, implementation: Implementation, compiler: Compiler, folder: Path, timeout_seconds: float) -> Run:
        """To an object, then to a library."""
        command = [
            str(compiler.command), "build", "--emit", "object", "-j", "1", "-I", str(folder), *implementation.options,
            str(folder / WRAPPER), "-o", str(folder / "kernel.o"),
        ]  # fmt: skip
        stand_in_for_cc(folder)
        run = run_tool(command, compiler, self._own_cache, timeout_seconds, last_on_path=str(folder))
        if not run.ok:
            return run
        libraries = str(compiler.libraries)
        link = [
            str(compiler.linker), "-flavor", "gnu", "-shared", str(folder / "kernel.o"), "-o", str(folder / "kernel.so"),
            "-L", libraries, *(f"-l{name}" for name in RUNTIME), "-rpath", libraries,
        ]  # fmt: skip
        return run_tool(link, compiler, None, timeout_seconds)

    def store(self, implementation: Implementation, key: str, folder: Path) -> None:
        """The batch's library under this variant's key, with this variant's symbol."""
        self._cache.store(key, folder / "kernel.so", {"symbol": _symbol(key), "language": "mojo"})


def open_builder(cache: Path) -> MojoBuilder:
    """The builder for Mojo on CPUs."""
    return MojoBuilder(cache)


def _symbol(key: str) -> str:
    return f"tunetui_{key}"


def _declared(kernel: KernelSpec, name: str, trial: Trial) -> tuple[str, str, str]:
    """Name, role and dtype of an argument."""
    found: Argument | None = next((a for a in kernel.arguments if a.name == name), None)
    if found is None:
        return name, "missing", ""
    return name, found.role, trial.dtypes.get(name, found.dtype)


def _mojo_type(name: str, role: str, dtype: str) -> str:
    if role == "missing":
        raise SourceFault(f"argument {name!r} is not declared under [arguments]")
    kinds = _SCALARS if role == "scalar" else _POINTED
    if dtype not in kinds:
        raise SourceFault(f"argument {name!r}: a {role} of dtype {dtype!r} cannot be passed to Mojo")
    return kinds[dtype] if role == "scalar" else f"Pointer[{kinds[dtype]}, MutUntrackedOrigin]"
