"""Loads what a kernel folder and a builder made: Python modules from text, functions of shared libraries from artifacts."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import linecache
import traceback
from collections.abc import Callable
from functools import lru_cache
from importlib.abc import SourceLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from tunetui_agent.faults import TrialFault

C_SCALARS: dict[str, Any] = {
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "uint32": ctypes.c_uint32,
    "uint64": ctypes.c_uint64,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}
"""Scalar arguments that a built CPU kernel can take, by NumPy dtype name."""


class _TextLoader(SourceLoader):
    """Gives the import machinery a text that came with the run, so that tracebacks show its lines."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_data(self, path: str | bytes) -> bytes:
        if path != self._path:
            raise OSError(f"{path!r} is not part of the run")  # so that no .pyc is looked for
        return self._text.encode()


def load_python(files: dict[str, str], name: str) -> ModuleType:
    """The module whose source is ``files[name]``.

    Raises:
        TrialFault: (errored) no such file, or running its top level raised.
    """
    if name not in files:
        raise TrialFault("errored", f"the kernel has no file {name!r}; it has {', '.join(sorted(files))}")
    return _load_text(name, files[name])


@lru_cache(maxsize=64)
def _load_text(name: str, text: str) -> ModuleType:
    """One module per text and process: what a kernel keeps, such as a thread pool, is made once and not per trial."""
    path = f"<kernel>/{name}"
    linecache.cache.pop(path, None)  # an older text of the same name must not appear in tracebacks
    module_name = "tunetui_kernel_" + "".join(c if c.isalnum() else "_" for c in name)
    spec = importlib.util.spec_from_loader(module_name, _TextLoader(path, text), origin=path)
    if spec is None or spec.loader is None:
        raise TrialFault("errored", f"{name} cannot be loaded as a module")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        raise TrialFault("errored", f"loading {name}: {one_line(error)}", traceback.format_exc()) from error
    return module


def function_of(module: ModuleType, name: str, file: str) -> Callable[..., Any]:
    """A function of a loaded module.  Raises `TrialFault` (errored) where it is missing."""
    found = getattr(module, name, None)
    if not callable(found):
        raise TrialFault("errored", f"{file} defines no function {name!r}")
    return found  # type: ignore[no-any-return]


def one_line(error: BaseException) -> str:
    """``ValueError: what it says``, on one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def load_shared(artifact: str) -> Any:
    """The exported function of a shared-library artifact folder, as a ctypes function without argument types.

    Raises:
        TrialFault: (errored) the folder is no artifact, or the library does not load here.
    """
    folder = Path(artifact)
    try:
        meta = json.loads((folder / "artifact.json").read_text())
        library = ctypes.CDLL(str(folder / meta["file"]))
        function = getattr(library, meta["symbol"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise TrialFault("errored", f"the built library does not load: {one_line(error)}") from error
    function.restype = None
    return function
