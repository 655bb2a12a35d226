"""The harness's own small kernels: compiled once when a GPU is opened, so that no library has to be at hand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui_agent.devices.gpu import GpuDevice

_SOURCE = r"""
extern "C" __global__ void tunetui_wait(long long cycles) {
    long long begun = clock64();
    while (clock64() - begun < cycles) { }
}

extern "C" __global__ void tunetui_empty() { }

// Sum of the 32-bit words, each times an odd number of its place, modulo 2**64: a word changed or moved changes it.
extern "C" __global__ void tunetui_checksum(const unsigned* words, long long count, unsigned long long* total) {
    unsigned long long sum = 0;
    long long stride = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += stride)
        sum += (unsigned long long)words[i] * (2ull * i + 1ull);
    atomicAdd(total, sum);
}

// Bytes that are not ``value``.
extern "C" __global__ void tunetui_others(const unsigned char* bytes, long long count, int value, unsigned long long* total) {
    unsigned long long found = 0;
    for (long long i = threadIdx.x; i < count; i += blockDim.x) found += bytes[i] != value;
    if (found) atomicAdd(total, found);
}

extern "C" __global__ void tunetui_read(const float4* from, long long count, float* never) {
    float sum = 0;
    long long stride = (long long)gridDim.x * blockDim.x;
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (; i + 3 * stride < count; i += 4 * stride) {
        float4 a = from[i], b = from[i + stride], c = from[i + 2 * stride], d = from[i + 3 * stride];
        sum += (a.x + a.y + a.z + a.w) + (b.x + b.y + b.z + b.w) + (c.x + c.y + c.z + c.w) + (d.x + d.y + d.z + d.w);
    }
    for (; i < count; i += stride) { float4 a = from[i]; sum += a.x + a.y + a.z + a.w; }
    if (sum == -1.5f) *never = sum;  // keeps the loads alive; the data never sums to this
}
"""

_THREADS = 256
_CYCLES_PER_SECOND = 2e9  # about; a wait a little shorter or longer than asked does no harm
_LEAST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 40e-6, 2e-3


class GpuHarness:
    """The kernels above on one device's stream."""

    def __init__(self, device: GpuDevice) -> None:
        self._cupy = device.cupy
        module = self._cupy.RawModule(code=_SOURCE)
        self._wait, self._empty, self._sum, self._others, self._read = (
            module.get_function(f"tunetui_{name}") for name in ("wait", "empty", "checksum", "others", "read")
        )
        self._blocks = 8 * device.device.attributes["multiprocessors"]
        self._total: Any = self._cupy.ndarray((1,), self._cupy.uint64)

    def wait(self, seconds: float) -> None:
        """Keeps the stream busy for about as long as the host needs to queue what follows, so that it runs gapless."""
        held = min(max(seconds, _LEAST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)
        self._wait((1,), (1,), (self._cupy.int64(held * _CYCLES_PER_SECOND),))

    def empty(self) -> None:
        """A launch that does nothing."""
        self._empty((1,), (32,), ())

    def read(self, array: Any) -> None:
        """Reads an array once, but for up to 15 bytes at its end."""
        count = self._cupy.int64(array.nbytes // 16)
        self._read((self._blocks,), (_THREADS,), (array, count, self._total))

    def checksums(self, arrays: Sequence[Any]) -> list[int]:
        """Of each array's bytes; waits once for all.  Up to three bytes at the end that fill no word are added plainly."""
        totals = self._cupy.zeros(max(1, len(arrays)), self._cupy.uint64)
        rest = [0] * len(arrays)
        for place, array in enumerate(arrays):
            words = array.nbytes // 4
            if words:
                self._sum((self._blocks,), (_THREADS,), (array, self._cupy.int64(words), totals[place : place + 1]))
            if array.nbytes % 4:
                rest[place] = sum(bytes(array.reshape(-1).view(self._cupy.uint8)[words * 4 :].get()))
        return [int(total) + more for total, more in zip(totals.get(), rest, strict=False)]

    def bytes_other_than(self, value: int, zones: Sequence[Any]) -> int:
        """How many bytes of these uint8 arrays have another value; waits for the result.  Meant for small ones."""
        total = self._cupy.zeros(1, self._cupy.uint64)
        for zone in zones:
            self._others((1,), (_THREADS,), (zone, self._cupy.int64(zone.nbytes), self._cupy.int32(value), total))
        return int(total.get()[0])
