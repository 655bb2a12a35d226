"""What this very device can do at most: copy and read bandwidth, and matrix products through the library at hand.

Each is the median of several executions by CUDA events, on buffers far larger than the L2.  Bandwidths are measured when
the device is opened, as in STREAM (McCalpin 1995): bytes read plus bytes written over the time.  Matrix products are
measured when the first kernel that uses tensor cores asks what it could have reached.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Any

from tunetui_agent.messages import Value

if TYPE_CHECKING:
    from tunetui_agent.devices.gpu import GpuDevice

_BYTES = 1 << 30
_REPEATS = 7
_MATRIX = 8192
MATMUL = "ceiling_matmul_tflop_per_s"


def measure_bandwidths(device: GpuDevice) -> dict[str, Value]:
    """``ceiling_copy_gb_per_s`` (read and written) and ``ceiling_read_gb_per_s``."""
    cupy = device.cupy
    size = min(_BYTES, device.device.attributes["memory_bytes"] // 8)
    source: Any = cupy.empty(size, cupy.uint8)
    target: Any = cupy.empty(size, cupy.uint8)
    kind, stream = cupy.cuda.runtime.memcpyDeviceToDevice, device.stream.ptr
    cupy.cuda.runtime.memsetAsync(source.data.ptr, 0, size, stream)
    copy = _seconds(device, lambda: cupy.cuda.runtime.memcpyAsync(target.data.ptr, source.data.ptr, size, kind, stream))
    read = _seconds(device, lambda: device.harness.read(source))
    source = target = None
    cupy.get_default_memory_pool().free_all_blocks()
    return {
        "ceiling_copy_gb_per_s": round(2 * size / copy / 1e9, 1),
        "ceiling_read_gb_per_s": round(size / read / 1e9, 1),
    }


def measure_matmul(device: GpuDevice, dtype: str) -> dict[str, Value]:
    """`MATMUL` for "tf32" or "float16" (empty for anything else), or the reason why it could not be measured."""
    if dtype not in ("tf32", "float16"):
        return {}
    try:
        return {MATMUL: round(_tflop_per_s(device, dtype), 1)}
    except (ImportError, AttributeError, OSError, RuntimeError, MemoryError) as error:  # or no room is left for it
        return {f"{MATMUL}_reason": f"n/a: {' '.join(str(error).split())[:200]}"}


def _tflop_per_s(device: GpuDevice, dtype: str) -> float:
    cupy = device.cupy
    from cupy._core import _routines_linalg as linalg  # CuPy's only other switch, the variable CUPY_TF32, is read once

    generator = cupy.random.default_rng(0)
    kind = "float16" if dtype == "float16" else "float32"
    # Random, not zeros: the power that real data costs is part of the ceiling.
    left, right = (generator.standard_normal((_MATRIX, _MATRIX), dtype=cupy.float32).astype(kind) for _ in range(2))
    product = cupy.empty((_MATRIX, _MATRIX), kind)
    before = linalg.get_compute_type(cupy.float32)
    linalg.set_compute_type(cupy.float32, linalg.COMPUTE_TYPE_TF32 if dtype == "tf32" else before)
    try:
        return 2 * _MATRIX**3 / _seconds(device, lambda: cupy.matmul(left, right, out=product)) / 1e12
    finally:
        linalg.set_compute_type(cupy.float32, before)


def _seconds(device: GpuDevice, work: Callable[[], Any]) -> float:
    start, stop = device.events
    taken = []
    work()
    for _ in range(_REPEATS):
        start.record(device.stream)
        work()
        stop.record(device.stream)
        device.synchronize()
        taken.append(device.cupy.cuda.get_elapsed_time(start, stop) / 1e3)
    return float(median(taken))
