"""Proves that CUDA works on one GPU: a context, a tiny kernel, and its result compared number by number.

Two kernels say different things.  The first is PTX that the driver itself compiles, and needs nothing but the driver;
the second is CUDA C++ through the host's NVRTC to a cubin, the way every CUDA trial goes.  Each runs in a child of the
doctor, because a sick driver hangs or crashes whoever calls it.  Source: CUDA Driver API (CUDA Toolkit 13.0).
"""

from __future__ import annotations

import ctypes
import time
from array import array
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Any

from tunetui_agent.build.nvrtc import NvrtcError, find_nvrtc

_BLOCKS, _THREADS = 8, 128
_FACTOR, _SEED = 1664525, 1013904223  # out[i] = i * factor + seed, modulo 2**32
_POISON = 0xFF
WRONG = "wrong result"
"""What the error of a GPU says that ran the kernel and came to something else."""
_COMPUTE_CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

# Written for the oldest architecture that the CUDA 13 compilers still read, so that every driver in use takes it.
PTX = rb"""
.version 6.0
.target sm_60
.address_size 64
.visible .entry tunetui_proof(.param .u64 out, .param .u32 seed)
{
  .reg .b32 %r<7>;
  .reg .b64 %d<4>;
  ld.param.u64 %d1, [out];
  ld.param.u32 %r5, [seed];
  cvta.to.global.u64 %d2, %d1;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.u32 %r4, %r1, %r2, %r3;
  mad.lo.u32 %r6, %r4, 1664525, %r5;
  mul.wide.u32 %d3, %r4, 4;
  add.u64 %d3, %d2, %d3;
  st.global.u32 [%d3], %r6;
  ret;
}
"""

CUDA_SOURCE = r"""
extern "C" __global__ void tunetui_proof(unsigned *out, unsigned seed) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = i * 1664525u + seed;
}
"""


class ProofError(Exception):
    """CUDA refused, or computed wrongly: "call: NAME: words"."""

    def __init__(self, call: str, words: str) -> None:
        super().__init__(f"{call}: {words}")


def prove_driver(ordinal: int) -> dict[str, Any]:
    """Runs the PTX kernel on the GPU of this CUDA ordinal: ``ok`` and ``context_seconds``, or ``error``."""
    try:
        begun = time.perf_counter()
        context = _Context(ordinal)
        took = time.perf_counter() - begun
        _run(context, PTX + b"\0")
    except ProofError as error:
        return {"error": str(error)}
    return {"ok": True, "context_seconds": round(took, 3)}


def prove_nvrtc(ordinal: int) -> dict[str, Any]:
    """Compiles the CUDA C++ kernel for this GPU and runs it: ``ok`` and ``version``, or ``error``.

    ``unbuilt`` is set where the compiler, not the GPU, is at fault.
    """
    try:
        context = _Context(ordinal)
        nvrtc = find_nvrtc()
        options = [f"-arch=sm_{context.compute_capability}", "-default-device"]
        compiled = nvrtc.compile(CUDA_SOURCE, "proof.cu", {}, options)
        if compiled.cubin is None:
            return {"error": compiled.log[:500], "unbuilt": True}
        _run(context, compiled.cubin)
    except NvrtcError as error:
        return {"error": str(error), "unbuilt": True}
    except ProofError as error:
        return {"error": str(error)}
    return {"ok": True, "version": nvrtc.version}


def expected() -> array[int]:
    """What either kernel writes."""
    return array("I", [(i * _FACTOR + _SEED) % 2**32 for i in range(_BLOCKS * _THREADS)])


def _run(context: _Context, image: bytes) -> None:
    found = context.run(image)
    wrong = sum(one != other for one, other in zip(found, expected(), strict=True))
    if wrong:
        raise ProofError("tunetui_proof", f"{WRONG}: {wrong} of {len(found)} numbers differ")


class _Context:
    """The primary context of one GPU; lives as long as the process."""

    def __init__(self, ordinal: int) -> None:
        try:
            self._lib = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise ProofError("libcuda.so.1", str(error)) from None
        self._declare()
        self._check("cuInit", 0)
        device, context = c_int(), c_void_p()
        self._check("cuDeviceGet", byref(device), ordinal)
        major, minor = (self._attribute(number, device) for number in _COMPUTE_CAPABILITY)
        self.compute_capability = 10 * major + minor
        self._check("cuDevicePrimaryCtxRetain", byref(context), device)
        self._check("cuCtxSetCurrent", context)

    def run(self, image: bytes) -> array[int]:
        """Loads PTX (ending in a zero byte) or a cubin, runs its kernel, and returns what it wrote."""
        module, function, memory = c_void_p(), c_void_p(), c_size_t()
        found = array("I", bytes(4 * _BLOCKS * _THREADS))
        size = found.itemsize * len(found)
        self._check("cuModuleLoadData", byref(module), image)
        self._check("cuModuleGetFunction", byref(function), module, b"tunetui_proof")
        self._check("cuMemAlloc_v2", byref(memory), size)
        self._check("cuMemsetD8_v2", memory, _POISON, size)
        seed = c_uint(_SEED)
        arguments = (c_void_p * 2)(ctypes.addressof(memory), ctypes.addressof(seed))
        self._check("cuLaunchKernel", function, _BLOCKS, 1, 1, _THREADS, 1, 1, 0, None, arguments, None)
        self._check("cuCtxSynchronize")
        self._check("cuMemcpyDtoH_v2", (ctypes.c_char * size).from_buffer(found), memory, size)
        self._check("cuMemFree_v2", memory)
        self._check("cuModuleUnload", module)
        return found

    def _attribute(self, number: int, device: c_int) -> int:
        value = c_int()
        self._check("cuDeviceGetAttribute", byref(value), number, device)
        return value.value

    def _check(self, call: str, *arguments: Any) -> None:
        status = getattr(self._lib, call)(*arguments)
        if status != 0:
            raise ProofError(call, self._words(status))

    def _words(self, status: int) -> str:
        parts = []
        for get in (self._lib.cuGetErrorName, self._lib.cuGetErrorString):
            text = c_char_p()
            get(status, byref(text))
            parts += [text.value.decode(errors="replace")] if text.value else []
        return ": ".join(parts) or f"error {status}"

    def _declare(self) -> None:
        """Only where an argument's size matters: a plain int would be passed as 32 bits."""
        lib = self._lib
        lib.cuGetErrorName.argtypes = lib.cuGetErrorString.argtypes = [c_int, ctypes.POINTER(c_char_p)]
        lib.cuModuleLoadData.argtypes = [c_void_p, c_char_p]
        lib.cuMemAlloc_v2.argtypes = [c_void_p, c_size_t]
        lib.cuMemsetD8_v2.argtypes = [c_size_t, ctypes.c_ubyte, c_size_t]
        lib.cuMemcpyDtoH_v2.argtypes = [c_void_p, c_size_t, c_size_t]
        lib.cuMemFree_v2.argtypes = [c_size_t]
        lib.cuLaunchKernel.argtypes = [c_void_p, *[c_uint] * 7, c_void_p, c_void_p, c_void_p]
