"""Where this host may have a library of the CUDA toolkit: in wheels beside this Python, on the library path, in a toolkit."""

from __future__ import annotations

import ctypes.util
import os
import sysconfig
from pathlib import Path

_SYSTEM = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")


def candidates(stem: str, wheel_folders: tuple[str, ...]) -> list[str]:
    """Paths of ``lib<stem>.so*`` in order of preference; ``wheel_folders`` are those of the wheels that bring it."""
    packages = sorted({sysconfig.get_path(kind) for kind in ("purelib", "platlib")})
    packages += [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    found = [path for root in packages for part in wheel_folders for path in _libraries(stem, Path(root, part))]
    known = ctypes.util.find_library(stem)
    found += [known] if known else []
    toolkits = sorted(Path("/usr/local").glob("cuda*/lib64"), reverse=True)
    found += [path for folder in [*toolkits, *map(Path, _SYSTEM)] for path in _libraries(stem, folder)]
    return list(dict.fromkeys(found))


def _libraries(stem: str, folder: Path) -> list[str]:
    """Newest first; what lies beside it under a longer name is another library."""
    return sorted(map(str, folder.glob(f"lib{stem}.so*")), reverse=True)
