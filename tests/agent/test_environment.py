"""Environments on a host: which Pythons are looked at, and which environments go when there are too many."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tunetui_agent.environment.folders import READY, built_pythons, python_of, remove_old
from tunetui_agent.environment.interpreters import ask, candidates
from tunetui_agent.folder import HostFolder
from tunetui_agent.runs import collect_garbage

DAY = 86400.0


def environment(host: HostFolder, name: str, *, days_ago: float, size_bytes: int = 1000) -> Path:
    """A folder like one that was built and used then."""
    folder = host.root / "env" / name
    python_of(folder).parent.mkdir(parents=True)
    python_of(folder).write_bytes(b"x" * size_bytes)
    (folder / READY).write_text("{}")
    then = time.time() - days_ago * DAY
    os.utime(folder / READY, (then, then))
    return folder


@pytest.fixture
def host(tmp_path: Path) -> HostFolder:
    found = HostFolder(tmp_path / "tunetui")
    found.prepare()
    return found


def test_environments_that_were_not_used_for_long_go_and_others_stay(host: HostFolder) -> None:
    old, new = environment(host, "old", days_ago=20), environment(host, "new", days_ago=1)
    assert remove_old(host, 14, []) == ["old"]
    assert not old.exists()
    assert new.exists()


def test_of_too_many_the_ones_not_used_for_longest_go(host: HostFolder) -> None:
    for name, days in (("a", 1), ("b", 3), ("c", 2)):
        environment(host, name, days_ago=days)
    assert [python.parents[1].name for python in built_pythons(host.root / "env")] == ["a", "c", "b"]
    assert remove_old(host, 14, [], most_bytes=2500) == ["b"]


def test_an_environment_that_a_run_goes_on_with_stays(host: HostFolder) -> None:
    folder = environment(host, "old", days_ago=20)
    assert remove_old(host, 14, [str(python_of(folder))]) == []
    assert folder.exists()


def test_gc_clears_environments_away_but_none_of_the_last_weeks(host: HostFolder) -> None:
    old, new = environment(host, "old", days_ago=20), environment(host, "new", days_ago=10)
    assert collect_garbage(host, 0, pretend=True) == []
    assert old.exists()
    collect_garbage(host, 0)
    assert not old.exists()
    assert new.exists()


def test_what_builds_left_behind_goes_after_a_day_and_not_before(host: HostFolder) -> None:
    (host.root / "env").mkdir()
    (host.root / "wheels").mkdir()
    left = [host.root / "env" / ".x.1.part", host.root / "wheels" / "a.whl", host.root / "env" / ".x.log"]
    for path in left:
        path.write_bytes(b"")
    held = host.root / "env" / ".x.lock"
    held.write_bytes(b"")
    remove_old(host, 14, [])
    assert all(path.exists() for path in left)
    then = time.time() - 2 * DAY
    for path in [*left, held]:
        os.utime(path, (then, then))
    remove_old(host, 14, [])
    assert not any(path.exists() for path in left)
    assert held.exists()  # somebody may be about to take it


def test_every_program_is_looked_at_once_and_never_a_relative_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("python3", "python3.12"):
        (tmp_path / name).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f".:{tmp_path}:relative:{tmp_path}")
    found = candidates()
    assert [path for path in found if path.parent == tmp_path] == [tmp_path / "python3"]
    assert all(path.is_absolute() for path in found)
    assert len(found) <= 24


def test_a_python_that_answers_with_something_else_is_told(tmp_path: Path) -> None:
    program = tmp_path / "python3"
    for text in ("echo '[1]'", "echo '{\"version\": 3}'", "exit 3", "kill -9 $$", "printf '\\377'"):
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o700)
        assert ask(str(program), "cpu").why


def test_modules_in_the_current_folder_are_not_taken_for_installed_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert ask(sys.executable, "cpu").why == ""
