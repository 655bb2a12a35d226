"""The agent with its modules compiled: the same agent, sealed against damage, and still one for other Pythons."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tunetui.engines.archive import agent_archive
from tunetui_agent.compiled import sealed, write_compiled


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    path.write_bytes(agent_archive())
    return path


def from_source(_name: str, _text: bytes) -> None:
    """Nothing is compiled already."""


def run(python: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run([python, "-I", *arguments], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_every_module_is_compiled_and_every_source_is_kept(packed: Path) -> None:
    (packed.parent / "compiled.pyz").write_bytes(sealed(packed, from_source))
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(packed.parent / "compiled.pyz") as made:
        names = source.namelist()
        assert sorted(made.namelist()) == sorted([*names, *(f"{name}c" for name in names)])
        assert all(made.read(name) == source.read(name) for name in names)


def test_the_last_bytes_are_the_hash_of_the_others(packed: Path) -> None:
    target = packed.with_name("compiled.pyz")
    write_compiled(packed, target)
    data = target.read_bytes()
    assert data[-64:].decode() == hashlib.sha256(data[:-64]).hexdigest()
    assert sorted(path.name for path in packed.parent.iterdir()) == ["agent.pyz", "compiled.pyz"]


def test_the_compiled_agent_answers_as_the_other_does_and_runs_no_source(packed: Path, tmp_path: Path) -> None:
    target = tmp_path / "compiled.pyz"
    assert run(sys.executable, str(packed), "compile", "--output", str(target)) == {"ok": True}
    assert run(sys.executable, str(target), "list", "--root", str(tmp_path / "root")) == {"ok": True, "runs": []}
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import tunetui_agent.folder as f, json;"
        "print(json.dumps({'loaded': f.__cached__ or f.__file__}))"
    )
    assert str(run(sys.executable, "-c", code)["loaded"]).endswith("folder.pyc")


def test_another_python_finds_the_sources(packed: Path, tmp_path: Path) -> None:
    target = tmp_path / "compiled.pyz"
    data = bytearray(sealed(packed, from_source))
    import importlib.util

    target.write_bytes(bytes(data).replace(importlib.util.MAGIC_NUMBER, b"\x00\x00\r\n"))  # of a Python of long ago
    assert run(sys.executable, str(target), "list", "--root", str(tmp_path / "root")) == {"ok": True, "runs": []}


def test_a_folder_that_is_gone_is_told(packed: Path, tmp_path: Path) -> None:
    answer = run(sys.executable, str(packed), "compile", "--output", str(tmp_path / "none" / "x.pyz"))
    assert answer["error"] == "folder"
