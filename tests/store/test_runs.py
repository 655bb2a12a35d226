from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.journals import planned
from tunetui.store.atomic import StoreError
from tunetui.store.journal import Journal
from tunetui.store.runs import RunFolder, RunHeldError, list_runs, run_id, runs_root

HOLD = (
    "import sys; from pathlib import Path; from tunetui.store.runs import RunFolder;"
    "folder = RunFolder(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def test_runs_live_where_the_desktop_standard_says() -> None:
    assert runs_root({"XDG_DATA_HOME": "/data", "HOME": "/home/x"}) == Path("/data/tunetui/runs")
    assert runs_root({"XDG_DATA_HOME": "relative", "HOME": "/home/x"}) == Path("/home/x/.local/share/tunetui/runs")
    assert runs_root({"HOME": "/home/x"}) == Path("/home/x/.local/share/tunetui/runs")


def test_a_run_is_named_for_its_grid_and_its_output() -> None:
    first, again = run_id("quick", Path("/a/quick")), run_id("quick", Path("/a/b/../quick"))
    other = run_id("quick", Path("/b/quick"))
    assert first == again != other
    assert run_id("../../etc/pass wd", Path("/a")).startswith("etc-pass-wd-")
    assert run_id("..", Path("/a")).startswith("run-")


def test_a_second_tunetui_is_told_who_holds_the_run_since_when(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "quick-1"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunHeldError) as caught:
            RunFolder(folder)
        (folder / "journal.jsonl").write_bytes(b"")
        assert [run.holder for run in list_runs(tmp_path / "runs")] == [caught.value.holder]
        other.kill()
    assert caught.value.holder is not None
    assert (caught.value.holder.pid, caught.value.holder.host) == (other.pid, socket.gethostname())
    assert f"process {other.pid} on {socket.gethostname()}, since 20" in caught.value.message
    RunFolder(folder).close()  # a killed holder leaves nothing to clean up


def test_the_run_is_free_again_once_closed(tmp_path: Path) -> None:
    for _ in range(2):
        with RunFolder(tmp_path / "quick-1") as held:
            assert held.journal == tmp_path / "quick-1" / "journal.jsonl"
            with pytest.raises(RunHeldError):
                RunFolder(tmp_path / "quick-1")


def test_fresh_keeps_the_old_journal_under_another_name(tmp_path: Path) -> None:
    old = []
    for _ in range(3):
        with RunFolder(tmp_path / "quick-1", fresh=True) as held:
            old.append(held.archived)
            assert not held.journal.exists()
            with Journal(held.journal) as journal:
                journal.append_app(planned())
    assert old[0] is None
    assert len({path for path in old if path is not None and path.exists()}) == 2


def test_runs_are_listed_latest_first(tmp_path: Path) -> None:
    for number, name in enumerate(["a-1", "b-2"]):
        with RunFolder(tmp_path / name) as held:
            held.journal.write_bytes(b"x" * number)
        os.utime(held.journal, (1000 + number, 1000 + number))
    assert [(run.name, run.bytes, run.holder) for run in list_runs(tmp_path)] == [("b-2", 1, None), ("a-1", 0, None)]
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        RunFolder(tmp_path / "file" / "quick-1")
