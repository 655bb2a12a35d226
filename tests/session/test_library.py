from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tunetui.core.errors import InputError
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.session import library
from tunetui.session.replaying import Replay
from tunetui.store.journal import read_journal

JOURNAL = Path(__file__).parents[1] / "data/quickstart.journal.jsonl"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    root = tmp_path / "tunetui" / "runs"
    for name in ("quickstart-00c0ffee", "quickstart-deadbeef", "other-00000000"):
        (root / name).mkdir(parents=True)
        (root / name / "journal.jsonl").write_bytes(JOURNAL.read_bytes())
    return root


# ---------------------------------------------------------------------------------------------------- replay


def test_a_replay_ends_at_the_state_that_the_journal_gives() -> None:
    whole = fold(Run(), read_journal(JOURNAL).records)
    replay = Replay(JOURNAL)
    played = replay.finish()
    assert played.rows == whole.rows
    assert played.counts == whole.counts
    assert played.notices == whole.notices
    assert replay.at_end
    replay.close()


def test_a_replay_shows_what_its_clock_and_speed_say_and_stands_still_when_paused() -> None:
    clock = Clock()
    replay = Replay(JOURNAL, 2.0, clock)
    begun = replay.began
    assert replay.snapshot.counts.done == 0
    clock.now += 3.0
    first = replay.snapshot
    assert first.updated is not None
    assert first.updated <= begun + 6.0
    replay.paused = True
    clock.now += 1000.0
    assert replay.snapshot is first
    replay.paused = False
    clock.now += 2.0
    assert replay.snapshot.updated != first.updated
    assert replay.label.startswith("REPLAY 2x · ")
    replay.close()


def test_a_night_between_two_records_is_not_waited_for(tmp_path: Path) -> None:
    lines = JOURNAL.read_text().splitlines()
    late: list[str] = []
    for text in lines:
        line = json.loads(text)
        line["record"]["t"] += 40_000.0 if late and len(late) > 20 else 0.0
        late.append(json.dumps(line))
    path = tmp_path / "j.jsonl"
    path.write_text("\n".join(late) + "\n")
    clock = Clock()
    replay = Replay(path, 1.0, clock)
    for _ in range(120):
        clock.now += 1.0
        _ = replay.snapshot
    assert replay.at_end
    replay.close()


def test_a_journal_torn_in_the_middle_is_played_without_what_is_lost(tmp_path: Path) -> None:
    lines = JOURNAL.read_bytes().splitlines(keepends=True)
    path = tmp_path / "torn.jsonl"
    path.write_bytes(b"".join([*lines[:30], lines[30][:40], b"\n", b"\xff\x00garbage\n", lines[31], *lines[31:]]))
    replay = Replay(path)
    run = replay.finish()
    assert run.counts.total == 24
    assert replay.damaged == 3  # half a line, garbage, and a record that is there twice
    replay.close()


def test_speed_goes_up_and_down_in_steps_and_ends_somewhere() -> None:
    replay = Replay(JOURNAL, 1.0)
    replay.faster()
    assert replay.speed == 2.0
    for _ in range(40):
        replay.slower()
    assert replay.speed == 0.25
    replay.close()


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match="more than 0"):
        Replay(JOURNAL, speed)


# ------------------------------------------------------------------------------------------- what is kept


def test_a_run_is_found_by_its_name_the_beginning_of_it_its_folder_or_its_file(runs: Path) -> None:
    expected = runs / "other-00000000" / "journal.jsonl"
    for asked in ("other-00000000", "oth", str(expected.parent), str(expected)):
        assert library.find_journal(asked) == expected


def test_a_name_that_fits_several_runs_or_none_is_refused_with_those_there_are(runs: Path) -> None:
    with pytest.raises(InputError, match="could be any of"):
        library.find_journal("quick")
    with pytest.raises(InputError, match="there is no run") as refused:
        library.find_journal("zzz\x1b[31m")
    assert "other-00000000" in refused.value.hint
    assert "\x1b" not in refused.value.message


def test_the_journal_of_a_leaderboard_is_found_by_its_run_and_by_nothing_else(runs: Path) -> None:
    assert library.journal_of("other-00000000") == runs / "other-00000000" / "journal.jsonl"
    for name in ("", "..", "../../x", "gone-00000000"):
        assert library.journal_of(name) is None


def test_the_records_of_a_trial_are_found_whole_and_harmless(tmp_path: Path) -> None:
    run = library.read_run(JOURNAL)
    trial = next(iter(run.rows))
    evidence = library.evidence_of(JOURNAL, trial)
    kinds = [json.loads(text)["record"]["kind"] for text in evidence.records]
    assert kinds[0] == "TrialStarted"
    assert "TrialMeasured" in kinds
    hostile = tmp_path / "j.jsonl"
    hostile.write_bytes(b'{"x":"' + trial.encode() + b' \x1b]0;owned\x07\xff"}\n')
    (line,) = library.evidence_of(hostile, trial).records
    assert "\x1b" not in line
    assert "\x07" not in line


def test_what_a_compiler_said_is_found_by_the_artifact_that_the_records_name(tmp_path: Path) -> None:
    row = next(row for row in library.read_run(JOURNAL).rows.values() if row.artifact)
    built = rb'("artifact":"%s","ok":true,[^}]*"log":")' % row.artifact.encode()
    journal = tmp_path / "j.jsonl"
    journal.write_bytes(re.sub(built, rb"\1a warning", JOURNAL.read_bytes()))
    assert library.evidence_of(journal, row.trial).build_log == "a warning"
    other = next(each for each in library.read_run(JOURNAL).rows.values() if each.artifact != row.artifact)
    assert library.evidence_of(journal, other.trial).build_log == ""


def test_grids_and_leaderboards_of_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "grids").mkdir()
    (tmp_path / "grids" / "a.toml").write_text('name = "a"\nkernel = "row-sum"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nkernel = "x"\n')
    for name in ("x.leaderboard.toml", "x.leaderboard.json", "y.leaderboard.json"):
        (tmp_path / name).write_text("kernel = 1")
    os.utime(tmp_path / "x.leaderboard.toml", (1, 1))
    assert [path.name for path in library.kept_grids(tmp_path)] == ["a.toml"]
    assert [path.name for path in library.kept_leaderboards(tmp_path)] == ["y.leaderboard.json", "x.leaderboard.toml"]
