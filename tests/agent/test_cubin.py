"""What is read from the binary, against what the assembler itself says of the same compilation (``--ptxas-options=-v``)."""

from __future__ import annotations

import re

import pytest

from tests.agent.gpu_sources import ARCHITECTURES, SCALE_CU, SCALE_CUH, needs_nvrtc
from tunetui_agent.build.cubin import KernelResources, read_resources
from tunetui_agent.build.nvrtc import find_nvrtc

_ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?(?P<stack>\d+) bytes stack frame.*?Used (?P<registers>\d+) registers"
    r"(?P<rest>[^\n]*)",
    re.DOTALL,
)
_RESERVED_BYTES = {"sm_90": 1024}  # the binary's section counts what the system keeps for itself from this one on


def compiled(architecture: str, *options: str) -> tuple[bytes, str]:
    arguments = [
        f"-arch={architecture}",
        "-std=c++17",
        "--ptxas-options=-v",
        "-default-device",
        "-DBLOCK=256",
        *options,
    ]
    done = find_nvrtc().compile(SCALE_CU, "scale.cu", {"scale.cuh": SCALE_CUH}, arguments)
    assert done.cubin is not None, done.log
    return done.cubin, done.log


@needs_nvrtc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_registers_stack_and_shared_memory_are_what_the_assembler_says(architecture: str) -> None:
    cubin, log = compiled(architecture)
    found = read_resources(cubin)
    said = {m["name"]: m for m in _ENTRY.finditer(log)}
    assert found.keys() == said.keys() == {"scale", "scatter"}
    for name, kernel in found.items():
        assert kernel.registers == int(said[name]["registers"])
        assert kernel.frame_bytes == int(said[name]["stack"])
        shared = re.search(r"(\d+) bytes smem", said[name]["rest"])
        own = kernel.static_shared_bytes - (_RESERVED_BYTES.get(architecture, 0) if kernel.static_shared_bytes else 0)
        assert own == (int(shared[1]) if shared else 0)
    assert found["scatter"].frame_bytes >= 256


@needs_nvrtc
def test_a_limit_on_registers_shows_in_the_binary() -> None:
    free, _ = compiled("sm_80")
    tight, _ = compiled("sm_80", "--maxrregcount=16")
    assert read_resources(free)["scatter"].registers > read_resources(tight)["scatter"].registers


@needs_nvrtc
def test_a_cut_off_binary_is_refused_or_read_never_a_crash() -> None:
    cubin, _ = compiled("sm_80")
    refused = 0
    for length in range(0, len(cubin), 97):
        try:
            found = read_resources(cubin[:length])
        except ValueError:
            refused += 1
        else:
            assert all(isinstance(kernel, KernelResources) for kernel in found.values())
    assert refused > len(cubin) // 97 // 2


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x7fELF\x01" + bytes(100)])
def test_what_is_no_cubin_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a 64-bit ELF file"):
        read_resources(data)
