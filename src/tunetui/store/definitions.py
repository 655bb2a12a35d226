"""Grid files and kernel folders read from disk into `Grid` and `Kernel`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tunetui.core.cleaning import clean
from tunetui.core.decoding import decode_grid, decode_grid_with_mistakes
from tunetui.core.definitions import Grid, Kernel
from tunetui.core.errors import ExpressionError, InputError
from tunetui.core.kernel_decoding import decode_kernel
from tunetui.core.matching import check_grid_against_kernel, resolve_grid
from tunetui.core.mistakes import Mistakes, unknown
from tunetui.core.mistakes import Path as KeyPath
from tunetui.store.shipped import shipped_folder

KERNEL_FILE = "kernel.toml"
SOURCE_SUFFIXES = (".py", ".mojo", ".cu", ".cuh", ".h")
MAX_FILE_BYTES = 1_000_000
MAX_FILES = 200
MAX_FOLDER_BYTES = 8_000_000
"""What a kernel folder may hold: all of it travels to the host with every run."""


class Definitions(NamedTuple):
    """A grid and its kernel, checked against each other; the grid's device and implementations are filled in."""

    grid: Grid
    kernel: Kernel
    places: dict[str, str]  # an expression's text -> the file (or option) and the key path where it stands

    @contextmanager
    def named(self) -> Iterator[None]:
        """What only the values show to be wrong with an expression is told with its file and key path, too."""
        try:
            yield
        except ExpressionError as error:
            place = self.places.get(error.expression)
            message = error.message if place is None else f"{place}: {error.message}"
            raise ExpressionError(message, expression=error.expression, hint=error.hint) from None


def load_definitions(path: Path, overrides: Sequence[str] = ()) -> Definitions:
    """A grid file, ``--set`` options and the kernel that the grid names.

    Raises:
        InputError: every mistake of the first file that has any: file, key path, expected, found.
    """
    return definitions_of(read_text(path), path, overrides)


def definitions_of(text: str, path: Path, overrides: Sequence[str] = ()) -> Definitions:
    """As `load_definitions`, of text that stands or will stand in the grid file ``path``."""
    grid, mistakes = decode_grid_with_mistakes(text, str(path), overrides)
    folder = _kernel_of(grid, path.parent, mistakes)
    kernel = load_kernel(folder)
    mistakes.extend(check_grid_against_kernel(grid, kernel))
    mistakes.raise_if_any()
    places = {text: mistakes.place(place) for text, place in _conditions(grid)}
    known = Mistakes(str(folder / KERNEL_FILE))
    for expression, place in _expressions(kernel):
        places.setdefault(expression, known.place(place))
    return Definitions(resolve_grid(grid, kernel), kernel, places)


def load_grid(path: Path, overrides: Sequence[str] = ()) -> Grid:
    """A grid file with ``--set`` options, not yet checked against its kernel.  Raises InputError."""
    return decode_grid(read_text(path), str(path), overrides)


def shipped_kernels() -> dict[str, Path]:
    """Every kernel that ships with tunetui, with its folder."""
    files = sorted(shipped_folder("kernels").glob(f"*/{KERNEL_FILE}"))
    return {file.parent.name: file.parent for file in files}


def find_kernel(name_or_path: str, base: Path) -> Path:
    """The folder of a shipped kernel's name, or of a path relative to ``base`` (the grid file's folder).

    Raises:
        InputError: neither; lists the shipped kernels.
    """
    shipped = shipped_kernels()
    if name_or_path in shipped:
        return shipped[name_or_path]
    folder = _as_folder(base / name_or_path)
    if folder is not None:
        return folder
    if "/" in name_or_path or name_or_path.startswith("."):
        raise InputError(clean(f"expected a folder with a {KERNEL_FILE}, found none at {base / name_or_path}"))
    expected = f"a kernel that ships with tunetui ({', '.join(shipped)}) or a path such as ./my-kernel"
    raise InputError(clean(f"expected {expected}, found {unknown('kernel', name_or_path, shipped)}"))


def load_kernel(folder: Path) -> Kernel:
    """A kernel folder: ``kernel.toml``, and every source file beside it and below.

    Raises:
        InputError: a file is missing, too large, not UTF-8, or leads out of the folder; or mistakes in the file.
    """
    path = folder / KERNEL_FILE
    return decode_kernel(read_text(path), str(path), _read_sources(folder))


def read_text(path: Path) -> str:
    """A small text file.

    Raises:
        InputError: missing, no file, not readable, too large, or not UTF-8 (with the byte's place).
    """
    try:
        if path.is_dir():
            raise InputError(clean(f"{path}: expected a file, found a folder"))
        if not path.is_file() and path.exists():
            raise InputError(clean(f"{path}: expected a file, found a device or a pipe"))
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(clean(f"{path}: cannot be read: {reason}")) from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(clean(f"{path}: expected at most {MAX_FILE_BYTES:,} bytes, found more"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"found byte 0x{data[error.start]:02x} in line {line}"
        raise InputError(clean(f"{path}: expected UTF-8 text, {found}"), hint="save the file as UTF-8") from None


def _kernel_of(grid: Grid, base: Path, mistakes: Mistakes) -> Path:
    try:
        return find_kernel(grid.kernel, base)
    except InputError as error:
        mistakes.add(("kernel",), error.message)
        mistakes.raise_if_any()
        raise


def _conditions(owner: Grid | Kernel) -> Iterator[tuple[str, KeyPath]]:
    for position, text in enumerate(owner.where):
        yield text, ("constraints", "where", position)


def _expressions(kernel: Kernel) -> Iterator[tuple[str, KeyPath]]:
    """Every expression of a kernel file that is evaluated before a run, with its key path."""
    yield from _conditions(kernel)
    for name, argument in kernel.arguments.items():
        yield argument.value, ("arguments", name, "value")
        for axis, text in enumerate(argument.shape):
            yield text, ("arguments", name, "shape", axis)
    for name, kinds in kernel.implementations.items():
        for kind, definition in kinds.items():
            path = ("implementations", name, kind)
            for position, text in enumerate(definition.where):
                yield text, (*path, "where", position)
            for number, launch in enumerate(definition.launches):
                here = (*path, "launches", number)
                yield launch.shared_bytes, (*here, "shared_bytes")
                for key, texts in (("grid", launch.grid), ("block", launch.block)):
                    for position, text in enumerate(texts):
                        yield text, (*here, key, position)


def _as_folder(path: Path) -> Path | None:
    folder = path.parent if path.name == KERNEL_FILE else path
    try:
        return folder if (folder / KERNEL_FILE).is_file() else None
    except (OSError, ValueError):  # such as a name that is too long, or with a NUL in it
        return None


def _read_sources(folder: Path) -> dict[str, str]:
    inside = folder.resolve()
    files: dict[str, str] = {}
    total_bytes = 0
    for path in _source_paths(folder):
        if not path.resolve().is_relative_to(inside):
            raise InputError(clean(f"{path}: expected a file inside the kernel's folder, found a link out of it"))
        if len(files) == MAX_FILES:
            raise InputError(clean(f"{folder}: expected at most {MAX_FILES} source files in a kernel, found more"))
        text = read_text(path)
        total_bytes += len(text.encode())
        if total_bytes > MAX_FOLDER_BYTES:
            raise InputError(clean(f"{folder}: expected at most {MAX_FOLDER_BYTES:,} bytes of sources, found more"))
        files[path.relative_to(folder).as_posix()] = text
    return files


def _source_paths(folder: Path) -> list[Path]:
    """Source files in a fixed order; hidden folders, caches and linked folders are not looked into."""
    paths: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        paths += [Path(root, name) for name in sorted(names) if name.endswith(SOURCE_SUFFIXES) and name[0] != "."]
        if len(paths) > MAX_FILES:
            break
    return paths
