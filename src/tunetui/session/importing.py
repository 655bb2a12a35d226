"""A T1 file made into a kernel folder and a grid on disk; nothing that is there is written over."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.imports.folder import (
    COMPILED,
    IMPLEMENTATION,
    compiled_source,
    grid_table,
    included_name,
    kernel_table,
    missing_source,
    notes,
    reference,
)
from tunetui.core.imports.t1 import Imported, read_t1
from tunetui.core.planning import forecast
from tunetui.session.saving import save_files
from tunetui.store.definitions import KERNEL_FILE, MAX_FILE_BYTES, load_definitions, read_text
from tunetui.store.toml_writing import dumps

_C_LINKAGE = re.compile(r'extern\s+"C"')
_QUOTED_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"\n]+)"', re.MULTILINE)


class ImportedFiles(NamedTuple):
    """What was written, and what could not be carried."""

    kernel: Path
    grid: Path
    combinations: int
    """Of the axes' values."""
    configurations: int | None
    """What constraints leave of them; None where that is too many to count."""
    lost: list[str]


def import_t1(path: Path, folder: Path | None, name: str = "", kernel_file: Path | None = None) -> ImportedFiles:
    """Read ``path`` and write ``folder`` (by default the kernel's name, here) and the grid beside it.

    ``kernel_file`` is the CUDA source, where it does not lie beside the T1 file.

    Raises:
        InputError: every mistake in the file; or something is there already.
    """
    one = read_t1(_read_json(path), str(path), name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", one.name):
        raise InputError(
            f"{path}: no name for the kernel can be made of {clean(one.name)!r}", hint="name it: --name gemm"
        )
    target = folder if folder is not None else Path(one.name)
    grid = target.with_name(f"{target.name}.toml")
    for each in (target, grid):
        if each.exists():
            raise InputError(f"{each} is there already", hint="import into another folder: -o NAME")
    included = included_name(one.source)
    text, lost = _source(one, path, kernel_file, included)
    one = msgspec.structs.replace(one, lost=[*lost, *one.lost])
    files = {
        KERNEL_FILE: dumps(kernel_table(one)),
        COMPILED: compiled_source(one, included, bare=not _C_LINKAGE.search(text)),
        included: text,
        "reference.py": reference(one),
        "IMPORT.md": notes(one, _origin(path, one)),
    }
    _write(target, grid, files, dumps(grid_table(one, f"./{target.name}")))
    try:
        definitions = load_definitions(grid)  # what was written must read back: a grid of its kernel
        counts = forecast(definitions.grid, definitions.kernel, None, []).counts[IMPLEMENTATION]
    except TunetuiError as error:
        _take_back(target, grid, files)
        raise InputError(f"{path}: {error.message}", hint=error.hint) from None
    return ImportedFiles(target, grid, counts.cartesian, counts.valid, one.lost)


def _read_json(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        data = json.loads(text, parse_constant=_refused)
    except RecursionError:
        raise InputError(f"{path}: not JSON that can be read: nested too deeply") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {clean(str(error))}") from None
    if not isinstance(data, dict):
        raise InputError(
            f"{path}: expected a table with ConfigurationSpace and KernelSpecification, found a list or a value"
        )
    return data


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _source(one: Imported, path: Path, given: Path | None, included: str) -> tuple[str, list[str]]:
    """The kernel's text: of the file named by the user, else of one that lies with the T1 file; and what is lost."""
    file = given if given is not None else _beside(path, one.source)
    if file is None:
        return missing_source(included), [
            f"the kernel's source {clean(one.source)}: put it in place of {included}, or import with --kernel-file"
        ]
    text = read_text(file)
    headers = list(dict.fromkeys(_QUOTED_INCLUDE.findall(text)))
    return text, [
        f"headers that the source includes ({', '.join(map(clean, headers))}): put them beside it"
    ] if headers else []


def _beside(path: Path, source: str) -> Path | None:
    """The source where it lies in the T1 file's folder or below: no file chooses what else of this machine is read."""
    root = path.resolve().parent
    file = (root / source).resolve()
    inside = file.is_relative_to(root) and file.is_file() and file.stat().st_size <= MAX_FILE_BYTES
    return file if inside else None


def _origin(path: Path, one: Imported) -> dict[str, str]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"imported from": f"{path.name} (sha256 {digest})", "kernel": one.entry, "source": clean(one.source)}


def _take_back(target: Path, grid: Path, files: Iterable[str]) -> None:
    """Nothing is left of what no run could take, so that a better file may be imported to the same place."""
    for each in [*(target / name for name in files), grid]:
        each.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody else's file is in it by now
        target.rmdir()


def _write(target: Path, grid: Path, files: dict[str, str], grid_text: str) -> None:
    try:
        target.mkdir(parents=True)
    except OSError as error:
        raise TunetuiError(f"{target} cannot be made: {error.strerror}") from None
    save_files({target / name: text.encode() for name, text in files.items()} | {grid: grid_text.encode()})
