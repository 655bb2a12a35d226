from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.journals import AGENT, PROBLEM, agent_started, device_found, measured, planned, ref
from tunetui.core.events import RunFinished, TrialsQueued
from tunetui.core.records import RecordError, encode_app_record, wrap
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.store.archive import FOLDED_AT_ONCE_BYTES
from tunetui.store.atomic import StoreError
from tunetui.store.growing import GrowingJournal
from tunetui.store.journal import Journal, JournalError, read_journal
from tunetui.store.recovery import recover
from tunetui_agent.messages import encode_event

AGENT_LINES = [
    encode_event(0, 10.0, agent_started()),
    encode_event(1, 10.1, device_found()),
    encode_event(2, 11.0, measured(1, [5, 6, 7, 8, 9, 10])),
    encode_event(3, 12.0, measured(2, [50, 60, 70, 80, 90, 100])),
]


def write(path: Path, lines: list[bytes] | None = None) -> bytes:
    with Journal(path) as journal:
        journal.append_app(planned(), 1.0)
        journal.append_app(TrialsQueued(trials=[ref(1), ref(2)]), 2.0)
        for line in AGENT_LINES if lines is None else lines:
            journal.append_agent(AGENT, line)
    return path.read_bytes()


def test_what_was_appended_is_read_back_and_folds_to_the_same_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    live = Run()
    with Journal(path) as journal:
        live = fold(live, [journal.append_app(planned(), 1.0), journal.append_app(TrialsQueued(trials=[ref(1)]), 2.0)])
        for line in AGENT_LINES:
            record = journal.append_agent(AGENT, line)
            assert record is not None
            live = fold(live, [record])
    recovered = read_journal(path)
    assert fold(Run(), recovered.records) == live
    assert (recovered.damage, recovered.torn_bytes) == ([], 0)
    assert live.best_row(PROBLEM, "cpu") is not None


def test_the_agents_lines_stand_in_the_journal_byte_for_byte(tmp_path: Path) -> None:
    data = write(tmp_path / "journal.jsonl")
    for line in AGENT_LINES:
        assert b'{"from":"agent-1","record":' + line.rstrip(b"\n") + b"}\n" in data


def test_the_position_of_a_source_is_recovered_on_open(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path)
    with Journal(path) as journal:
        position = journal.position(AGENT)
        assert (position.next_seq, position.offset, position.epoch) == (4, sum(map(len, AGENT_LINES)), "e1")
        assert journal.position("never heard of").next_seq == 0
        assert journal.append_app(RunFinished(reason="done")).seq == 2


def test_a_record_sent_twice_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path)
    with Journal(path) as journal:
        assert [journal.append_agent(AGENT, line) for line in AGENT_LINES] == [None] * 4
    assert path.read_bytes() == data


def test_a_gap_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path, AGENT_LINES[:1])
    with Journal(path) as journal, pytest.raises(JournalError, match="records 1 to 2 of 'agent-1' are missing"):
        journal.append_agent(AGENT, AGENT_LINES[3])
    assert path.read_bytes() == data


def test_another_agent_under_the_same_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    write(path)
    with Journal(path) as journal, pytest.raises(JournalError, match="began anew"):
        journal.append_agent(AGENT, encode_event(0, 99.0, agent_started(epoch="e2")))


def test_what_is_no_record_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path)
    with Journal(path) as journal, pytest.raises(RecordError):
        journal.append_agent(AGENT, b'{"seq":4,"t":1,"kind":"TrialMeasured"}')
    assert path.read_bytes() == data


@pytest.mark.parametrize("cut", [1, 2, 40, 200])
def test_a_torn_last_line_is_healed_and_sent_again(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path)
    path.write_bytes(data[:-cut])
    with Journal(path) as journal:
        if cut == 1:  # only the newline is gone: the record is whole
            assert journal.append_agent(AGENT, AGENT_LINES[3]) is None
        else:
            assert journal.recovered.torn_bytes > 0
            assert journal.append_agent(AGENT, AGENT_LINES[3]) is not None
    assert path.read_bytes() == data


def test_garbage_in_the_middle_is_reported_with_its_line_and_what_it_hid_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = write(path).splitlines(keepends=True)
    lines[3] = b"\x00\xff garbage\n"  # the agent's record 1
    path.write_bytes(b"".join(lines))
    with Journal(path) as journal:
        assert [(d.line, "not a journal record" in d.reason) for d in journal.damage] == [(4, True)]
        assert (journal.position(AGENT).next_seq, journal.position(AGENT).offset) == (1, len(AGENT_LINES[0]))
        taken = [journal.append_agent(AGENT, line) is not None for line in AGENT_LINES]
        assert taken == [False, True, False, False]
        assert journal.position(AGENT).offset == sum(map(len, AGENT_LINES))
    assert {r.seq for r in read_journal(path).records if r.source == AGENT} == {0, 1, 2, 3}


def test_a_line_copied_within_the_journal_counts_once_and_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path)
    path.write_bytes(data + data.splitlines(keepends=True)[-1])
    recovered = read_journal(path)
    assert len(recovered.records) == 6
    assert [(d.line, "twice" in d.reason) for d in recovered.damage] == [(7, True)]


def test_reading_does_not_touch_the_file(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(write(path)[:-5])
    before = path.read_bytes()
    read_journal(path)
    assert path.read_bytes() == before


WHOLE = [
    wrap("app", encode_app_record(0, 1.0, planned())),
    *(wrap(AGENT, line) for line in AGENT_LINES),
]


@given(st.binary())
def test_any_bytes_are_recovered_or_reported(data: bytes) -> None:
    recovered = recover(data)
    lines = [line for line in data[: recovered.whole_bytes].split(b"\n") if line.strip()]
    assert len(recovered.damage) + len(recovered.records) == len(lines)
    assert recovered.whole_bytes + recovered.torn_bytes == len(data)


@given(st.integers(0, len(WHOLE)), st.binary())
def test_nothing_before_the_damage_is_lost(keep: int, garbage: bytes) -> None:
    recovered = recover(b"".join(WHOLE[:keep]) + garbage)
    seen = [(r.source, r.seq) for r in recovered.records]
    assert seen == [("app", 0), *((AGENT, seq) for seq in range(4))][:keep]


@given(st.integers(0, len(b"".join(WHOLE))))
def test_a_journal_cut_anywhere_keeps_every_whole_line(cut: int) -> None:
    data = b"".join(WHOLE)[:cut]
    whole = data.count(b"\n") + bool(data and not data.endswith(b"\n") and b"".join(WHOLE)[cut : cut + 1] == b"\n")
    recovered = recover(data)
    assert len(recovered.records) == whole
    assert recovered.damage == []


@given(st.integers(0, len(b"".join(WHOLE)) - 1), st.integers(1, 255))
def test_one_changed_byte_costs_at_most_the_lines_it_touches(place: int, change: int) -> None:
    data = bytearray(b"".join(WHOLE))
    data[place] ^= change
    recovered = recover(bytes(data))
    line = bytes(b"".join(WHOLE)[:place]).count(b"\n")
    kept = {(r.source, r.seq) for r in recovered.records}
    for number, key in enumerate([("app", 0), *((AGENT, seq) for seq in range(4))]):
        if number not in {line, line + 1}:
            assert key in kept


_FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.core.journals import planned
from tunetui.store.journal import Journal
from tunetui.store.archive import FOLDED_AT_ONCE_BYTES
from tunetui.store.atomic import StoreError
from tunetui.store.growing import GrowingJournal
path = Path(sys.argv[1])
journal = Journal(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for _ in range(1000):
        journal.append_app(planned(), 1.0)
except StoreError as error:
    print(error.message)
    print(error.hint)
"""


def test_a_disk_that_fills_up_stops_the_run_and_leaves_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    data = write(path)
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path), str(len(data) + 2500)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "cannot write" in done.stdout
    assert "make room" in done.stdout
    recovered = read_journal(path)
    assert path.read_bytes().startswith(data)
    assert (recovered.damage, recovered.torn_bytes) == ([], 0)
    assert len(recovered.records) > 6


def test_a_journal_in_a_folder_that_does_not_exist_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        Journal(tmp_path / "nowhere" / "journal.jsonl")


def test_a_killed_process_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    script = (
        "import os, sys, signal; from pathlib import Path; from tests.core.journals import planned;"
        "from tunetui.store.journal import Journal; j = Journal(Path(sys.argv[1]));"
        "[j.append_app(planned(), 1.0) for _ in range(50)]; os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False, cwd=Path(__file__).parents[2])
    assert [r.seq for r in read_journal(path).records] == list(range(50))


def test_closing_twice_is_harmless_and_the_file_is_private(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.close()
    journal.close()
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("end", [b"\n", b"", b'\n{"from":"agent-1","rec'])
def test_the_records_of_an_open_journal_are_those_that_it_had_when_it_was_opened(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    before = write(path)
    path.write_bytes(before.removesuffix(b"\n") + end)
    expected = recover(before).records
    with Journal(path) as journal:
        assert journal.run_as_opened() == fold(Run(), expected)
        journal.append_agent(AGENT, encode_event(4, 13.0, measured(1, [1, 2, 3])))
        for _ in range(2):
            assert list(journal.recovered.records) == expected
        assert (len(journal.recovered.records), journal.recovered.records[-1]) == (len(expected), expected[-1])
        assert journal.run_as_opened() == fold(Run(), expected)


def test_opening_a_journal_takes_little_more_memory_than_its_rows(tmp_path: Path) -> None:
    """Decoded all at once, records take ten times their lines."""
    path = tmp_path / "journal.jsonl"
    size = len(write(path, [encode_event(n, 1.0 + n, measured(n % 7, list(range(1, 4000)))) for n in range(60)]))
    tracemalloc.start()
    with Journal(path) as journal:
        run = journal.run_as_opened()
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(run.rows) == 7
    assert peak < 8 * size


def test_a_journal_that_grows_is_given_out_in_parts_each_line_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    growing = GrowingJournal(path)
    assert growing.read() == ([], [])
    long = encode_event(4, 13.0, measured(1, list(range(1, FOLDED_AT_ONCE_BYTES // 4))))
    data = write(path, [*AGENT_LINES, long, encode_event(5, 14.0, measured(2, [1, 2, 3]))])
    path.write_bytes(data + b'{"from":"agent-1","rec')
    records, lines = [], []
    while (part := growing.read())[1]:
        records += part[0]
        lines += part[1]
    assert (b"".join(lines), records) == (data, recover(data).records)
