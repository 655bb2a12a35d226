"""What this very device can do at most: copy and read bandwidth, and matrix products through the library at hand.

Measured once when the device is opened, by CUDA events, each as the median of several executions on buffers far
larger than the L2.  Method as in STREAM (McCalpin 1995): bytes read plus bytes written over the time.
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


def measure_ceilings(device: GpuDevice) -> dict[str, Value]:
    """``ceiling_copy_gb_per_s``, ``ceiling_read_gb_per_s`` and ``ceiling_matmul_<dtype>_tflop_per_s`` as far as they go."""
    cupy = device.cupy
    size = min(_BYTES, device.device.attributes["memory_bytes"] // 8)
    figures: dict[str, Value] = {}
    figures.update(_bandwidths(device, size))
    for dtype in ("float32", "float16"):
        try:
            figures[f"ceiling_matmul_{dtype}_tflop_per_s"] = round(_matmul_tflop_per_s(device, dtype), 1)
        except (ImportError, OSError, RuntimeError) as error:
            figures[f"ceiling_matmul_{dtype}_reason"] = f"n/a: {' '.join(str(error).split())[:200]}"
    cupy.get_default_memory_pool().free_all_blocks()
    return figures


def _bandwidths(device: GpuDevice, size: int) -> dict[str, Value]:
    cupy = device.cupy
    source, target = cupy.cuda.alloc(size), cupy.cuda.alloc(size)
    kind, stream = cupy.cuda.runtime.memcpyDeviceToDevice, device.stream.ptr
    copy = _seconds(device, lambda: cupy.cuda.runtime.memcpyAsync(target.ptr, source.ptr, size, kind, stream))
    floats = cupy.ndarray((size // 4,), cupy.float32, source)
    floats.fill(1.0)
    total = cupy.empty((), cupy.float32)
    read = _seconds(device, lambda: floats.sum(out=total))
    return {
        "ceiling_copy_gb_per_s": round(2 * size / copy / 1e9, 1),
        "ceiling_read_gb_per_s": round(size / read / 1e9, 1),
    }


def _matmul_tflop_per_s(device: GpuDevice, dtype: str) -> float:
    cupy = device.cupy
    generator = cupy.random.default_rng(0)
    # Random, not zeros: the power that real data costs is part of the ceiling.
    left, right = (generator.standard_normal((_MATRIX, _MATRIX), dtype=cupy.float32).astype(dtype) for _ in range(2))
    product = cupy.empty((_MATRIX, _MATRIX), dtype)
    return 2 * _MATRIX**3 / _seconds(device, lambda: cupy.matmul(left, right, out=product)) / 1e12


def _seconds(device: GpuDevice, work: Callable[[], Any]) -> float:
    start, stop = device.events[0]
    taken = []
    work()
    for _ in range(_REPEATS):
        start.record(device.stream)
        work()
        stop.record(device.stream)
        device.synchronize()
        taken.append(device.cupy.cuda.get_elapsed_time(start, stop) / 1e3)
    return float(median(taken))
