"""Builds Mojo CPU kernels into shared libraries, many variants in one compiler process.

The compiler's front end costs seconds and a variant tenths of one, so a batch becomes one generated source with one exported C
function per variant, which calls the kernel's parametric function with that variant's compile-time parameters.  A batch that fails is taken
apart, so that a bad variant costs itself alone.  The object is linked by the lld that comes with Mojo.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tunetui_agent.build import Target
from tunetui_agent.build.cache import ArtifactCache, content_key
from tunetui_agent.build.mojo_toolchain import (
    INSTALL,
    RUNTIME,
    Compiler,
    Run,
    blamed_lines,
    explain,
    find_compiler,
    find_toolchain,
    is_source_error,
    run_tool,
    stand_in_for_cc,
)  # fmt: skip
from tunetui_agent.messages import Argument, BuildFinished, Implementation, KernelSpec, RunSpec, Toolchain, Trial, Value

RECIPE = 1
"""Raised when the generated source or the link line changes: older artifacts are then built again."""

WRAPPER = "variants.mojo"

_POINTED = {
    "float32": "Float32", "float64": "Float64", "float16": "Float16", "int8": "Int8", "int16": "Int16", "int32": "Int32",
    "int64": "Int64", "uint8": "UInt8", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64", "bool": "Bool",
}  # fmt: skip
_SCALARS = {**{n: _POINTED[n] for n in ("float32", "float64", "int32", "uint32", "uint64")}, "int64": "Int"}


class SourceFault(ValueError):
    """The kernel's description cannot be turned into Mojo; the message says what and where."""


@dataclass(frozen=True)
class Variant:
    """One artifact to be: its key, and the two lines that make it."""

    key: str
    signature: str
    parameters: str

    @property
    def symbol(self) -> str:
        """The exported C name."""
        return f"tunetui_{self.key}"


class MojoBuilder:
    """Shared libraries for CPU targets; see the module's docstring."""

    batch = 16

    def __init__(self, cache: Path) -> None:
        self._cache = ArtifactCache(cache)
        self._own_cache = cache / "mojo"

    def toolchain(self) -> Toolchain:
        """The Mojo compiler with its runtime libraries, or what to install."""
        return find_toolchain()

    def folder(self, key: str) -> Path:
        """Where the artifact lies: ``artifact.json`` names the library and its exported symbol."""
        return self._cache.folder(key)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str:
        """Hash of all Mojo sources, entry, argument types, parameters, options, compiler and CPU."""
        sources = {name: text for name, text in spec.kernel.files.items() if name.endswith(".mojo")}
        launch = implementation.launches[0]
        types = [_declared(spec.kernel, name, trial) for name in launch.arguments]
        parameters = {name: _known(trial, name) for name in implementation.parameters}
        what = [sources, implementation.source, launch.entry, types, parameters, implementation.options]
        return content_key("mojo-cpu", RECIPE, what, find_toolchain().version, target.kind, target.architecture)

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key; the seconds of a batch are shared equally by what it built."""
        finished: dict[str, BuildFinished] = {}
        todo: list[Variant] = []
        keys = [self.key(spec, implementation, trial, target) for trial in trials]
        for key, trial in zip(keys, trials, strict=True):
            if key in finished or any(variant.key == key for variant in todo):
                continue
            begun = time.perf_counter()
            if self._cache.find(key) is not None:
                finished[key] = _done(implementation, key, time.perf_counter() - begun, cached=True)
                continue
            try:
                todo.append(_variant(key, spec.kernel, implementation, trial))
            except SourceFault as fault:
                finished[key] = _failed(implementation, key, 0.0, str(fault))
        for record in self._compile(spec, implementation, todo):
            finished[record.artifact] = record
        self._cache.trim(keep=set(keys))
        return [finished[key] for key in dict.fromkeys(keys)]

    def _compile(self, spec: RunSpec, implementation: Implementation, todo: list[Variant]) -> list[BuildFinished]:
        """Builds a batch; on failure the variants that the compiler blames go alone, the others in halves."""
        if not todo:
            return []
        compiler = find_compiler()
        if compiler is None:
            return [_failed(implementation, v.key, 0.0, f"no Mojo compiler; {INSTALL}") for v in todo]
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="tunetui-mojo-") as folder:
            run, lines = self._run(spec, implementation, todo, compiler, Path(folder))
            share = (time.perf_counter() - begun) / len(todo)
            if run.ok:
                return [self._store(implementation, v, Path(folder) / "kernel.so", share) for v in todo]
        text = run.text.replace(folder + "/", "").replace("kernel_entry", implementation.launches[0].entry)
        suspects = [v for v in todo if lines[v.key] & blamed_lines(text, WRAPPER)]
        if len(todo) == 1 or (is_source_error(text) and not suspects):
            return [_failed(implementation, v.key, share, text) for v in todo]
        others = [v for v in todo if v not in suspects]
        if len(suspects) == 1:
            failed = [_failed(implementation, suspects[0].key, share, text)]
            return failed + self._compile(spec, implementation, others)
        half = len(others) // 2 if not suspects else len(others)
        parts = [[v] for v in suspects] + [others[:half], others[half:]]
        return [record for part in parts for record in self._compile(spec, implementation, part)]

    def _run(
        self, spec: RunSpec, implementation: Implementation, todo: list[Variant], compiler: Compiler, folder: Path
    ) -> tuple[Run, dict[str, set[int]]]:
        """Compiles and links in ``folder``; also returns which lines of the generated source belong to which key."""
        for name, text in spec.kernel.files.items():
            if name.endswith(".mojo") and Path(name).name == name:
                (folder / name).write_text(text)
        source, lines = wrapper_source(implementation, todo)
        (folder / WRAPPER).write_text(source)
        timeout = spec.method.build_timeout_seconds
        command = [
            str(compiler.command), "build", "--emit", "object", "-j", "1", "-I", str(folder), *implementation.options,
            str(folder / WRAPPER), "-o", str(folder / "kernel.o"),
        ]  # fmt: skip
        stand_in_for_cc(folder)
        run = run_tool(command, compiler, self._own_cache, timeout, last_on_path=str(folder))
        if not run.ok:
            return run, lines
        libraries = str(compiler.libraries)
        link = [
            str(compiler.linker), "-flavor", "gnu", "-shared", str(folder / "kernel.o"), "-o", str(folder / "kernel.so"),
            "-L", libraries, *(f"-l{name}" for name in RUNTIME), "-rpath", libraries,
        ]  # fmt: skip
        return run_tool(link, compiler, None, timeout), lines

    def _store(self, implementation: Implementation, variant: Variant, library: Path, share: float) -> BuildFinished:
        try:
            self._cache.store(variant.key, library, {"symbol": variant.symbol, "language": "mojo"})
        except OSError as error:
            return _failed(implementation, variant.key, share, f"the artifact could not be kept: {error}")
        return _done(implementation, variant.key, share, cached=False)


def open_builder(cache: Path) -> MojoBuilder:
    """The builder for Mojo on CPUs."""
    return MojoBuilder(cache)


def wrapper_source(implementation: Implementation, variants: list[Variant]) -> tuple[str, dict[str, set[int]]]:
    """The generated source, and the line numbers of each key's function in it."""
    module = Path(implementation.source).stem
    if not module.isidentifier() or implementation.source != f"{module}.mojo":
        raise SourceFault(f"source {implementation.source!r} must be one Mojo file named like a module")
    text = [f"from {module} import {implementation.launches[0].entry} as kernel_entry"]
    lines: dict[str, set[int]] = {}
    for variant in variants:
        names = ", ".join(f"a{i}" for i in range(variant.signature.count(":")))
        first = len(text) + 1
        text += [
            "",
            f'@export("{variant.symbol}")',
            f'def {variant.symbol}({variant.signature}) abi("C"):',
            f"    kernel_entry[{variant.parameters}]({names})" if variant.parameters else f"    kernel_entry({names})",
        ]
        lines[variant.key] = set(range(first, len(text) + 1))
    return "\n".join(text) + "\n", lines


def literal(value: Value) -> str:
    """A Mojo literal of an axis or problem value."""
    if isinstance(value, str):
        return json.dumps(value)
    return str(value)


def _variant(key: str, kernel: KernelSpec, implementation: Implementation, trial: Trial) -> Variant:
    launch = implementation.launches[0]
    if not launch.entry.isidentifier():
        raise SourceFault(f"entry {launch.entry!r} is no Mojo name")
    types = [_mojo_type(*_declared(kernel, name, trial)) for name in launch.arguments]
    signature = ", ".join(f"a{i}: {kind}" for i, kind in enumerate(types))
    return Variant(key, signature, ", ".join(literal(_known(trial, name)) for name in implementation.parameters))


def _declared(kernel: KernelSpec, name: str, trial: Trial) -> tuple[str, str, str]:
    """Name, role and dtype of an argument."""
    found: Argument | None = next((a for a in kernel.arguments if a.name == name), None)
    if found is None:
        return name, "missing", ""
    return name, found.role, trial.dtypes.get(name, found.dtype)


def _known(trial: Trial, name: str) -> Value:
    """The value of an axis or problem field; an unknown name becomes an error of the Mojo compiler, in its place."""
    return trial.configuration.get(name, trial.problem.get(name, name))


def _mojo_type(name: str, role: str, dtype: str) -> str:
    if role == "missing":
        raise SourceFault(f"argument {name!r} is not declared under [arguments]")
    kinds = _SCALARS if role == "scalar" else _POINTED
    if dtype not in kinds:
        raise SourceFault(f"argument {name!r}: a {role} of dtype {dtype!r} cannot be passed to Mojo")
    return kinds[dtype] if role == "scalar" else f"Pointer[{kinds[dtype]}, MutUntrackedOrigin]"


def _done(implementation: Implementation, key: str, seconds: float, *, cached: bool) -> BuildFinished:
    return BuildFinished(implementation=implementation.name, artifact=key, ok=True, seconds=seconds, cached=cached)


def _failed(implementation: Implementation, key: str, seconds: float, text: str) -> BuildFinished:
    log = f"{explain(text)}\n{text}"
    return BuildFinished(
        implementation=implementation.name, artifact=key, ok=False, seconds=seconds, cached=False, log=log
    )
