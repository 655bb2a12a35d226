"""Assembles PTX without a CUDA toolkit or a GPU: through the nvPTXCompiler library that comes with Mojo's max-core.

Source: PTX Compiler API, CUDA Toolkit 13.
"""

from __future__ import annotations

import ctypes
import re
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from functools import lru_cache
from typing import Any

from tunetui_agent.build.mojo_toolchain import find_compiler

_SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


def assemble(ptx: str, architecture: str) -> tuple[bytes, int]:
    """The cubin, and the most bytes that a thread spills.  Raises ValueError with the assembler's words."""
    library, handle = _library(), c_void_p()
    text = ptx.encode()
    assert library.nvPTXCompilerCreate(byref(handle), len(text), text) == 0
    try:
        options = (c_char_p * 2)(f"--gpu-name={architecture}".encode(), b"--verbose")
        status = library.nvPTXCompilerCompile(handle, len(options), options)
        if status != 0:
            raise ValueError(_read(library, handle, "ErrorLog").decode(errors="replace"))
        log = _read(library, handle, "InfoLog").decode(errors="replace")
        spills = [max(map(int, pair)) for pair in _SPILLS.findall(log)]
        assert spills, log
        return _read(library, handle, "CompiledProgram"), max(spills)
    finally:
        library.nvPTXCompilerDestroy(byref(handle))


def _read(library: Any, handle: c_void_p, what: str) -> bytes:
    size = c_size_t()
    assert getattr(library, f"nvPTXCompilerGet{what}Size")(handle, byref(size)) == 0
    data = ctypes.create_string_buffer(size.value + 1)
    assert getattr(library, f"nvPTXCompilerGet{what}")(handle, data) == 0
    return data.raw[: size.value]


@lru_cache(maxsize=1)
def _library() -> Any:
    compiler = find_compiler()
    assert compiler is not None
    library: Any = ctypes.CDLL(str(compiler.libraries / "libNVPTX.so"))
    library.nvPTXCompilerCreate.argtypes = [POINTER(c_void_p), c_size_t, c_char_p]
    library.nvPTXCompilerCompile.argtypes = [c_void_p, c_int, POINTER(c_char_p)]
    library.nvPTXCompilerDestroy.argtypes = [POINTER(c_void_p)]
    for what in ("ErrorLog", "InfoLog", "CompiledProgram"):
        getattr(library, f"nvPTXCompilerGet{what}Size").argtypes = [c_void_p, POINTER(c_size_t)]
        getattr(library, f"nvPTXCompilerGet{what}").argtypes = [c_void_p, c_char_p]
    return library
