"""Where this host may have a library of the CUDA toolkit: in wheels beside this Python, on the library path, in a toolkit."""

from __future__ import annotations

import ctypes.util
import os
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")


def candidates(stem: str, wheel_folders: tuple[str, ...]) -> Iterator[str]:
    """Paths of ``lib<stem>.so*`` in order of preference; ``wheel_folders`` are those of the wheels that bring it.

    Whoever takes the first spares what looking further costs: the library path is told by processes, compilers among them.
    """
    seen: set[str] = set()
    for path in _everywhere(stem, wheel_folders):
        if path not in seen:
            seen.add(path)
            yield path


def _everywhere(stem: str, wheel_folders: tuple[str, ...]) -> Iterator[str]:
    packages = sorted({sysconfig.get_path(kind) for kind in ("purelib", "platlib")})
    packages += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    for root in packages:
        for part in wheel_folders:
            yield from _libraries(stem, Path(root, part))
    if known := ctypes.util.find_library(stem):
        yield known
    for folder in [*sorted(Path("/usr/local").glob("cuda*/lib64"), reverse=True), *map(Path, _SYSTEM)]:
        yield from _libraries(stem, folder)


def _libraries(stem: str, folder: Path) -> list[str]:
    """Newest first; what lies beside it under a longer name is another library."""
    return sorted(map(str, folder.glob(f"lib{stem}.so*")), reverse=True)
