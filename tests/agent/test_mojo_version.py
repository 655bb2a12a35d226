from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunetui_agent.build.mojo_toolchain import RUNTIME, Compiler, find_toolchain


def compiler_in(folder: Path) -> Compiler:
    """A program that says a version and notes that it was asked, with the files that the real one has beside it."""
    for name in ("bin/lld", *(f"lib/lib{name}.so" for name in RUNTIME)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    command = folder / "bin" / "mojo"
    command.write_text(f"#!/bin/sh\necho asked >> {folder}/asked\necho 'Mojo 9.9'\n")
    command.chmod(0o755)
    return Compiler(command, folder)


def test_a_compiler_is_asked_for_its_version_once_until_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler, root = compiler_in(tmp_path / "prefix"), tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr("tunetui_agent.build.mojo_toolchain.find_compiler", lambda: compiler)

    def asked() -> int:
        find_toolchain.cache_clear()  # as in a new process
        assert find_toolchain(root).version == "Mojo 9.9"
        return len((tmp_path / "prefix" / "asked").read_text().splitlines())

    try:
        assert [asked(), asked()] == [1, 1]
        os.utime(compiler.linker, (1, 1))
        assert [asked(), asked()] == [2, 2]
        (root / "mojo-version.json").write_text("{torn")
        assert [asked(), asked()] == [3, 3]
    finally:
        find_toolchain.cache_clear()
