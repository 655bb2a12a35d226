"""What stands behind a row's figures is read from the journal again, as if it had been kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.journals import AGENT, PROBLEM, agent_started, device_found, measured, planned, ref
from tunetui.core import row_table
from tunetui.core.events import TrialsQueued
from tunetui.core.live_figures import figures_of_rows
from tunetui.core.publishing import build_leaderboard
from tunetui.core.records import split_envelope
from tunetui.core.row_table import RowTable
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.session.library import read_run
from tunetui.session.recording import Recording
from tunetui.session.replaying import Replay
from tunetui.store.archive import JournalArchive
from tunetui.store.atomic import StoreError
from tunetui.store.journal import Journal, read_journal
from tunetui.store.sketch import Sketch
from tunetui_agent.messages import DriftNoticed, TrialExamined, TrialFailed, TrialRef, encode_event

SHIPPED = Path(__file__).parents[1] / "data/quickstart.journal.jsonl"
TELEMETRY = {"clock_mhz": 1980.5, "noise": "other_load", "throttled": False, "power": 2}


@pytest.fixture(autouse=True)
def _nothing_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row's evidence is left to the journal as soon as the next row comes, not the two thousandth."""
    monkeypatch.setattr(row_table, "_FRESH", 1)


def failed(number: int) -> TrialFailed:
    return TrialFailed(
        trial=ref(number), status="wrong", cause="recall 0.1", detail="row 7:\n\x1b[2J", seconds=1.0, build_seconds=None
    )


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as open_journal:
        recording = Recording(open_journal)
        recording.say(planned())
        recording.say(TrialsQueued(trials=[ref(number) for number in range(1, 7)]))
        events = [
            agent_started(),
            device_found(),
            measured(1, [5, 6, 7, 8, 9, 10], telemetry=TELEMETRY, resources={"registers": 32}, artifact="a" * 24),
            measured(2, [50, 1 << 40, 70, 80, 90, 100], telemetry=TELEMETRY),
            failed(3),
            measured(4, [5000, *range(6000, 7000)], telemetry={"note": "ä\u202e"}),
            measured(5, [60, 61, 62, 63, 64, 65]),
            measured(1, [3, 4, 5, 6, 7, 8], stage="finalists"),
            TrialExamined(trial=ref(2).id, what="counters", resources={"achieved": 0.5}, seconds=0.1),
            DriftNoticed(trial=ref(5), since=11.0, reference_ns=60.0, median_ns=90.0, trials=[ref(4).id, ref(5).id]),
            measured(6, [60, 61, 62, 63, 64, 65]),
        ]
        for seq, event in enumerate(events):
            recording.take(AGENT, encode_event(seq, 10.0 + seq, event))
            _ = recording.snapshot
    return path


def test_rows_say_the_same_whether_their_evidence_is_kept_or_left_in_the_journal(journal: Path) -> None:
    kept = fold(Run(), read_journal(journal).records)
    left = read_run(journal)
    assert {row.trial for row in left.rows.values() if row.is_bare} >= {ref(n).id for n in (1, 3, 4, 5)}
    assert not any(row.is_bare for row in kept.rows.values())
    assert left.rows == kept.rows
    for trial, row in left.rows.items():
        assert row.evidence == kept.rows[trial].evidence
        assert list(row.samples_ns) == list(kept.rows[trial].samples_ns)
        assert row.detail == kept.rows[trial].detail
        assert row.tags == kept.rows[trial].tags
        assert row.but(tags=["odd"], plan=9) == kept.rows[trial].but(tags=["odd"], plan=9)
        assert row.but(detail="new").evidence == kept.rows[trial].but(detail="new").evidence
    assert figures_of_rows(left, list(left.rows.values())) == figures_of_rows(kept, list(kept.rows.values()))
    assert build_leaderboard(left) == build_leaderboard(kept)


def test_a_run_that_is_recorded_one_that_is_read_and_one_that_is_replayed_hold_the_same_rows(journal: Path) -> None:
    with Journal(journal) as again:
        resumed = Recording(again).snapshot
    replay = Replay(journal)
    assert replay.finish().rows == read_run(journal).rows == resumed.rows
    replay.close()
    best = resumed.best_row(PROBLEM, "cpu")
    assert best is not None
    assert list(best.samples_ns) == [3, 4, 5, 6, 7, 8]


def test_a_sketch_goes_on_as_the_journal_would_and_leaves_it_alone(journal: Path) -> None:
    whole, lines = read_run(journal), journal.read_bytes().splitlines(keepends=True)
    path, cut = journal.with_name("cut.jsonl"), b"".join(lines[:7]) + lines[7][:9]
    path.write_bytes(cut)
    before = path.stat()
    with Sketch(path) as sketch:
        recording = Recording(sketch, only_looks=True)
        for line in lines[5:]:  # of which two are there already
            recording.take(AGENT, split_envelope(line.rstrip())[1])
            _ = recording.snapshot
        sketched = recording.snapshot
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (cut, before.st_mtime_ns)
    assert sketched.rows == whole.rows
    assert any(row.is_bare and row.told_at > len(cut) for row in sketched.rows.values())
    for trial, row in whole.rows.items():
        assert sketched.rows[trial].evidence == row.evidence


def test_a_sketch_of_nothing_makes_no_file(tmp_path: Path) -> None:
    with Sketch(tmp_path / "none" / "journal.jsonl") as sketch:
        recording = Recording(sketch, only_looks=True)
        recording.say(planned())
        assert recording.snapshot.plan is not None
    assert list(tmp_path.iterdir()) == []


def test_a_real_journal_gives_the_same_leaderboard(journal: Path) -> None:
    kept = fold(Run(), read_journal(SHIPPED).records)
    assert any(row.is_bare for row in read_run(SHIPPED).rows.values())
    assert build_leaderboard(read_run(SHIPPED)) == build_leaderboard(kept)


def test_what_was_examined_stays_with_its_row(journal: Path) -> None:
    row = read_run(journal).rows[ref(2).id]
    assert (row.resources, row.telemetry) == ({"achieved": 0.5}, TELEMETRY)
    assert list(row.samples_ns) == [50, 1 << 40, 70, 80, 90, 100]


def test_a_journal_that_was_removed_or_renamed_still_tells(journal: Path) -> None:
    run = read_run(journal)
    journal.rename(journal.with_name("archived"))
    journal.write_text("another\n")
    assert list(run.rows[ref(4).id].samples_ns)[:2] == [5000, 6000]
    journal.with_name("archived").unlink()
    assert list(run.rows[ref(5).id].samples_ns)[:2] == [60, 61]


def test_a_journal_that_somebody_changed_is_not_believed(journal: Path) -> None:
    run = read_run(journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:3], *reversed(lines[3:])]))
    with pytest.raises(StoreError, match="somebody changed it"):
        _ = run.rows[ref(4).id].samples_ns
    journal.write_bytes(b"")
    with pytest.raises(StoreError, match="somebody changed it"):
        _ = run.rows[ref(4).id].evidence


def test_a_journal_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        JournalArchive(tmp_path / "none")


def test_rows_that_did_not_change_are_not_told_as_changed_when_their_evidence_is_left_out(journal: Path) -> None:
    records = read_journal(journal).records
    before = fold(Run(rows=RowTable(archive=JournalArchive(journal))), records[:-1])
    after = fold(before, records[-1:])
    assert [row.trial for row in after.rows.different_from(before.rows)] == [ref(6).id]  # type: ignore[attr-defined]


def test_a_row_of_many_samples_takes_no_more_than_one_of_few(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as many:
        recording = Recording(many)
        recording.say(planned())
        recording.take(AGENT, encode_event(0, 10.0, agent_started()))
        for number in range(1, 4):
            sampled = measured(number, [10**9] * 10 ** (number + 1))
            recording.take(AGENT, encode_event(number, 10.0, sampled))
        sizes = {row.count: len(row.packed) for row in recording.snapshot.rows.values()}
    assert sizes[100] == sizes[1000] < 250 < sizes[10_000]


def test_ids_of_any_length_and_any_letters_are_ids(tmp_path: Path) -> None:
    for trial in ("", "x" * 70_000, "ä\u4e00"):
        named = TrialRef(id=trial, implementation="numpy", problem=PROBLEM, configuration={}, provenance="p")
        path = tmp_path / "journal.jsonl"
        path.unlink(missing_ok=True)
        with Journal(path) as odd:
            odd.append_agent(AGENT, encode_event(0, 1.0, agent_started()))
            odd.append_agent(AGENT, encode_event(1, 1.0, measured(0, [1, 2, 3], trial=named)))
            odd.append_agent(AGENT, encode_event(2, 1.0, measured(1, [1, 2, 3])))
        run = read_run(path)
        assert list(run.rows) == [trial, ref(1).id]
        assert list(run.rows[trial].samples_ns) == [1, 2, 3]
