"""Builds many variants of a Mojo kernel in one compiler process, and takes a batch that fails apart.

The compiler's front end costs seconds and a variant tenths of one, so a batch becomes one generated source with one function per
variant.  Where it fails, the variants that the compiler names are done with, those that it points at go alone, and the others go in
halves: a bad variant costs itself alone.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunetui_agent.build import Target
from tunetui_agent.build.mojo_toolchain import (
    INSTALL,
    Compiler,
    Run,
    blamed_lines,
    explain,
    find_compiler,
    instantiation_failures,
    is_source_error,
)  # fmt: skip
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Trial, Value

WRAPPER = "variants.mojo"

_IMPORT = re.compile(r"^\s*(?:from|import)\s+\.?(\w+)", re.MULTILINE)


class SourceFault(ValueError):
    """The kernel's description cannot be turned into Mojo; the message says what and where."""


@dataclass(frozen=True)
class Variant:
    """One artifact to be: its key, and the lines of generated source that make it."""

    key: str
    lines: list[str]
    values: tuple[str, ...] = ()  # of the compile-time parameters, as the compiler would repeat them


class Product(Protocol):
    """What a batch is made into: libraries for a CPU, PTX for a GPU."""

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str:
        """The artifact's name."""

    def is_there(self, spec: RunSpec, implementation: Implementation, key: str) -> bool:
        """Whether nothing of this artifact is left to be built."""

    def variant(self, key: str, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> Variant:
        """The generated function of one trial.  Raises SourceFault."""

    def frame(self, spec: RunSpec, implementation: Implementation, keys: list[str]) -> tuple[list[str], list[str]]:
        """The generated lines before and after the variants.  Raises SourceFault."""

    def aliases(self, implementation: Implementation) -> dict[str, str]:
        """Names that only the generated source knows, and what the kernel's author calls them."""

    def compile(self, implementation: Implementation, compiler: Compiler, folder: Path, timeout_seconds: float) -> Run:
        """Compiles `WRAPPER` in ``folder``."""

    def store(self, implementation: Implementation, key: str, folder: Path) -> None:
        """Keeps what one variant became.  Raises OSError."""


class MojoBatches:
    """Brings trials to artifacts of one product; see the module's docstring."""

    def __init__(self, product: Product) -> None:
        self._product = product

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key; the seconds of a batch are shared equally by what it built."""
        finished: dict[str, BuildFinished] = {}
        todo: dict[str, Variant] = {}
        keys = [self._product.key(spec, implementation, trial, target) for trial in trials]
        for key, trial in zip(keys, trials, strict=True):
            if key in finished or key in todo:
                continue
            begun = time.perf_counter()
            if self._product.is_there(spec, implementation, key):
                finished[key] = _done(implementation, key, time.perf_counter() - begun, cached=True)
                continue
            try:
                todo[key] = self._product.variant(key, spec, implementation, trial, target)
            except SourceFault as fault:
                finished[key] = _failed(implementation, key, 0.0, str(fault))
        for record in self._compile(spec, implementation, list(todo.values())):
            finished[record.artifact] = record
        return [finished[key] for key in dict.fromkeys(keys)]

    def _compile(self, spec: RunSpec, implementation: Implementation, todo: list[Variant]) -> list[BuildFinished]:
        if not todo:
            return []
        compiler = find_compiler()
        if compiler is None:
            return [_failed(implementation, v.key, 0.0, f"no Mojo compiler; {INSTALL}") for v in todo]
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="tunetui-mojo-") as name:
            folder = Path(name)
            try:
                lines = self._write(spec, implementation, todo, folder)
            except SourceFault as fault:
                return [_failed(implementation, v.key, 0.0, str(fault)) for v in todo]
            run = self._product.compile(implementation, compiler, folder, spec.method.build_timeout_seconds)
            share = (time.perf_counter() - begun) / len(todo)
            if run.ok:
                return [self._store(implementation, v.key, folder, share) for v in todo]
        text = run.text.replace(name + "/", "")
        for alias, own in self._product.aliases(implementation).items():
            text = text.replace(alias, own)
        named = _named(spec, implementation, todo, text)
        if named:
            failed = [_failed(implementation, key, share, said) for key, said in named.items()]
            return failed + self._compile(spec, implementation, [v for v in todo if v.key not in named])
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

    def _write(
        self, spec: RunSpec, implementation: Implementation, todo: list[Variant], folder: Path
    ) -> dict[str, set[int]]:
        """The kernel's sources and the generated one; returns which lines of the latter belong to which key."""
        for name, text in sources_of(spec, implementation).items():
            (folder / name).write_text(text)
        written, tail = self._product.frame(spec, implementation, [v.key for v in todo])
        lines: dict[str, set[int]] = {}
        for variant in todo:
            lines[variant.key] = set(range(len(written) + 1, len(written) + len(variant.lines) + 1))
            written = [*written, *variant.lines]
        (folder / WRAPPER).write_text("\n".join([*written, *tail]) + "\n")
        return lines

    def _store(self, implementation: Implementation, key: str, folder: Path, share: float) -> BuildFinished:
        try:
            self._product.store(implementation, key, folder)
        except (OSError, ValueError) as error:
            return _failed(implementation, key, share, f"the artifact could not be kept: {error}")
        return _done(implementation, key, share, cached=False)


def sources_of(spec: RunSpec, implementation: Implementation) -> dict[str, str]:
    """The implementation's Mojo source and those that it imports from the kernel's folder: only they decide what is built."""
    files, found, todo = spec.kernel.files, dict[str, str](), [implementation.source]
    while todo:
        name = todo.pop()
        if name in files and name not in found and Path(name).name == name:
            found[name] = files[name]
            todo += [f"{module}.mojo" for module in _IMPORT.findall(files[name])]
    return found


def module_of(implementation: Implementation) -> str:
    """The name that the generated source imports the kernel by.  Raises SourceFault."""
    module = Path(implementation.source).stem
    if not module.isidentifier() or implementation.source != f"{module}.mojo":
        raise SourceFault(f"source {implementation.source!r} must be one Mojo file named like a module")
    for launch in implementation.launches:
        if not launch.entry.isidentifier():
            raise SourceFault(f"entry {launch.entry!r} is no Mojo name")
    return module


def parameters_of(implementation: Implementation, trial: Trial) -> dict[str, Value]:
    """Build parameters with their values; an unknown name becomes an error of the Mojo compiler, in its place."""
    known = {**trial.problem, **trial.configuration}
    return {name: known.get(name, name) for name in implementation.parameters}


def parameter_list(implementation: Implementation, trial: Trial) -> str:
    """``[32, 64, "float32"]`` in the order of ``parameters``, or nothing where there are none."""
    values = ", ".join(literals_of(implementation, trial))
    return f"[{values}]" if values else ""


def literals_of(implementation: Implementation, trial: Trial) -> tuple[str, ...]:
    """The build parameters' values as Mojo would write them."""
    return tuple(literal(value) for value in parameters_of(implementation, trial).values())


def literal(value: Value) -> str:
    """A Mojo literal of an axis or problem value."""
    if isinstance(value, str):
        return json.dumps(value)
    return str(value)


def _named(spec: RunSpec, implementation: Implementation, todo: list[Variant], text: str) -> dict[str, str]:
    """Variants whose parameter values the compiler repeats as it gives up on an entry, and what it said of each."""
    entries = "|".join(re.escape(launch.entry) for launch in implementation.launches)
    source = spec.kernel.files.get(implementation.source, "").splitlines()
    own = {number for number, line in enumerate(source, 1) if re.match(rf"def ({entries})(_traced)?\b", line)}
    found: dict[str, str] = {}
    for line, values, said in instantiation_failures(text):
        # The compiler repeats only the first few values: they must mean one variant and no other.
        meant = [variant.key for variant in todo if values and variant.values[: len(values)] == values]
        if line in own and len(meant) == 1:
            found.setdefault(meant[0], said)
    return found


def _done(implementation: Implementation, key: str, seconds: float, *, cached: bool) -> BuildFinished:
    return BuildFinished(implementation=implementation.name, artifact=key, ok=True, seconds=seconds, cached=cached)


def _failed(implementation: Implementation, key: str, seconds: float, text: str) -> BuildFinished:
    log = f"{explain(text)}\n{text}"
    return BuildFinished(
        implementation=implementation.name, artifact=key, ok=False, seconds=seconds, cached=False, log=log
    )
