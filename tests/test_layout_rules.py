"""The sizes, names and docstrings that keep every file readable in one sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for top in ("src", "kernels") for path in (ROOT / top).rglob("*.py"))
KERNEL_SOURCES = sorted(path for path in (ROOT / "kernels").rglob("*") if path.suffix in {".mojo", ".cu", ".cuh"})

LONGEST_FILE_LINES = 400
LONGEST_FUNCTION_LINES = 60
LONGEST_CLASS_LINES = 250
SAYS_NOTHING = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
ONLY_KNOWN_TO = {
    "textual": "src/tunetui/tui/",
    "asyncssh": "src/tunetui/engines/ssh/",
    "dask": "src/tunetui/engines/dask.py",
    "distributed": "src/tunetui/engines/dask.py",
    "httpx": "src/tunetui/hosts/lambda_cloud.py",
}


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) > 10
    assert any(path.name == "messages.py" for path in MODULES)


def test_a_file_is_short_enough_to_read() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES + KERNEL_SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE_LINES} == {}


def test_functions_and_classes_stay_short() -> None:
    long = []
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) >= LONGEST_FUNCTION_LINES:
                long.append(f"{named(path)}: {node.name}: {lines_of(node)} lines")
            if isinstance(node, ast.ClassDef) and lines_of(node) >= LONGEST_CLASS_LINES:
                long.append(f"{named(path)}: class {node.name}: {lines_of(node)} lines")
    assert long == []


def test_a_module_begins_by_saying_its_one_job() -> None:
    first = {
        named(path): (ast.get_docstring(tree) or "").partition("\n")[0]
        for path, tree in trees().items()
        if path.name != "__init__.py" or tree.body
    }
    assert {name: line for name, line in first.items() if not line.endswith((".", ":"))} == {}, "no sentence"


def test_a_file_is_named_for_what_is_in_it() -> None:
    parts = {
        named(path): {
            part for name in (path.stem, *path.relative_to(ROOT).parent.parts) for part in name.lower().split("_")
        }
        for path in MODULES
    }
    assert [name for name, words in parts.items() if words & SAYS_NOTHING] == []


def test_each_outside_library_is_known_in_one_place() -> None:
    strays = []
    for path, tree in trees().items():
        libraries = {name.partition(".")[0] for name in imported(tree)}
        strays += [
            f"{named(path)} knows {library}"
            for library, place in ONLY_KNOWN_TO.items()
            if library in libraries and not named(path).startswith(place)
        ]
    assert strays == []


def test_there_is_no_simulated_device_or_engine() -> None:
    assert [named(path) for path in MODULES if "simulat" in path.stem or "fake" in path.stem] == []
