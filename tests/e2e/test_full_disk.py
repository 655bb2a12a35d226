"""Disks that are full: for the outputs, for the journal, for the agent's folder.  Said so, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workplace import Workplace, finished
from tunetui.core.errors import ExitCode

NUMBERS = list(range(1, 41))
FULL = "No space left on device"


class SmallDisk:
    """A file system of its own in memory; needs root."""

    def __init__(self, folder: Path, size: str) -> None:
        folder.mkdir()
        self.folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no mount here to make a small disk with")
        if done.returncode:
            pytest.skip(f"a small disk cannot be made here: {done.stderr.strip()}")

    def leave(self, size_bytes: int) -> None:
        """Fill it up but for this much."""
        space = os.statvfs(self.folder)
        rest = space.f_bavail * space.f_frsize - size_bytes
        (self.folder / "filler").write_bytes(b"x" * max(0, rest))

    def make_room(self) -> None:
        (self.folder / "filler").unlink()

    def end(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def disk(workplace: Workplace) -> Iterator[SmallDisk]:
    small = SmallDisk(workplace.folder / "disk", "4m")
    workplace.grid(number=str(NUMBERS))
    yield small
    workplace.end()
    small.end()


def complete(workplace: Workplace) -> None:
    assert list(workplace.outcomes().values()) == [1] * len(NUMBERS)
    assert {row["status"] for row in workplace.rows().values()} == {"measured"}
    assert workplace.agents() == []


def test_outputs_on_a_full_disk_keep_the_old_ones_and_cost_no_measurement(
    workplace: Workplace, disk: SmallDisk
) -> None:
    workplace.run("-o", "disk/out", "--set", "axes.number=1,2", "--format", "none")
    before = {path: path.read_bytes() for path in disk.folder.iterdir()}
    disk.leave(8192)
    out, err = workplace.run("-o", "disk/out", code=ExitCode.UNAVAILABLE)
    assert f"cannot write {disk.folder / 'out.leaderboard'}" in err
    assert FULL in err
    assert "not ranked" not in out  # the table is printed all the same
    assert "impl" in out
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in disk.folder.iterdir()} == {"filler", *(path.name for path in before)}

    disk.make_room()
    _, err = workplace.run("-o", "disk/out", "--format", "none")
    assert "40 rows done, 0 trials to measure" in err


def test_a_journal_on_a_full_disk_stops_the_run_and_the_next_one_takes_over_what_the_agent_had(
    workplace: Workplace, disk: SmallDisk
) -> None:
    workplace.data = disk.folder
    workplace.environment["XDG_DATA_HOME"] = str(disk.folder)
    disk.leave(40_960)
    _, err = workplace.run("--format", "none", code=ExitCode.UNAVAILABLE)
    assert f"cannot write {workplace.journal}: {FULL}" in err
    assert "make room" in err
    done = len(workplace.outcomes())
    assert done < len(NUMBERS)

    disk.make_room()
    workplace.run("--format", "none")
    complete(workplace)
    assert workplace.every_record_once()


def test_an_agent_s_folder_on_a_full_disk_ends_the_run_with_its_reason(workplace: Workplace, disk: SmallDisk) -> None:
    workplace.cache = disk.folder
    workplace.environment["XDG_CACHE_HOME"] = str(disk.folder)
    disk.leave(16_384)
    _, err = workplace.run(code=ExitCode.UNAVAILABLE)  # not even room for the agent itself
    assert f"cannot write the agent to {disk.folder / 'tunetui' / 'agent'}: {FULL}" in err
    disk.make_room()
    workplace.run("--dry-run")  # places the agent
    disk.leave(16_384)
    _, err = workplace.run(code=ExitCode.UNAVAILABLE)  # no room for the run's own files
    assert "refused to start" in err
    assert FULL in err
    disk.make_room()
    disk.leave(65_536)
    out, err = workplace.run(code=ExitCode.UNAVAILABLE)
    assert "disk full: the journal of this run cannot be written any further" in err
    assert 0 < len(workplace.outcomes()) < len(NUMBERS)
    assert workplace.leaderboard()["run"]["ended"] == "failed"
    assert "(failed before its end)" in " ".join(out.split())

    disk.make_room()
    workplace.run("--format", "none")
    complete(workplace)


def test_a_limit_on_file_sizes_ends_the_run_as_a_full_disk_does(workplace: Workplace) -> None:
    workplace.grid(number=str(NUMBERS))
    workplace.run("--dry-run")
    command = ["bash", "-c", 'ulimit -S -f 24 && exec "$@"', "bash"]  # 24 KiB
    run = workplace.tunetui("--batch", "grid.toml", "--format", "none", before=command)
    _, err = finished(run, ExitCode.UNAVAILABLE)
    assert "make room" in err or "disk full" in err  # the app's journal or the agent's, whichever is first
    workplace.run("--format", "none")
    complete(workplace)
    assert workplace.every_record_once()
