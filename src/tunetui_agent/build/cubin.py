"""What a cubin says of its kernels: registers, shared and local memory, read from the ELF itself.

Source: ELF-64 layout (System V ABI) and the ``.nv.info`` attributes as ``cuobjdump --dump-elf`` prints them
(EIATTR_REGCOUNT 0x2f, EIATTR_FRAME_SIZE 0x11, EIATTR_MIN_STACK_SIZE 0x12); checked against ``ptxas -v``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

_REGISTERS, _FRAME, _STACK = 0x2F, 0x11, 0x12
_SIZED = 4  # format of an .nv.info entry that carries a counted value


@dataclass(frozen=True)
class KernelResources:
    """Of one kernel, per thread or per block as named.  ``stack_bytes`` above 0 means spills or local arrays."""

    registers: int = 0
    static_shared_bytes: int = 0
    frame_bytes: int = 0
    stack_bytes: int = 0


def read_resources(cubin: bytes) -> dict[str, KernelResources]:
    """Resources by kernel name.  Raises ValueError where the bytes are no 64-bit CUDA ELF."""
    if cubin[:5] != b"\x7fELF\x02":
        raise ValueError("not a 64-bit ELF file")
    try:
        sections = _sections(cubin)
        symbols = _symbols(cubin, sections)
        found = _attributes(cubin, sections[".nv.info"], symbols)
    except (struct.error, KeyError, IndexError, ValueError) as error:
        raise ValueError(f"not a readable cubin: {error}") from None
    for name, (_, size, _) in sections.items():
        kernel = name.removeprefix(".nv.shared.")
        if kernel != name and kernel in found:
            found[kernel] = replace(found[kernel], static_shared_bytes=size)
    return {name: kernel for name, kernel in found.items() if f".text.{name}" in sections}


def _sections(cubin: bytes) -> dict[str, tuple[int, int, int]]:
    """Name to (offset, size, linked section's index); later sections of one name win."""
    (table,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names_index = struct.unpack_from("<HHH", cubin, 58)
    heads = [struct.unpack_from("<IIQQQQIIQQ", cubin, table + i * size) for i in range(count)]
    names = heads[names_index][4]
    return {_text(cubin, names + head[0]): (head[4], head[5], head[6]) for head in heads}


def _symbols(cubin: bytes, sections: dict[str, tuple[int, int, int]]) -> list[str]:
    offset, size, _ = sections[".symtab"]
    strings = sections[".strtab"][0]
    return [_text(cubin, strings + struct.unpack_from("<I", cubin, offset + at)[0]) for at in range(0, size, 24)]


def _attributes(cubin: bytes, info: tuple[int, int, int], symbols: list[str]) -> dict[str, KernelResources]:
    found: dict[str, KernelResources] = {}
    at, end = info[0], info[0] + info[1]
    while at + 4 <= end:
        form, attribute, size = struct.unpack_from("<BBH", cubin, at)
        at += 4
        if form != _SIZED:
            continue
        if attribute in (_REGISTERS, _FRAME, _STACK) and size >= 8:
            symbol, value = struct.unpack_from("<II", cubin, at)
            name = symbols[symbol]
            known = found.get(name, KernelResources())
            key = {_REGISTERS: "registers", _FRAME: "frame_bytes", _STACK: "stack_bytes"}[attribute]
            found[name] = replace(known, **{key: value})
        at += size
    return found


def _text(cubin: bytes, at: int) -> str:
    return cubin[at : cubin.index(b"\0", at)].decode(errors="replace")
