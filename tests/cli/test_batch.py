"""``tunetui --batch`` from outside: real processes, real measurements of a small search on this CPU."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
import pytest

from tests.cli.boards import GRID_WITH_CLAIM, failed, leaderboard, outcomes, ref
from tests.e2e.workplace import PATIENCE_SECONDS, called, until
from tests.e2e.workplace import Workplace as Gated
from tunetui.cli.batch import exit_code
from tunetui.core.errors import ExitCode
from tunetui.core.leaderboard import Leaderboard
from tunetui.store.runs import RunFolder

GRID = """
name = "tiny"
kernel = "semantic-search"
implementations = ["numpy"]
device = "cpu"
[axes]
tile_rows = [256, 512]
select = ["sort"]
threads = [1]
[problem]
corpus_size = 500
dims = 16
queries = 1
k = 3
[method]
max_seconds = {seconds}
ceilings = "none"
energy = "none"
precision_percent = {precision}
[targets]
"latency_ms.median" = "{target}"
"""


class Workplace:
    """A folder with a grid, and tunetui's own folders apart from everybody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "XDG_DATA_HOME": str(folder / "data"), "XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config"),
        }  # fmt: skip

    def write_grid(self, *, seconds: float = 0.2, precision: float = 50.0, target: str = "< 10_000") -> None:
        text = GRID.format(seconds=seconds, precision=precision, target=target)
        (self.folder / "tiny.toml").write_text(text)

    def start(self, *options: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tunetui", "--batch", "tiny.toml", *options]
        run = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=stdout, stderr=subprocess.PIPE)
        self.started.append(run)
        return run

    def run(self, *options: str, code: int = 0) -> tuple[str, str]:
        """In this process, as half of what such a run costs is the start of another."""
        return called(self.folder, self.environment, "--batch", "tiny.toml", *options, code=code)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.leaderboard.*"))


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(tmp_path)
    place.write_grid()
    yield place
    for run in place.started:
        if run.poll() is None:
            run.kill()
            run.communicate()


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[Gated]:
    """Trials that each stand still until their gate is open."""
    place = Gated(tmp_path)
    place.grid(how='["waits"]', number="[1, 2, 3, 4]")
    yield place
    place.end()


def kept(gated: Gated) -> dict[Path, tuple[int, int, bytes]]:
    """All that runs keep, here and on the agents' side: inode, time of the last change, content."""
    roots = [gated.data, gated.cache / "tunetui" / "runs"]
    paths = [path for root in roots for path in [root, *root.rglob("*")] if not path.is_fifo()]
    stats = [(path, path.stat()) for path in paths]
    return {
        path: (found.st_ino, found.st_mtime_ns, b"" if path.is_dir() else path.read_bytes()) for path, found in stats
    }


def begun(gated: Gated, run: subprocess.Popen[bytes]) -> int:
    """The number of the first trial, once the journal has it: the run's stdout is for its table."""
    while run.poll() is None:
        lines = gated.journal.read_bytes().splitlines(keepends=True) if gated.journal.exists() else []
        for record in (json.loads(line)["record"] for line in lines if line.endswith(b"\n")):
            if record["kind"] == "TrialStarted":
                return int(record["trial"]["configuration"]["number"])
        time.sleep(0.02)
    raise AssertionError("the run ended before its first trial began")


def after_one_of_four(gated: Gated) -> subprocess.Popen[bytes]:
    """A sweep with one trial done, and another at a standstill or about to begin."""
    run = gated.start()
    gated.open_gate(begun(gated, run))
    until(run.stderr, b"[1/4]")
    return run


def test_a_grid_becomes_a_table_and_two_files_and_nothing_is_measured_twice(workplace: Workplace) -> None:
    out, err = workplace.run()
    assert "semantic-search corpus_size=500" in out
    assert "met        latency_ms.median < 10000" in out
    assert "2 combinations, 2 valid" in err
    assert "[2/2] numpy" in err
    assert workplace.files() == ["tiny.leaderboard.json", "tiny.leaderboard.toml"]
    assert [line for line in err.splitlines() if line.startswith("wrote ")] == [
        f"wrote {workplace.folder / name}" for name in ("tiny.leaderboard.toml", "tiny.leaderboard.json")
    ]

    again, said = workplace.run()
    assert again == out
    assert "2 rows done, 0 trials to measure" in said
    assert "nothing left to measure" in said
    assert "[2/2]" not in said


def test_a_dry_run_says_the_plan_and_writes_nothing(workplace: Workplace) -> None:
    out, err = workplace.run("--dry-run", "--set", "axes.tile_rows=64,128,256")
    assert out == ""
    assert "tile_rows=64|128|256" in err
    assert workplace.files() == []
    assert not (workplace.folder / "data").exists()
    assert called(workplace.folder, workplace.environment, "runs") == ("no runs\n", "")


def test_a_dry_run_foresees_what_a_start_would_find_and_touches_nothing_of_it(gated: Gated) -> None:
    gated.grid(number="[1, 2, 3]")
    gated.run("--format", "none", "--set", "method.finalists=0")
    gated.wait_for_agents()
    lines = gated.journal.read_bytes().splitlines(keepends=True)
    told = next(place for place, line in enumerate(lines) if b'"TrialMeasured"' in line)
    gated.journal.write_bytes(b"".join(lines[:told]) + lines[told][:20])  # whoever followed the agent was killed here
    with RunFolder(gated.journal.parent):
        before = kept(gated)
        _, said = gated.run("--dry-run")
        assert kept(gated) == before
    assert "3 rows done, 0 trials to measure" in said  # of which the agent's host has the outcomes
    assert f"held        another tunetui ({socket.gethostname()}, process {os.getpid()}) has this run in hand" in said
    _, said = gated.run("--dry-run", "--fresh", "--retry-failed")
    assert kept(gated) == before
    assert "fresh       3 rows there would be measured again" in said
    assert "has this run in hand" not in said


def test_events_are_json_lines_as_they_are_journaled(workplace: Workplace) -> None:
    out, _ = workplace.run("--events", "-o", "other", "--set", "method.finalists=0")
    records = [json.loads(line)["record"] for line in out.splitlines()]
    assert records[0]["kind"] == "RunPlanned"
    assert [each["kind"] for each in records if each.get("stage") == "sweep"].count("TrialMeasured") == 2
    assert records[-1]["kind"] == "RunFinished"
    assert workplace.files() == ["other.leaderboard.json", "other.leaderboard.toml"]


def test_json_and_csv_on_stdout_are_what_was_saved(workplace: Workplace) -> None:
    out, _ = workplace.run("--format", "json")
    saved = (workplace.folder / "tiny.leaderboard.json").read_bytes()
    assert msgspec.json.decode(out, type=Leaderboard) == msgspec.json.decode(saved, type=Leaderboard)
    rows = list(csv.DictReader(io.StringIO(workplace.run("--format", "csv")[0])))
    assert sorted(row["tile_rows"] for row in rows) == ["256", "512"]


def test_check_turns_targets_into_an_exit_code(workplace: Workplace) -> None:
    workplace.run("--check", "--format", "none")
    workplace.write_grid(target="< 0.000001")
    out, _ = workplace.run("--check", code=ExitCode.TARGET_MISSED)
    assert "missed     latency_ms.median < 1e-06" in out
    workplace.run(code=ExitCode.OK)


def test_a_bad_grid_is_bad_input(workplace: Workplace) -> None:
    out, err = workplace.run("--set", "axes.tile_rowz=1", code=ExitCode.BAD_INPUT)
    assert out == ""
    assert err.startswith("tunetui: error: ")
    assert "tile_rowz" in err


def test_one_interrupt_finishes_the_present_trial_saves_and_leaves_the_rest_to_the_next_start(gated: Gated) -> None:
    run = after_one_of_four(gated)
    run.send_signal(signal.SIGINT)
    until(run.stderr, b"finishing the present trial")
    gated.open_gate()
    out, _ = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == ExitCode.INTERRUPTED
    assert b"(interrupted)" in out
    assert gated.files() == ["grid.leaderboard.json", "grid.leaderboard.toml"]

    _, said = gated.run()
    assert "0 rows done" not in said
    assert "[4/4]" in said
    assert "[1/4]" not in said


def test_a_second_interrupt_stops_at_once_and_still_saves(workplace: Workplace) -> None:
    workplace.write_grid(seconds=30.0, precision=0.001)
    run = workplace.start("--set", "axes.tile_rows=512", "--set", "method.max_samples=1_000_000")
    until(run.stderr, b"plan  ")
    run.send_signal(signal.SIGINT)
    until(run.stderr, b"finishing the present trial")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == ExitCode.INTERRUPTED
    assert b"stopping at once" in err
    assert workplace.files() == ["tiny.leaderboard.json", "tiny.leaderboard.toml"]


def test_a_reader_that_leaves_the_event_stream_ends_the_run_quietly_with_its_files(workplace: Workplace) -> None:
    run = workplace.start("--events")
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.stderr is not None
    err = run.stderr.read()
    run.stderr.close()
    assert run.wait(timeout=PATIENCE_SECONDS) == 128 + signal.SIGPIPE
    assert b"Traceback" not in err
    assert workplace.files() == ["tiny.leaderboard.json", "tiny.leaderboard.toml"]


def test_a_terminal_that_hangs_up_leaves_the_agent_at_work(gated: Gated) -> None:
    run = after_one_of_four(gated)
    run.send_signal(signal.SIGHUP)
    run.communicate(timeout=PATIENCE_SECONDS)
    assert run.returncode == 128 + signal.SIGHUP
    assert gated.files() == ["grid.leaderboard.json", "grid.leaderboard.toml"]
    assert len(gated.agents()) == 1
    gated.open_gate()
    out, said = gated.run()
    assert "0 rows done" not in said
    assert "(" not in out.splitlines()[0].rpartition("GiB)")[2]


def test_how_a_run_ended_decides_the_exit_code() -> None:
    measured_all = leaderboard(grid=GRID_WITH_CLAIM)
    nothing = leaderboard([failed(ref(1, "mojo", {}, {}), "crashed", "signal 11")])
    assert exit_code("done", measured_all, check=False) == ExitCode.OK
    assert exit_code("done", measured_all, check=True) == ExitCode.TARGET_MISSED
    assert exit_code("done", leaderboard(outcomes()[:3]), check=True) == ExitCode.OK
    assert exit_code("budget", measured_all, check=True) == ExitCode.TARGET_MISSED
    assert exit_code("budget", measured_all, check=False) == ExitCode.BUDGET_ENDED
    assert exit_code("budget", leaderboard(outcomes()[:3]), check=True) == ExitCode.BUDGET_ENDED
    assert exit_code("done", nothing, check=False) == ExitCode.NOTHING_MEASURED
    assert exit_code("interrupted", nothing, check=False) == ExitCode.INTERRUPTED
    assert exit_code("failed", measured_all, check=False) == ExitCode.UNAVAILABLE
