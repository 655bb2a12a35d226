"""Finds the Mojo compiler of this host, runs it, and says in the user's words what it complained of."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tunetui_agent.folder import read_object, write_object
from tunetui_agent.messages import Toolchain

INSTALL = 'pip install "tunetui[mojo]"'

RUNTIME = ("KGENCompilerRTShared", "AsyncRTMojoBindings", "AsyncRTRuntimeGlobals", "MSupportGlobals")
"""Libraries that a shared library made by Mojo needs at run time, without ``lib`` and ``.so``."""

_NOTE = "mojo-version.json"
_GENERIC = re.compile(r"function instantiation failed|failed to (run the pass manager|parse)|call expansion failed")
_LOCATED = re.compile(r"^(?P<path>.*?\.mojo):(?P<line>\d+):\d+: (?P<kind>error|note): (?P<text>.*)$", re.MULTILINE)
_EXPANDED = re.compile(
    r"^.*?\.mojo:(?P<line>\d+):\d+: note: call expansion failed with parameter value\(s\): \((?P<values>.*)\)$",
    re.MULTILINE,
)
_PARAMETER = re.compile(r'"\w+": ("(?:[^"\\]|\\.)*"|[^,]+)')


@dataclass(frozen=True)
class Compiler:
    """The command, and the folder of the ``modular`` package with its linker and libraries."""

    command: Path
    package: Path

    @property
    def linker(self) -> Path:
        """The lld that comes with the compiler: no C compiler is needed on the host."""
        return self.package / "bin" / "lld"

    @property
    def libraries(self) -> Path:
        """The runtime libraries."""
        return self.package / "lib"


@dataclass(frozen=True)
class Run:
    """What a compiler process left."""

    ok: bool
    text: str


def find_compiler() -> Compiler | None:
    """``mojo`` beside this interpreter, then on PATH; None where there is none with its package."""
    beside = Path(sys.executable).with_name("mojo")
    on_path = shutil.which("mojo")
    for command in (beside, Path(on_path) if on_path else None):
        if command is None or not command.exists():
            continue
        prefix = command.parent.parent
        for package in (*sorted(prefix.glob("lib/python3*/site-packages/modular")), prefix):
            if (package / "bin" / "lld").exists():
                return Compiler(command, package)
    return None


@lru_cache(maxsize=2)
def find_toolchain(cache: Path | None = None) -> Toolchain:
    """The Mojo toolchain of this host, or why there is none that can build.

    ``cache`` is a folder that remembers what a compiler whose files are the same said of itself: to start it takes long.
    """
    compiler = find_compiler()
    if compiler is None:
        return _missing(f"no Mojo compiler beside {sys.executable} nor on PATH")
    lacking = [name for name in RUNTIME if not (compiler.libraries / f"lib{name}.so").exists()]
    if lacking:
        return _missing(f"the Mojo at {compiler.command} lacks lib{lacking[0]}.so (package max-core)")
    stamp, version = _stamp(compiler), ""
    note = (read_object(cache / _NOTE) or {}) if cache else {}
    if stamp and note.get("stamp") == stamp:
        version = str(note.get("version", ""))
    if not version:
        run = run_tool([str(compiler.command), "--version"], compiler, None, 60.0)
        if not run.ok:
            return _missing(f"{compiler.command} --version failed: {run.text.strip()[:200]}")
        version = run.text.strip().splitlines()[-1]
        if cache and stamp:
            with contextlib.suppress(OSError):  # it is asked again, then
                write_object(cache / _NOTE, {"stamp": stamp, "version": version})
    return Toolchain(language="mojo", available=True, version=version)


def _stamp(compiler: Compiler) -> list[list[str | int]]:
    """What changes with the compiler: its files, their times and sizes; empty where they cannot be looked at."""
    files = [compiler.command, compiler.package / "bin" / "mojo", compiler.linker]
    try:
        found = [(file, file.stat()) for file in files if file.exists()]
    except OSError:
        return []
    return [[str(file), status.st_ino, status.st_size, status.st_mtime_ns] for file, status in found]


def stand_in_for_cc(folder: Path) -> None:
    """Puts a ``cc`` into the folder: Mojo 1.2 wants one on PATH even for ``--emit object``, and never calls it."""
    (folder / "cc").write_text("#!/bin/sh\necho 'this cc only stands in' >&2\nexit 1\n")
    (folder / "cc").chmod(0o755)


def run_tool(
    command: list[str], compiler: Compiler, cache: Path | None, timeout_seconds: float, last_on_path: str = ""
) -> Run:
    """Runs a tool of the toolchain; ``cache`` is where Mojo keeps its own compilation cache.

    ``last_on_path`` is a folder searched after all others.  The text is what it wrote to stderr and stdout.  Too slow, or not to be started: not ok, with a text that says so.
    """
    folders = [str(compiler.command.parent), os.environ.get("PATH", ""), last_on_path]
    environment = {**os.environ, "PATH": os.pathsep.join(folder for folder in folders if folder)}
    if cache is not None:
        environment["MODULAR_CACHE_DIR"] = str(cache)
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Run(False, f"the Mojo compiler did not finish within {timeout_seconds:g} s")
    except OSError as error:
        return Run(False, f"the Mojo compiler could not be started: {error}")
    return Run(done.returncode == 0, (done.stderr + done.stdout).decode(errors="replace"))


def explain(text: str) -> str:
    """``file:line: message`` of the most useful line of a failed compilation.

    Useful is a failed constraint, else the first error that is no mere consequence (facts of Mojo 1.2's diagnostics).
    """
    located = list(_LOCATED.finditer(text))
    chosen = [m for m in located if "constraint failed:" in m["text"]][-1:]
    chosen += [m for m in located if m["kind"] == "error" and not _GENERIC.search(m["text"])]
    chosen += located
    if chosen:
        return f"{Path(chosen[0]['path']).name}:{chosen[0]['line']}: {chosen[0]['text']}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    useful = [line for line in lines if "error" in line and not _GENERIC.search(line)]
    return (useful or lines or ["the compiler failed without a word"])[0]


def blamed_lines(text: str, file: str) -> set[int]:
    """The lines of ``file`` that errors and notes point at."""
    return {int(m["line"]) for m in _LOCATED.finditer(text) if Path(m["path"]).name == file}


def instantiation_failures(text: str) -> list[tuple[int, tuple[str, ...], str]]:
    """Of every parametric function that the compiler could not make: its line, its parameter values, what was said of it."""
    starts = [m.start() for m in _LOCATED.finditer(text) if m["kind"] == "error"]
    ends = [*starts, len(text)][1:]  # empty where the compiler said nothing in its own form, as when it was stopped
    blocks = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    return [
        (int(m["line"]), tuple(_PARAMETER.findall(m["values"])), block)
        for block in blocks
        for m in _EXPANDED.finditer(block)
    ]


def is_source_error(text: str) -> bool:
    """Whether the compiler stopped while parsing: then no variant of the same source can be built."""
    return "failed to parse" in text


def _missing(why: str) -> Toolchain:
    return Toolchain(language="mojo", available=False, reason=f"{why}; install it with: {INSTALL}")
