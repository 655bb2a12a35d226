"""Looks for Python modules that implementations require, without importing them: torch alone would take seconds."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from tunetui_agent.messages import Toolchain

_VERSION = re.compile(r"""^__version__(?:: *\w+)? *= *["']([^"']+)["']""", re.MULTILINE)
_VERSION_FILES = ("_version.py", "version.py", "__init__.py")


def find_module(name: str) -> Toolchain:
    """A top-level module of this interpreter as the toolchain ``module:<name>``; its version where that is cheap to know."""
    language = f"module:{name}"
    try:
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
    except (ImportError, ValueError):  # ValueError: a half-initialised module of that name
        spec = None
    if spec is None:
        return Toolchain(language=language, available=False, reason=f"the Python module {name} is not installed")
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    return Toolchain(language=language, available=True, version=_version(name, folders))


def _version(name: str, folders: list[Path]) -> str:
    """Of the distribution with the module's name, else as the module's own files state it, else empty."""
    beside = {path.name for folder in folders for path in folder.parent.glob(f"{name}-*.dist-info")}
    if len(beside) == 1:
        return beside.pop()[len(name) + 1 : -len(".dist-info")]
    from importlib import metadata  # takes long to load

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    for file in [folder / each for folder in folders for each in _VERSION_FILES]:
        try:
            found = _VERSION.search(file.read_text(errors="replace"))
        except OSError:
            continue
        if found:
            return found[1]
    return ""
