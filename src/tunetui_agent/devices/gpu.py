"""An NVIDIA GPU as a device: found through the driver, held through CuPy, one context per worker child."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunetui_agent.build import Target
from tunetui_agent.devices.cuda_driver import DriverError, Gpu, find_gpus, kernel_driver_version
from tunetui_agent.devices.gpu_harness import GpuHarness
from tunetui_agent.devices.placing import placements_of
from tunetui_agent.messages import Device, Implementation, Method, RunSpec, Trial, Value

if TYPE_CHECKING:
    from tunetui_agent.devices import Execution, Watch
    from tunetui_agent.devices.energy import EnergyMeter
    from tunetui_agent.verify import InputSet

_FLUSH_FACTOR = 2  # of the L2's size: what is overwritten before every cold sample
_LEAST_FLUSH_BYTES = 32 << 20
_INPUT_SETS_KEPT = 3  # two for verification, one for timing
_COPIES_SHARE = 0.25  # of free memory, that copies of the inputs may take


@dataclass
class _Upload:
    """One set of inputs on the device, at one or more places."""

    inputs: InputSet  # kept, so that its id cannot come to mean another
    places: list[dict[str, Any]]
    sums: dict[str, int]


def probe() -> list[Device]:
    """Every GPU that CUDA can use; none where there is no driver."""
    try:
        return [_device(gpu) for gpu in find_gpus()]
    except DriverError:
        return []


def open_device(device_id: str) -> GpuDevice:
    """Opens one GPU by its UUID.

    Raises:
        LookupError: no such GPU, or CuPy is missing (with the line that installs it).
    """
    for gpu in find_gpus():
        if gpu.uuid == device_id:
            return GpuDevice(gpu)
    raise LookupError(f"no GPU {device_id} on this host")


def cupy_hint(cuda_version: str) -> str:
    """The install line that fits a driver supporting ``cuda_version``."""
    major = cuda_version.partition(".")[0]
    package = "cupy-cuda13x" if major.isdigit() and int(major) >= 13 else "cupy-cuda12x"
    return f'pip install "{package}[ctk]" nvidia-ml-py'


def too_new(runtime_version: int, driver_version: str) -> str:
    """Why CuPy's CUDA runtime (13000 is 13.0) cannot work with a driver that supports ``driver_version``, or "".

    Within one major version older drivers suffice.  Source: CUDA Compatibility, "Minor Version Compatibility".
    """
    supported = driver_version.partition(".")[0]
    if not supported.isdigit() or runtime_version // 1000 <= int(supported):
        return ""
    built_for = f"CUDA {runtime_version // 1000}.{runtime_version % 1000 // 10}"
    return f"CuPy is built for {built_for}, and this driver supports CUDA {driver_version} at most"


class GpuDevice:
    """One GPU with its context, stream, flush buffer and uploaded inputs."""

    def __init__(self, gpu: Gpu) -> None:
        try:
            import cupy
        except ImportError as error:
            raise LookupError(f"CuPy is missing or does not load ({error}): {cupy_hint(gpu.driver_version)}") from None
        self.cupy: Any = cupy
        self.usable = True
        self.files: dict[str, str] = {}
        try:
            why = too_new(int(cupy.cuda.runtime.runtimeGetVersion()), gpu.driver_version)
            if why:
                raise LookupError(f"{why}: {cupy_hint(gpu.driver_version)}")
            cupy.cuda.Device(gpu.ordinal).use()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise LookupError(f"CUDA does not start: {error}") from None
        self.stream: Any = cupy.cuda.Stream.null  # shared with any library that a Python implementation calls
        self.device = _device(gpu)
        self.target = Target(kind="gpu", architecture=f"sm_{gpu.attributes['compute_capability']}")
        flush_bytes = max(_FLUSH_FACTOR * gpu.attributes["l2_bytes"], _LEAST_FLUSH_BYTES)
        self._flush_buffer: Any = cupy.empty(flush_bytes, cupy.uint8)
        self.harness = GpuHarness(self)
        self.events = (cupy.cuda.Event(), cupy.cuda.Event())
        self._uploads: OrderedDict[int, _Upload] = OrderedDict()
        self._matmul_ceilings: dict[str, dict[str, Value]] = {}
        self.eviction = (
            f"before every sample {flush_bytes >> 20} MiB of device memory are overwritten and read back, "
            f"{_FLUSH_FACTOR} times the L2 of {gpu.attributes['l2_bytes'] >> 20} MiB"
        )

    def prepare(self, spec: RunSpec, implementation: Implementation, trial: Trial, artifact: str | None) -> Execution:
        """Loads the kernel and allocates its buffers on the device."""
        from tunetui_agent.devices.gpu_execution import GpuExecution

        self.files = spec.kernel.files
        return GpuExecution(self, spec, implementation, trial, artifact)

    def ceilings(self) -> dict[str, Value]:
        """Copy and read bandwidth of its memory."""
        from tunetui_agent.devices.ceilings import measure_bandwidths

        return measure_bandwidths(self)

    def matmul_ceiling(self, dtype: str) -> dict[str, Value]:
        """What matrix products of this dtype reach through the library at hand, measured when first asked for."""
        if dtype not in self._matmul_ceilings:
            from tunetui_agent.devices.ceilings import measure_matmul

            self._matmul_ceilings[dtype] = measure_matmul(self, dtype)
        return self._matmul_ceilings[dtype]

    def watch(self) -> Watch:
        """Begins to watch clocks, power, temperature and throttling through NVML."""
        from tunetui_agent.devices.gpu_watch import GpuWatch

        return GpuWatch(self.device.id)

    def energy_meter(self) -> EnergyMeter:
        """NVML's counter of the whole board.  Raises OSError."""
        from tunetui_agent.devices.gpu_watch import NvmlMeter

        return NvmlMeter(self.device.id)

    def release(self) -> None:
        """Gives back the memory of uploaded inputs and of everything that is no longer used, for another process."""
        self._uploads.clear()
        self.cupy.get_default_memory_pool().free_all_blocks()

    def allocate(self, shape: tuple[int, ...], dtype: str, guard_bytes: int) -> tuple[Any, Any]:
        """A zero-filled array and, as uint8, the same memory with a guard zone on either side."""
        array = self.cupy.ndarray
        kind = self.cupy.dtype(dtype)
        size = kind.itemsize
        for extent in shape:
            size *= extent
        memory = self.cupy.cuda.alloc(size + 2 * guard_bytes)
        raw = array((size + 2 * guard_bytes,), self.cupy.uint8, memory)
        self.fill(raw, 0)
        return array(shape, kind, memory + guard_bytes), raw

    def upload(self, inputs: InputSet) -> dict[str, Any]:
        """The inputs on the device, with their checksums; the sets used longest ago are freed."""
        key = id(inputs)
        if key not in self._uploads:
            while len(self._uploads) >= _INPUT_SETS_KEPT:
                self._uploads.popitem(last=False)
            arrays = {name: self.cupy.asarray(array) for name, array in inputs.arrays.items()}
            sums = dict(zip(arrays, self.harness.checksums(list(arrays.values())), strict=True))
            self._uploads[key] = _Upload(inputs, [arrays], sums)
        self._uploads.move_to_end(key)
        return self._uploads[key].places[0]

    def placed(self, inputs: InputSet, method: Method, beside_bytes: int) -> list[dict[str, Any]]:
        """Uploaded inputs at as many places of the device's memory as the method asks for and there is room for.

        ``beside_bytes`` is what the kernel needs with each of them.
        """
        self.upload(inputs)
        places = self._uploads[id(inputs)].places
        size = sum(int(array.nbytes) for array in places[0].values())
        free_bytes, _ = self.cupy.cuda.runtime.memGetInfo()
        room = int(_COPIES_SHARE * free_bytes) + (len(places) - 1) * size
        count = placements_of(method, size + beside_bytes, room)
        while len(places) < count:
            places.append({name: array.copy() for name, array in places[0].items()})
        return places[:count]

    def changed_input(self, inputs: InputSet) -> str | None:
        """The name of an uploaded input whose bytes are no longer what they were; it is uploaded anew next time."""
        known = self._uploads[id(inputs)]
        copies = [(name, array) for arrays in known.places for name, array in arrays.items()]
        sums = self.harness.checksums([array for _, array in copies])
        changed = next((name for (name, _), found in zip(copies, sums, strict=True) if found != known.sums[name]), None)
        if changed:
            del self._uploads[id(inputs)]
        return changed

    def fill(self, raw: Any, value: int) -> None:
        """Every byte of a uint8 array, in stream order."""
        if raw.size:
            self.cupy.cuda.runtime.memsetAsync(raw.data.ptr, value, raw.size, self.stream.ptr)

    def copy(self, source: Any, target: Any) -> None:
        """The bytes of one uint8 array to another of the same size, in stream order."""
        if source.size:
            runtime = self.cupy.cuda.runtime
            kind = runtime.memcpyDeviceToDevice
            runtime.memcpyAsync(target.data.ptr, source.data.ptr, source.size, kind, self.stream.ptr)

    def flush(self) -> None:
        """Overwrites more than the L2 holds and reads it back, in stream order.

        After overwriting alone the L2 is full of lines that memory has yet to get, and the kernel under the clock pays for
        writing them back; reading as much again leaves clean lines, as any other work that only reads would.
        """
        self.cupy.cuda.runtime.memsetAsync(self._flush_buffer.data.ptr, 0, self._flush_buffer.size, self.stream.ptr)
        self.harness.read(self._flush_buffer)

    def synchronize(self) -> None:
        """Waits until the stream is idle; errors of earlier launches surface here."""
        self.stream.synchronize()


def _device(gpu: Gpu) -> Device:
    details: dict[str, Value] = {"cuda_driver_version": gpu.driver_version, "ordinal": gpu.ordinal}
    return Device(
        id=gpu.uuid, kind="gpu", name=gpu.name, attributes=gpu.attributes,
        driver=kernel_driver_version() or f"CUDA {gpu.driver_version}", details=details,
    )  # fmt: skip
