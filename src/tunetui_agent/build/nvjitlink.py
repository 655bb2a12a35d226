"""NVIDIA's linker through ctypes: PTX to a cubin, without a toolkit, a driver or a GPU.

Source: nvJitLink documentation, CUDA Toolkit 13.0.  The calls used here are the same since 12.0.
"""

from __future__ import annotations

import ctypes
import re
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_uint32, c_void_p
from dataclasses import dataclass

from tunetui_agent.build.cuda_libraries import candidates

_SUCCESS, _PTX = 0, 2  # nvJitLinkResult, nvJitLinkInputType
_HERE = ("nvidia/cu13/lib", "nvidia/nvjitlink/lib")  # where the wheels of CUDA 13 and 12 put it
_TARGET = re.compile(rb"^\.target\s+(sm_\d+[af]?)", re.MULTILINE)


class NvJitLinkError(Exception):
    """nvJitLink is missing, or refused the PTX; the message is for the user."""


@dataclass(frozen=True)
class Assembled:
    """A cubin, and what the assembler said of its kernels."""

    cubin: bytes
    log: str


class NvJitLink:
    """One loaded nvJitLink library; may be used by several threads at once."""

    def __init__(self, path: str) -> None:
        """Raises NvJitLinkError where ``path`` is no usable nvJitLink."""
        try:
            self._lib = ctypes.CDLL(path)
            self._declare()
            major, minor = c_uint(), c_uint()
            status = self._lib.nvJitLinkVersion(byref(major), byref(minor))
        except (OSError, AttributeError) as error:
            raise NvJitLinkError(f"{path} cannot be used as nvJitLink: {error}") from None
        if status != _SUCCESS:
            raise NvJitLinkError(f"{path} does not tell its version ({status})")
        self.name = f"nvJitLink {major.value}.{minor.value}"

    def assemble(self, ptx: bytes) -> Assembled:
        """The cubin for the architecture that the PTX itself names.  Raises NvJitLinkError with the assembler's words."""
        target = _TARGET.search(ptx)
        if not target:
            raise NvJitLinkError("the PTX names no .target")
        options = (c_char_p * 2)(b"-arch=" + target[1], b"-verbose")
        handle = c_void_p()
        status = self._lib.nvJitLinkCreate(byref(handle), len(options), options)
        if status != _SUCCESS:
            raise NvJitLinkError(f"{self.name} refuses {target[1].decode()} ({status})")
        try:
            status = self._lib.nvJitLinkAddData(handle, _PTX, ptx, len(ptx), b"kernel.ptx")
            status = status or self._lib.nvJitLinkComplete(handle)
            if status != _SUCCESS:
                said = self._read(handle, "ErrorLog").rstrip(b"\0").decode(errors="replace").strip()
                raise NvJitLinkError(said or f"nvJitLink failed ({status})")
            log = self._read(handle, "InfoLog").rstrip(b"\0").decode(errors="replace")
            return Assembled(self._read(handle, "LinkedCubin"), log)
        finally:
            self._lib.nvJitLinkDestroy(byref(handle))

    def _read(self, handle: c_void_p, what: str) -> bytes:
        size = c_size_t()
        getattr(self._lib, f"nvJitLinkGet{what}Size")(handle, byref(size))
        data = ctypes.create_string_buffer(max(size.value, 1))
        if size.value:
            getattr(self._lib, f"nvJitLinkGet{what}")(handle, data)
        return data.raw[: size.value]

    def _declare(self) -> None:
        lib, handle = self._lib, c_void_p
        lib.nvJitLinkVersion.argtypes = [POINTER(c_uint), POINTER(c_uint)]
        lib.nvJitLinkCreate.argtypes = [POINTER(handle), c_uint32, POINTER(c_char_p)]
        lib.nvJitLinkAddData.argtypes = [handle, c_int, c_char_p, c_size_t, c_char_p]
        lib.nvJitLinkComplete.argtypes = [handle]
        lib.nvJitLinkDestroy.argtypes = [POINTER(handle)]
        for what in ("ErrorLog", "InfoLog", "LinkedCubin"):
            getattr(lib, f"nvJitLinkGet{what}Size").argtypes = [handle, POINTER(c_size_t)]
            getattr(lib, f"nvJitLinkGet{what}").argtypes = [handle, c_char_p]


def find_nvjitlink() -> NvJitLink | None:
    """The first usable nvJitLink on this host; None where there is none: the driver then assembles when a kernel is loaded."""
    for path in candidates("nvJitLink", _HERE):
        try:
            return NvJitLink(path)
        except NvJitLinkError:
            continue
    return None
