"""The agent's journal: dense numbers, whole lines, and a last word that always fits."""

from __future__ import annotations

import errno
import json
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunetui_agent.folder import ended
from tunetui_agent.journal import BALLAST_BYTES, Journal, JournalError
from tunetui_agent.messages import CommandAccepted, RunEnded, TelemetrySampled


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl", tmp_path / "ballast")


@pytest.fixture
def file_limit() -> Iterator[int]:
    """Files of this process may not grow beyond this for now: what a full disk or quota feels like."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BALLAST_BYTES, hard))
    yield BALLAST_BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


def test_records_are_numbered_from_zero_without_gaps(journal: Journal, tmp_path: Path) -> None:
    for number in range(5):
        journal.append(CommandAccepted(command=str(number)))
    assert [(record["seq"], record["command"]) for record in read(tmp_path)] == [(n, str(n)) for n in range(5)]


def test_a_record_is_there_for_readers_before_it_is_synced_and_a_sync_is_due_soon(
    journal: Journal, tmp_path: Path
) -> None:
    assert journal.sync_due() is None
    journal.append(CommandAccepted(command="a"))
    due = journal.sync_due()
    journal.append(CommandAccepted(command="b"))
    assert len(read(tmp_path)) == 2
    assert due is not None
    assert journal.sync_due() == due, "the first unsynced record sets the time"
    journal.sync()
    assert journal.sync_due() is None


def test_records_come_to_disk_beside_the_writing_of_others(journal: Journal, tmp_path: Path) -> None:
    go_on = threading.Event()

    def hold() -> None:
        go_on.wait()

    journal.append(CommandAccepted(command="a"))
    journal.begin_sync(beside=hold)
    assert journal.sync_due() is None
    journal.append(CommandAccepted(command="b"))
    journal.begin_sync()
    assert journal.sync_due() is not None, "one after the other: the second is looked at again"
    go_on.set()
    journal.sync()
    assert journal.sync_due() is None
    assert len(read(tmp_path)) == 2


def test_a_disk_that_refused_beside_is_said_by_the_next_record_and_takes_the_last_words(
    journal: Journal, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOSPC, "no space")

    journal.append(CommandAccepted(command="a"))
    journal.begin_sync(refuse)
    with pytest.raises(JournalError, match="disk full"):
        journal.sync()
    with pytest.raises(JournalError, match="disk full"):
        journal.append(CommandAccepted(command="b"))
    assert journal.sync_due() is not None
    assert journal.last_words(RunEnded(reason="failed", detail="disk full"))
    assert [record["kind"] for record in read(tmp_path)] == ["CommandAccepted", "RunEnded"]


def test_the_last_record_is_due_at_once(journal: Journal) -> None:
    journal.append(CommandAccepted(command="a"))
    waiting = journal.sync_due()
    journal.append(RunEnded(reason="done"))
    due = journal.sync_due()
    assert waiting is not None
    assert due is not None
    assert due < waiting


def test_a_torn_last_line_is_closed_and_never_cut_away(journal: Journal, tmp_path: Path) -> None:
    journal.append(CommandAccepted(command="a"))
    with (tmp_path / "journal.jsonl").open("ab") as torn:
        torn.write(b'{"seq":1,"t":1')
    assert journal.last_words(RunEnded(reason="failed", detail="why"))
    first, second, last = (tmp_path / "journal.jsonl").read_bytes().splitlines()
    assert json.loads(first)["seq"] == 0
    assert second == b'{"seq":1,"t":1'
    assert json.loads(last)["seq"] == 1
    assert json.loads(last)["detail"] == "why"


def test_a_journal_that_cannot_grow_says_so_and_can_still_be_ended(
    journal: Journal, tmp_path: Path, file_limit: int
) -> None:
    def fill() -> None:
        for number in range(file_limit):
            journal.append(CommandAccepted(command=str(number)))

    with pytest.raises(JournalError, match="disk full"):
        fill()
    assert (tmp_path / "journal.jsonl").stat().st_size <= file_limit
    assert journal.last_words(RunEnded(reason="failed", detail="disk full"))
    assert ended(tmp_path / "journal.jsonl")
    assert not (tmp_path / "ballast").exists()


def test_the_ballast_takes_room_on_the_disk(journal: Journal, tmp_path: Path) -> None:
    found = (tmp_path / "ballast").stat()
    assert found.st_size == BALLAST_BYTES
    assert found.st_blocks * 512 >= BALLAST_BYTES


def test_a_figure_that_is_not_finite_is_refused_and_leaves_no_trace(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append(TelemetrySampled(figures={"load_average_1m": float("nan")}))
    assert read(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "is_ended"),
    [
        (b"", False),
        (b'{"seq":0,"t":1.0,"kind":"AgentStarted"}\n', False),
        (b'{"seq":0,"t":1.0,"kind":"AgentStarted"}\n{"seq":1,"t":2.0,"kind":"RunEnded","reason":"done"}\n', True),
        (b'{"seq":0,"t":1.0,"kind":"AgentStarted"}\n{"seq":1,"t":2.0,"kind":"RunEnded","rea', False),
    ],
)
def test_a_journal_has_ended_when_its_last_whole_record_says_so(tmp_path: Path, text: bytes, is_ended: bool) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(text)
    assert ended(path) is is_ended
