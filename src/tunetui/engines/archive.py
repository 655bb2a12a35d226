"""The agent as one file that any Python >= 3.10 can run."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import tunetui_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from types import CodeType

_MAIN = b'import runpy\n\nrunpy.run_module("tunetui_agent", run_name="__main__", alter_sys=True)\n'
_EPOCH = (1980, 1, 1, 0, 0, 0)


@cache
def agent_archive() -> bytes:
    """A .pyz of the agent package: the same bytes for the same source, so that its hash can name it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [("__main__.py", _MAIN), *sorted(_sources(files("tunetui_agent"), "tunetui_agent"))]:
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


@cache
def agent_sha256() -> str:
    """Hex SHA-256 of `agent_archive`."""
    return hashlib.sha256(agent_archive()).hexdigest()


def installed_code(name: str, text: bytes) -> CodeType | None:
    """What Python compiled of an agent's module when it was installed or last loaded, if it is of this very text.

    ``name`` is the module's in the archive.
    """
    path = Path(tunetui_agent.__path__[0]).parent / name
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    try:
        code = SourceFileLoader(module, str(path)).get_code(module)
        return code if path.read_bytes() == text else None
    except (ImportError, OSError):
        return None


def _sources(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _sources(entry, name)
        elif entry.name.endswith(".py"):
            yield name, entry.read_bytes()
