"""Builds CUDA C++ kernels to cubins through NVRTC: for any architecture, without a toolkit, a driver or a GPU.

Names under ``parameters`` become macros: ``-DTILE_SIZE=32``, and ``-DDTYPE_FLOAT32=1`` for the text "float32".  A source that
mentions ``TUNETUI_TRACE`` is compiled a second time with that macro, for measuring achieved occupancy beside the timed build
(unless ``method.occupancy`` is "theoretical").
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from tunetui_agent.build import Target
from tunetui_agent.build.cache import ArtifactCache, content_keys
from tunetui_agent.build.cubin import read_resources
from tunetui_agent.build.nvrtc import Compiled, Nvrtc, NvrtcError, find_nvrtc
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial, Value

RECIPE = 3
"""Raised when the command line or what is kept changes: older artifacts are then built again."""

TRACE_MACRO = "TUNETUI_TRACE"
_STORED_BEFORE_TRIMMING = 32  # looking through the cache takes longer the more is in it
STANDARD_OPTIONS = ("-std=c++17", "--ptxas-options=-v", "-default-device")

_ERROR = re.compile(
    r"^(?P<file>[^\s(]+)\((?P<line>\d+)\): (?:catastrophic )?error(?: #\d+-\w+)?: (?P<text>.*)$", re.MULTILINE
)
_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
_SOURCES = (".cu", ".cuh", ".h", ".hpp")


class CudaBuilder:
    """Cubins for GPU targets; see the module's docstring."""

    batch = 1  # one takes tenths of a second: larger shares would leave builders idle at the end

    def __init__(self, cache: Path, compiler: str = "") -> None:
        """``compiler`` is the version that keys name; "" is this host's."""
        self._compiler = compiler
        self._cache = ArtifactCache(cache)
        self._keys: tuple[RunSpec, Callable[..., str]] | None = None
        self._stored = 0  # since the cache was last trimmed

    def toolchain(self) -> Toolchain:
        """NVRTC as found on this host, or what to install."""
        try:
            return Toolchain(language="cuda", available=True, version=f"NVRTC {_nvrtc().version}")
        except NvrtcError as error:
            return Toolchain(language="cuda", available=False, reason=str(error))

    def folder(self, key: str) -> Path:
        """Where the artifact lies: ``artifact.json`` names the cubin and its kernels."""
        return self._cache.folder(key)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str:
        """Hash of all CUDA sources, macros, options, compiler and architecture."""
        if self._keys is None or self._keys[0] is not spec:
            compiler = self._compiler or self.toolchain().version
            self._keys = spec, content_keys("cuda", RECIPE, compiler, _sources(spec))
        return self._keys[1](implementation.source, self._options(implementation, trial, target))

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key, in order of first appearance."""
        finished: dict[str, BuildFinished] = {}
        for trial in trials:
            key = self.key(spec, implementation, trial, target)
            if key not in finished:
                finished[key] = self._one(key, spec, implementation, self._options(implementation, trial, target))
        if self._stored >= _STORED_BEFORE_TRIMMING:
            self._cache.trim(keep=set(finished) | {traced_key(key) for key in finished})
            self._stored = 0
        return list(finished.values())

    def _one(self, key: str, spec: RunSpec, implementation: Implementation, options: list[str]) -> BuildFinished:
        begun = time.perf_counter()
        traced = spec.method.occupancy == "traced" and any(TRACE_MACRO in body for body in _sources(spec).values())
        twin = not traced or self._cache.find(traced_key(key)) is not None
        cached, log, ok = twin and self._cache.find(key) is not None, "", True
        if not cached:
            try:
                log = self._compile(key, spec, implementation, options, traced=traced)
            except (NvrtcError, OSError, ValueError) as error:
                ok, log = False, str(error)
        return BuildFinished(
            implementation=implementation.name, artifact=key, ok=ok, cached=cached, log=log,
            seconds=time.perf_counter() - begun,
        )  # fmt: skip

    def _compile(
        self, key: str, spec: RunSpec, implementation: Implementation, options: list[str], *, traced: bool
    ) -> str:
        """Stores the timed cubin (last, so that it stands for both) and the traced one; returns the compiler's text."""
        sources = _sources(spec)
        text = sources[implementation.source]
        headers = {name: body for name, body in sources.items() if name != implementation.source}
        if traced:
            twin = _nvrtc().compile(text, implementation.source, headers, [*options, f"-D{TRACE_MACRO}=1"])
            self._store(traced_key(key), twin)
        timed = _nvrtc().compile(text, implementation.source, headers, options)
        self._store(key, timed)
        return timed.log

    def _store(self, key: str, compiled: Compiled) -> None:
        if compiled.cubin is None:
            raise ValueError(f"{explain(compiled.log)}\n{compiled.log}")
        fields = {
            "kernels": {name: name for name in read_resources(compiled.cubin)},
            "spill_bytes": spills_by_kernel(compiled.log),
            "language": "cuda",
        }
        with tempfile.TemporaryDirectory(prefix="tunetui-cuda-") as folder:
            payload = Path(folder) / "kernel.cubin"
            payload.write_bytes(compiled.cubin)
            self._cache.store(key, payload, fields)
        self._stored += 1

    def _options(self, implementation: Implementation, trial: Trial, target: Target) -> list[str]:
        known = {**trial.problem, **trial.configuration}
        macros = [macro(name, known[name]) for name in implementation.parameters]
        # An architecture of the kernel's own choice (such as compute_90) stands in its options and wins.
        own = any(option.startswith(("-arch", "--gpu-architecture")) for option in implementation.options)
        # A cubin is for one chip alone, so Hopper's may use what only Hopper has (wgmma): that set is called sm_90a.
        exact = "sm_90a" if target.architecture == "sm_90" else target.architecture
        architecture = [] if own else [f"-arch={exact}"]
        return [*architecture, *STANDARD_OPTIONS, *implementation.options, *macros]


def open_builder(cache: Path, compiler: str = "") -> CudaBuilder:
    """The builder for CUDA C++ on GPUs; ``compiler`` as in `CudaBuilder`."""
    return CudaBuilder(cache, compiler)


def traced_key(key: str) -> str:
    """The key of the traced build that belongs to a timed one."""
    return f"{key}-traced"


def macro(name: str, value: Value) -> str:
    """The compiler option that hands an axis or problem value to the source."""
    if isinstance(value, bool):
        return f"-D{name.upper()}={int(value)}"
    if isinstance(value, str):
        return f"-D{name.upper()}_{re.sub('[^A-Za-z0-9]', '_', value).upper()}=1"
    return f"-D{name.upper()}={value}"


def spills_by_kernel(log: str) -> dict[str, int]:
    """Bytes that each kernel, or a function that it calls, spills from registers, as the assembler tells."""
    _, *parts = _ENTRY.split(log)
    return {
        name: max((max(map(int, pair)) for pair in _SPILLS.findall(said)), default=0)
        for name, said in zip(parts[::2], parts[1::2], strict=True)
    }


def explain(log: str) -> str:
    """``file:line: message`` of the first error in NVRTC's text."""
    found = _ERROR.search(log)
    if found:
        return f"{found['file']}:{found['line']}: {found['text']}"
    lines = [line.strip() for line in log.splitlines() if "error" in line.lower()]
    return lines[0] if lines else "the CUDA compiler failed without a word"


def _sources(spec: RunSpec) -> dict[str, str]:
    return {name: text for name, text in spec.kernel.files.items() if name.endswith(_SOURCES)}


def _nvrtc() -> Nvrtc:
    found = _nvrtc_or_why_not()
    if isinstance(found, NvrtcError):
        raise found
    return found


@lru_cache(maxsize=1)
def _nvrtc_or_why_not() -> Nvrtc | NvrtcError:
    try:
        return find_nvrtc()
    except NvrtcError as error:  # to look everywhere takes longest where there is none
        return error
