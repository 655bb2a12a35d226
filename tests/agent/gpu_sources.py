"""Small GPU kernels and trials for tests of the builders; nothing here needs a GPU."""

from __future__ import annotations

import pytest

from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.build.nvrtc import NvrtcError, find_nvrtc
from tunetui_agent.messages import Implementation, KernelSpec, Launch, Method, RunSpec, Trial, Value

ARCHITECTURES = ["sm_80", "sm_86", "sm_89", "sm_90"]
"""A100, A10, L4, H100 and GH200."""

SCALE_CU = """\
#include "scale.cuh"
#ifdef TUNETUI_TRACE
#define TRACE , unsigned long long* trace
#else
#define TRACE
#endif
extern "C" __global__ void scale(const float* x, float* y, int n TRACE) {
    __shared__ float staged[BLOCK];
    int i = blockIdx.x * BLOCK + threadIdx.x;
    staged[threadIdx.x] = i < n ? x[i] : 0.0f;
    __syncthreads();
    if (i < n) y[i] = factor(staged[BLOCK - 1 - threadIdx.x]);
#ifdef TUNETUI_TRACE
    if (threadIdx.x == 0) trace[blockIdx.x * 3] = clock64();
#endif
}
extern "C" __global__ void scatter(float* y, int n) {
    float local[64];
    for (int i = 0; i < 64; ++i) local[i] = y[i];
    for (int i = 0; i < n; ++i) local[(i * 7 + n) % 64] += 1.0f;  // an index known only at run time: a local array
    for (int i = 0; i < 64; ++i) y[i] = local[i];
}
"""
SCALE_CUH = "__device__ float factor(float v) { return v * 2.0f; }\n"

SCALE_MOJO = '''\
"""Two kernels with a traced twin each."""

from max.gpu import block_idx, thread_idx
from shared_types import Floats, Stamps


def scale[block: Int, layout: StaticString](x: Floats, y: Floats, n: Int32):
    comptime assert block % 32 == 0, "block must be a multiple of 32"
    var i = block_idx.x * block + thread_idx.x
    if i < Int(n):
        comptime if layout == "row":
            y[unsafe_offset=i] = x[unsafe_offset=i] * 2
        else:
            y[unsafe_offset=i] = x[unsafe_offset=i] * 3


def scale_traced[block: Int, layout: StaticString](x: Floats, y: Floats, n: Int32, trace: Stamps):
    if thread_idx.x == 0:
        trace[unsafe_offset=block_idx.x * 3] = 1
    scale[block, layout](x, y, n)


def finish[block: Int, layout: StaticString](y: Floats, n: Int32):
    if Int(thread_idx.x) < Int(n):
        y[unsafe_offset=thread_idx.x] = 1


def finish_traced[block: Int, layout: StaticString](y: Floats, n: Int32, trace: Stamps):
    finish[block, layout](y, n)
'''
TYPES_MOJO = """\
comptime Floats = Pointer[Float32, MutAnyOrigin]
comptime Stamps = Pointer[UInt64, MutAnyOrigin]
"""


def _can_compile_cuda() -> str:
    try:
        find_nvrtc()
    except NvrtcError as error:
        return str(error)
    return ""


needs_nvrtc = pytest.mark.skipif(bool(_can_compile_cuda()), reason=_can_compile_cuda())
needs_mojo = pytest.mark.skipif(not find_toolchain().available, reason=find_toolchain().reason)


def gpu_spec(language: str, files: dict[str, str], entries: list[str], parameters: list[str]) -> RunSpec:
    """One GPU implementation whose source is the first of ``files``."""
    own = Implementation(
        name=language,
        language=language,
        source=next(iter(files)),
        parameters=parameters,
        launches=[Launch(entry=entry, arguments=[]) for entry in entries],
    )
    kernel = KernelSpec(name="scale", reference="reference.py", files=files, arguments=[], implementations=[own])
    return RunSpec(protocol=1, run="test", device="GPU-0", kernel=kernel, method=Method())


def cuda_spec(source: str = SCALE_CU, header: str = SCALE_CUH) -> RunSpec:
    """`SCALE_CU` with ``block`` fixed at build time."""
    return gpu_spec("cuda", {"scale.cu": source, "scale.cuh": header}, ["scale"], ["block"])


def mojo_spec(source: str = SCALE_MOJO) -> RunSpec:
    """`SCALE_MOJO`, two launches, with ``block`` and ``layout`` fixed at build time."""
    files = {"scale.mojo": source, "shared_types.mojo": TYPES_MOJO}
    return gpu_spec("mojo", files, ["scale", "finish"], ["block", "layout"])


def implementation_of(spec: RunSpec) -> Implementation:
    """The only implementation."""
    (own,) = spec.kernel.implementations
    return own


def gpu_trial(language: str, **configuration: Value) -> Trial:
    """A trial of ``configuration`` with nothing but what a builder needs."""
    return Trial(
        id="0" * 16, implementation=language, problem={"n": 100}, configuration=configuration, provenance="1" * 16
    )
