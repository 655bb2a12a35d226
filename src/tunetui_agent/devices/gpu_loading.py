"""Loads an artifact's kernels, cubin or PTX alike, and says what each takes of the device."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent.build.assembling import assembled_key
from tunetui_agent.build.cache import META
from tunetui_agent.devices.occupancy import Limits, theoretical_occupancy
from tunetui_agent.faults import TrialFault
from tunetui_agent.loaders import function_of, load_python, one_line
from tunetui_agent.messages import Geometry, Implementation, Trial, Value

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice

_MOST_BLOCKS = (2**31 - 1, 65535, 65535)
_MOST_THREADS = (1024, 1024, 64)


class LoadedLaunch:
    """One kernel with its geometry, ready to be launched on the device's stream."""

    def __init__(
        self, device: GpuDevice, entry: str, arguments: list[str], geometry: Geometry, kernel: Any,
        spill_bytes: int | None = None, assembler: str | None = None,
    ) -> None:  # fmt: skip
        self.spill_bytes = spill_bytes  # None where the compiler did not say
        self.assembler = assembler  # of PTX; None where the compiler made machine code, or the driver assembled
        self.entry, self.arguments, self.geometry = entry, arguments, geometry
        self.function: Any = kernel
        self._device = device
        self._grid, self._block = _three(geometry.grid), _three(geometry.block)

    @property
    def blocks(self) -> int:
        """Blocks of the whole grid."""
        return _product(self._grid)

    @property
    def threads(self) -> int:
        """Threads of one block."""
        return _product(self._block)

    def allow_shared(self) -> None:
        """Lets the kernel have as much dynamic shared memory as its geometry asks for."""
        if self.geometry.shared_bytes:
            self.function.max_dynamic_shared_size_bytes = self.geometry.shared_bytes

    def __call__(self, arguments: tuple[Any, ...]) -> None:
        self.function(self._grid, self._block, arguments, shared_mem=self.geometry.shared_bytes)

    def resources(self) -> dict[str, Value]:
        """Registers, memory and theoretical occupancy, as the driver tells of the loaded kernel."""
        kernel, shared = self.function, self.geometry.shared_bytes
        threads = self.threads
        fits = self._device.cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            kernel.kernel.ptr, threads, shared
        )
        limits = limits_of(self._device.device.attributes)
        occupancy = theoretical_occupancy(
            limits,
            blocks=fits,
            threads=threads,
            registers=kernel.num_regs,
            shared_bytes=kernel.shared_size_bytes + shared,
        )
        figures: dict[str, Value] = {
            "registers": kernel.num_regs,
            "local_bytes": kernel.local_size_bytes,
            "static_shared_bytes": kernel.shared_size_bytes,
            "dynamic_shared_bytes": shared,
            "blocks": self.blocks,
            "threads_per_block": threads,
            "blocks_per_multiprocessor": fits,
            "occupancy_theoretical_percent": round(occupancy.percent, 3),
        }
        if self.spill_bytes is not None:
            figures["spill_bytes"] = self.spill_bytes
        if self.assembler:
            figures["assembler"] = self.assembler
        if occupancy.limiters:
            figures["occupancy_limiter"] = ", ".join(occupancy.limiters)
        return figures


class _PythonLaunch(LoadedLaunch):
    """A function over CuPy arrays; what it launches is its own affair."""

    def __init__(self, device: GpuDevice, entry: str, arguments: list[str], function: Any) -> None:
        super().__init__(device, entry, arguments, Geometry(grid=[1], block=[1]), function)

    def resources(self) -> dict[str, Value]:
        return {}


def load_launches(
    device: GpuDevice, implementation: Implementation, trial: Trial, artifact: str | None
) -> list[LoadedLaunch]:
    """Every launch of an implementation, loaded.

    Raises:
        TrialFault: (unsupported) a geometry that this device cannot run; (errored) an artifact that does not load.
    """
    if implementation.language == "python":
        entry, arguments = implementation.launches[0].entry, implementation.launches[0].arguments
        module = load_python(device.files, implementation.source)
        return [_PythonLaunch(device, entry, arguments, function_of(module, entry, implementation.source))]
    if artifact is None:
        raise TrialFault("errored", f"{implementation.name} was not built")
    if len(trial.geometry) != len(implementation.launches):
        raise TrialFault("errored", f"{implementation.name}: {len(trial.geometry)} geometries for its launches")
    kernels, meta = load_kernels(device, Path(artifact))
    loaded = []
    for launch, geometry in zip(implementation.launches, trial.geometry, strict=True):
        _refuse_impossible(device, geometry)
        if launch.entry not in kernels:
            raise TrialFault("errored", f"the built code has no kernel {launch.entry!r}; it has {', '.join(kernels)}")
        kernel, spills = kernels[launch.entry], meta.get("spill_bytes", {}).get(meta["kernels"][launch.entry])
        assembler = meta.get("assembler")
        loaded.append(LoadedLaunch(device, launch.entry, launch.arguments, geometry, kernel, spills, assembler))
    return loaded


def limits_of(attributes: dict[str, int]) -> Limits:
    """The multiprocessor's limits among a device's attributes."""
    return Limits(**{name: attributes[name] for name in Limits.__dataclass_fields__})


def load_kernels(device: GpuDevice, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Entry to loaded kernel, and what the builder said of the artifact.

    PTX that was assembled beside it is loaded as the cubin that came of it, unless the driver does not take that: an
    assembler may be newer than it.

    Raises:
        TrialFault: (errored) the folder is no artifact of a GPU builder.
    """
    assembled = folder.with_name(assembled_key(folder.name))
    if (assembled / META).exists():
        with contextlib.suppress(TrialFault, device.cupy.cuda.driver.CUDADriverError):
            return _load(device, assembled)
    return _load(device, folder)


def _load(device: GpuDevice, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        meta = json.loads((folder / META).read_text())
        files = {entry: meta.get("files", {}).get(entry, meta["file"]) for entry in meta["kernels"]}
        modules = {file: device.cupy.RawModule(path=str(folder / file)) for file in dict.fromkeys(files.values())}
        return {entry: modules[files[entry]].get_function(symbol) for entry, symbol in meta["kernels"].items()}, meta
    except (OSError, ValueError, KeyError) as error:
        raise TrialFault("errored", f"the built kernel does not load: {one_line(error)}") from error


def _refuse_impossible(device: GpuDevice, geometry: Geometry) -> None:
    attributes = device.device.attributes
    threads, shared = _product(_three(geometry.block)), geometry.shared_bytes
    most_shared = attributes["shared_memory_per_block_bytes"]
    if threads > attributes["max_threads_per_block"] or any(
        n > m for n, m in zip(_three(geometry.block), _MOST_THREADS, strict=True)
    ):
        raise TrialFault("unsupported", f"a block of {geometry.block} threads; the device takes {_MOST_THREADS[0]}")
    if shared > most_shared:
        raise TrialFault("unsupported", f"{shared} bytes of shared memory per block; the device has {most_shared}")
    if any(n < 1 or n > m for n, m in zip(_three(geometry.grid), _MOST_BLOCKS, strict=True)):
        raise TrialFault("unsupported", f"a grid of {geometry.grid} blocks; CUDA takes 1 to {_MOST_BLOCKS}")


def _three(parts: list[int]) -> tuple[int, int, int]:
    x, y, z = (*parts, 1, 1, 1)[:3]
    return x, y, z


def _product(parts: tuple[int, int, int]) -> int:
    return parts[0] * parts[1] * parts[2]
