"""NVIDIA's run-time compiler through ctypes: CUDA C++ text to a cubin, without a toolkit, a driver or a GPU.

Source: NVRTC documentation, CUDA Toolkit 13.0 (the calls used here are unchanged since 11.1).
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from dataclasses import dataclass
from pathlib import Path

from tunetui_agent.build.cuda_libraries import candidates

_SUCCESS, _COMPILATION = 0, 6  # nvrtcResult
_FIRST_WITH_CACHE = (12, 9)
"""From then on NVRTC asks the driver's cache, unless told not to.  Asking opens the driver, and with it every GPU, in each
builder; and what that cache answers comes without the assembler's words, which tell the spills.  Artifacts are kept by
content here anyway, and the machine code is the same to the byte."""
_HERE = ("nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib")  # where the wheels of CUDA 13 and 12 put it


class NvrtcError(Exception):
    """NVRTC is missing or refused; the message is for the user."""


@dataclass(frozen=True)
class Compiled:
    """What one compilation left: ``cubin`` is None where it failed; ``log`` is the compiler's text."""

    cubin: bytes | None
    log: str


class Nvrtc:
    """One loaded NVRTC library.  Compilations in one process are serial; use several processes."""

    def __init__(self, path: str) -> None:
        """Raises NvrtcError where ``path`` is no usable NVRTC."""
        try:
            # NVRTC opens its builtins by bare name, which finds nothing in a wheel's folder: load them first.
            for builtins in Path(path).parent.glob("libnvrtc-builtins.so*"):
                ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
            self._lib = ctypes.CDLL(path)
            self._declare()
            major, minor = c_int(), c_int()
            self._check(self._lib.nvrtcVersion(byref(major), byref(minor)), "nvrtcVersion")
        except (OSError, AttributeError) as error:
            raise NvrtcError(f"{path} cannot be used as NVRTC: {error}") from None
        self.path = path
        self.version = f"{major.value}.{minor.value}"
        self._always = ["-no-cache"] if (major.value, minor.value) >= _FIRST_WITH_CACHE else []

    def architectures(self) -> list[int]:
        """Compute capabilities this compiler knows, such as 80 and 90."""
        count = c_int()
        self._check(self._lib.nvrtcGetNumSupportedArchs(byref(count)), "nvrtcGetNumSupportedArchs")
        found = (c_int * count.value)()
        self._check(self._lib.nvrtcGetSupportedArchs(found), "nvrtcGetSupportedArchs")
        return list(found)

    def compile(self, source: str, name: str, headers: dict[str, str], options: list[str]) -> Compiled:
        """Compile ``source`` to a cubin; ``headers`` maps the names of `#include "..."` to their text.

        A compile error is a `Compiled` without cubin; NvrtcError is for everything else.
        """
        program = c_void_p()
        names = (c_char_p * len(headers))(*(key.encode() for key in headers))
        texts = (c_char_p * len(headers))(*(text.encode() for text in headers.values()))
        created = self._lib.nvrtcCreateProgram(
            byref(program), source.encode(), name.encode(), len(headers), texts, names
        )
        self._check(created, "nvrtcCreateProgram")
        try:
            given = [*self._always, *options]
            arguments = (c_char_p * len(given))(*(option.encode() for option in given))
            status = self._lib.nvrtcCompileProgram(program, len(given), arguments)
            log = self._text(program, "ProgramLog")
            if status == _COMPILATION:
                return Compiled(None, log)
            if status != _SUCCESS:
                raise NvrtcError(f"{self._name(status)}: {log.strip() or ' '.join(options)}")
            return Compiled(self._bytes(program, "CUBIN"), log)
        finally:
            self._lib.nvrtcDestroyProgram(byref(program))

    def _text(self, program: c_void_p, what: str) -> str:
        # The parts of a log that come from different tools are separated by zero bytes.
        return self._bytes(program, what).replace(b"\0", b"").decode(errors="replace")

    def _bytes(self, program: c_void_p, what: str) -> bytes:
        size = c_size_t()
        self._check(getattr(self._lib, f"nvrtcGet{what}Size")(program, byref(size)), f"nvrtcGet{what}Size")
        data = ctypes.create_string_buffer(max(size.value, 1))
        self._check(getattr(self._lib, f"nvrtcGet{what}")(program, data), f"nvrtcGet{what}")
        return data.raw[: size.value]

    def _check(self, status: int, call: str) -> None:
        if status != _SUCCESS:
            raise NvrtcError(f"{call}: {self._name(status)}")

    def _name(self, status: int) -> str:
        return str(self._lib.nvrtcGetErrorString(status).decode(errors="replace"))

    def _declare(self) -> None:
        lib, program = self._lib, c_void_p
        lib.nvrtcGetErrorString.restype = c_char_p
        lib.nvrtcGetErrorString.argtypes = [c_int]
        lib.nvrtcCreateProgram.argtypes = [
            POINTER(program), c_char_p, c_char_p, c_int, POINTER(c_char_p), POINTER(c_char_p),
        ]  # fmt: skip
        lib.nvrtcCompileProgram.argtypes = [program, c_int, POINTER(c_char_p)]
        lib.nvrtcDestroyProgram.argtypes = [POINTER(program)]
        for what in ("ProgramLog", "CUBIN"):
            getattr(lib, f"nvrtcGet{what}Size").argtypes = [program, POINTER(c_size_t)]
            getattr(lib, f"nvrtcGet{what}").argtypes = [program, c_char_p]


def find_nvrtc() -> Nvrtc:
    """The first usable NVRTC: beside this Python (wheels), on the library path, in a toolkit.

    Raises:
        NvrtcError: none was found; says what to install.
    """
    tried = []
    for path in candidates("nvrtc", _HERE):
        try:
            return Nvrtc(path)
        except NvrtcError as error:
            tried.append(str(error))
    said = f" (tried: {'; '.join(tried)})" if tried else ""
    raise NvrtcError(f"NVRTC was not found{said}: pip install nvidia-cuda-nvrtc (CUDA 13) or nvidia-cuda-nvrtc-cu12")
