"""Builds Mojo GPU kernels to PTX for any NVIDIA architecture: no GPU, no driver, no CUDA toolkit and no linker is needed.

The generated program compiles every variant's entry points for the target and, run at once by ``mojo run``, writes their PTX to files.
A kernel that has a function ``<entry>_traced`` beside every entry (same parameters; one more argument at the end,
``trace: Pointer[UInt64, MutAnyOrigin]``, shape (blocks, 3)) gets a traced twin for measuring achieved occupancy.
"""

from __future__ import annotations

import re
from pathlib import Path

from tunetui_agent.build import Target
from tunetui_agent.build.cache import ArtifactCache, content_key
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.build.mojo_batches import (
    WRAPPER,
    MojoBatches,
    SourceFault,
    Variant,
    literals_of,
    module_of,
    parameter_list,
    parameters_of,
    sources_of,
)  # fmt: skip
from tunetui_agent.build.mojo_toolchain import Compiler, Run, find_toolchain, run_tool
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial

RECIPE = 1
"""Raised when the generated source changes: older artifacts are then built again."""

_ALIAS = "kernel_entry_"
_TRACED = "_traced"
_ARCHITECTURE = re.compile(r"sm_\d+[af]?")
_ENTRY_POINT = re.compile(r"^\s*(?:\.visible\s+|\.weak\s+)?\.entry\s+([\w$]+)\s*\(", re.MULTILINE)

_HEAD = """\
from std.compile import compile_info
from std.sys import argv
from max.gpu.host.compile import get_gpu_target


def write_text(file: String, text: String) raises:
    with open(file, "w") as opened:
        opened.write_bytes(text.as_bytes())

"""


class MojoGpuBuilder:
    """PTX for GPU targets; see the module's docstring."""

    batch = 32

    def __init__(self, cache: Path, compiler: str = "") -> None:
        """``compiler`` is the version that keys name; "" is this host's."""
        self._compiler = compiler
        self._cache = ArtifactCache(cache)
        self._root, self._own_cache = cache, cache / "mojo"
        self._batches = MojoBatches(self)

    def toolchain(self) -> Toolchain:
        """The Mojo compiler with the libraries that know GPUs, or what to install."""
        return find_toolchain(self._root)

    def folder(self, key: str) -> Path:
        """Where the artifact lies: ``artifact.json`` names the PTX file and the symbol of each entry."""
        return self._cache.folder(key)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str:
        """Hash of all Mojo sources, entries, parameters, options, compiler and architecture."""
        entries = [launch.entry for launch in implementation.launches]
        parameters = parameters_of(implementation, trial)
        what = [sources_of(spec, implementation), implementation.source, entries, parameters, implementation.options]
        compiler = self._compiler or find_toolchain(self._root).version
        return content_key("mojo-gpu", RECIPE, what, compiler, target.kind, target.architecture)

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key, in order of first appearance."""
        finished = self._batches.build(spec, implementation, trials, target)
        keys = {record.artifact for record in finished}
        self._cache.trim(keep=keys | {traced_key(key) for key in keys})
        return finished

    def is_there(self, spec: RunSpec, implementation: Implementation, key: str) -> bool:
        """Whether the cache has all that this run wants: an earlier one may have wanted no twin."""
        twin = not is_traced(spec, implementation) or self._cache.find(traced_key(key)) is not None
        return self._cache.find(key) is not None and twin

    def variant(self, key: str, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> Variant:
        """A function that writes the PTX of every entry, and of its traced twin, with this trial's parameters."""
        if not _ARCHITECTURE.fullmatch(target.architecture):
            raise SourceFault(f"{target.architecture!r} is no NVIDIA architecture such as sm_90")
        parameters = parameter_list(implementation, trial)
        traced = is_traced(spec, implementation)
        goal = f'get_gpu_target["{target.architecture}"]()'
        lines = ["", "", f"def build_{key}(folder: String) raises:"]
        for place in range(len(implementation.launches)):
            for twin in ("", _TRACED) if traced else ("",):
                name = f"{key}_{place}{twin}"
                what = f'{_ALIAS}{place}{twin}{parameters}, emission_kind="asm", target={goal}'
                lines += [
                    f"    var ptx_{place}{twin} = compile_info[{what}]()",
                    f'    write_text(folder + "/{name}.ptx", ptx_{place}{twin}.asm)',
                ]
        return Variant(key, lines, literals_of(implementation, trial))

    def frame(self, spec: RunSpec, implementation: Implementation, keys: list[str]) -> tuple[list[str], list[str]]:
        """Imports before, and the program that runs every variant's function after."""
        module, head = module_of(implementation), _HEAD.splitlines()
        for place, launch in enumerate(implementation.launches):
            head.append(f"from {module} import {launch.entry} as {_ALIAS}{place}")
            if is_traced(spec, implementation):
                head.append(f"from {module} import {launch.entry}{_TRACED} as {_ALIAS}{place}{_TRACED}")
        calls = [f"    build_{key}(folder)" for key in keys]
        return head, ["", "", "def main() raises:", "    var folder = String(argv()[1])", *calls]

    def aliases(self, implementation: Implementation) -> dict[str, str]:
        """The entries' own names."""
        return {f"{_ALIAS}{place}": launch.entry for place, launch in enumerate(implementation.launches)}

    def compile(self, implementation: Implementation, compiler: Compiler, folder: Path, timeout_seconds: float) -> Run:
        """Compiles the program and runs it at once."""
        command = [
            str(compiler.command), "run", "-j", "1", "-I", str(folder), *implementation.options,
            str(folder / WRAPPER), str(folder),
        ]  # fmt: skip
        return run_tool(command, compiler, self._own_cache, timeout_seconds)

    def store(self, implementation: Implementation, key: str, folder: Path) -> None:
        """The traced PTX first, so that the timed one stands for both."""
        for twin, own_key in ((_TRACED, traced_key(key)), ("", key)):
            entries = {
                launch.entry: folder / f"{key}_{place}{twin}.ptx"
                for place, launch in enumerate(implementation.launches)
            }
            if twin and not any(file.exists() for file in entries.values()):
                continue
            self._keep(own_key, entries)

    def _keep(self, key: str, entries: dict[str, Path]) -> None:
        """One PTX module per entry: each declares names of its own, so they are not joined."""
        first, *more = entries.values()
        self._cache.store(
            key,
            first,
            {
                "kernels": {entry: entry_point(file.read_text()) for entry, file in entries.items()},
                "files": {entry: file.name for entry, file in entries.items()},
                "language": "mojo",
            },
            more,
        )


def open_builder(cache: Path, compiler: str = "") -> MojoGpuBuilder:
    """The builder for Mojo on GPUs; ``compiler`` as in `MojoGpuBuilder`."""
    return MojoGpuBuilder(cache, compiler)


def is_traced(spec: RunSpec, implementation: Implementation) -> bool:
    """Whether traced twins are wanted, and the source offers one of every entry."""
    if spec.method.occupancy != "traced":
        return False
    text = spec.kernel.files.get(implementation.source, "")
    return all(
        re.search(rf"^def {re.escape(launch.entry)}{_TRACED}\b", text, re.MULTILINE)
        for launch in implementation.launches
    )


def entry_point(ptx: str) -> str:
    """The name of the only kernel in a PTX module.  Raises ValueError where there is not exactly one."""
    found = _ENTRY_POINT.findall(ptx)
    if len(found) != 1:
        raise ValueError(f"the PTX has {len(found)} kernels where one was expected")
    return str(found[0])
