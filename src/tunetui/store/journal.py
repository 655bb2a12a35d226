"""The app's journal of a run: appended, synced in groups, recovered after anything."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from tunetui.core.events import APP_SOURCE, AppEvent, Record
from tunetui.core.records import decode_record, encode_app_record, wrap
from tunetui.core.snapshot import Run
from tunetui.store.archive import folded
from tunetui.store.atomic import StoreError, explained
from tunetui.store.recovery import Damage, Position, Recovered, nothing_recovered, records_in, recover
from tunetui_agent.messages import AgentStarted, NoticeRaised


class JournalError(StoreError):
    """A record that does not follow on what the journal holds."""


class _Reread(Sequence[Record]):
    """The records of a journal up to a byte, decoded anew for whoever looks at them: few do, and they are large."""

    def __init__(self, path: Path, end: int, count: int) -> None:
        self._path, self._end, self._count = path, end, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Record]:
        with self._path.open("rb") as file:
            yield from records_in(self._lines(file), nothing_recovered())

    def __getitem__(self, place: Any) -> Any:
        return list(self)[place]

    def _lines(self, file: Iterable[bytes]) -> Iterator[bytes]:
        at = 0
        for line in file:
            if at >= self._end:
                return
            at += len(line)
            yield line


def fold_journal(path: Path) -> tuple[Run, Recovered]:
    """The run that a journal tells of, without touching it, and what the journal holds beside its records.

    Raises:
        StoreError: it cannot be read.
    """
    found = nothing_recovered()
    try:
        with path.open("rb") as file:
            return folded(path, records_in(file, found)), found
    except OSError as error:
        raise explained(error, path, "read") from None


def read_journal(path: Path) -> Recovered:
    """What a journal holds, without touching it; for showing and replaying.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return recover(path.read_bytes())
    except OSError as error:
        raise explained(error, path, "read") from None


class Journal:
    """A journal open for appending; the holder of the run's lock is the only one to have it open.

    A record is in the file when `append_app` or `append_agent` returns, which outlives this process, and on the
    disk after `sync`, which outlives the machine.  Sync once per group of records, before showing them.
    """

    def __init__(self, path: Path) -> None:
        """Open or create; a torn last line is cut off, so that the next record stands on a line of its own.

        Raises:
            StoreError: it cannot be read or written.
        """
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explained(error, path) from None
        try:
            found = nothing_recovered()
            with path.open("rb") as file:
                self._begin(folded(path, records_in(file, found)), found)
            if self.recovered.torn_bytes:
                os.ftruncate(self._fd, self._size)
            if self.recovered.unended:
                self._write(b"\n")
        except OSError as error:
            os.close(self._fd)
            raise explained(error, path) from None
        except StoreError:
            os.close(self._fd)
            raise
        self._dirty = bool(self.recovered.torn_bytes or self.recovered.unended)

    def _begin(self, run: Run, found: Recovered) -> None:
        """Go on after what was ``found``, of which ``run`` was folded."""
        found.records = _Reread(self.path, found.whole_bytes, found.count)
        self.recovered, self._size, self._dirty = found, found.whole_bytes, False
        self._run: Run | None = run
        self._positions, self.clocks = found.positions, found.clocks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_as_opened(self) -> Run:
        """The run that it told of when it was opened; folded anew for whoever asks again, for it is not kept."""
        run, self._run = self._run, None
        return folded(self.path, self.recovered.records) if run is None else run

    @property
    def damage(self) -> Sequence[Damage]:
        """Lines that could not be used when the journal was opened."""
        return self.recovered.damage

    def position(self, source: str) -> Position:
        """Where to take up a source's records again; all zero for one never heard of."""
        return self._positions.get(source, Position())

    def append_app(self, event: AppEvent | NoticeRaised, t: float | None = None) -> Record:
        """Write one event of the app's own (``t`` in Unix seconds, by default now) and return its record.

        Raises:
            StoreError: the disk is full or the file is gone; the journal is as it was.
        """
        position = self._positions.setdefault(APP_SOURCE, Position())
        raw = encode_app_record(position.next_seq, time.time() if t is None else t, event)
        record = decode_record(APP_SOURCE, raw, self._size)
        self._write(wrap(APP_SOURCE, raw))
        position.take(record.seq, len(raw) + 1)
        return self.clocks.told(record)

    def append_agent(self, source: str, raw: bytes) -> Record | None:
        """Write one raw line of an agent's journal as it is; None where that record is here already.

        The record's time is told by our clock, the line's by the host's.

        Raises:
            RecordError: not a record.
            JournalError: records before it are missing, or the agent behind ``source`` is another one.
            StoreError: the disk is full or the file is gone; the journal is as it was.
        """
        raw = raw.removesuffix(b"\n")
        record = decode_record(source, raw, self._size)
        position = self._positions.get(source, Position())
        if isinstance(record.event, AgentStarted) and position.epoch not in {"", record.event.epoch}:
            raise JournalError(
                f"another agent answers for {source!r}: its journal began anew",
                hint="start over with --fresh, or attach to the run that it belongs to",
            )
        if position.holds(record.seq):
            return None
        if record.seq > position.next_seq:
            raise JournalError(f"records {position.next_seq} to {record.seq - 1} of {source!r} are missing")
        self._write(wrap(source, raw))
        if isinstance(record.event, AgentStarted):
            position.epoch = record.event.epoch
        self._positions[source] = position
        position.take(record.seq, len(raw) + 1)
        return self.clocks.told(record)

    def sync(self) -> None:
        """Bring everything appended to the disk.

        Raises:
            StoreError: the disk said no.
        """
        if self._dirty:
            try:
                os.fsync(self._fd)
            except OSError as error:
                raise explained(error, self.path) from None
            self._dirty = False

    def close(self) -> None:
        """Sync and close; harmless when done twice."""
        if self._fd >= 0:
            try:
                self.sync()
            finally:
                os.close(self._fd)
                self._fd = -1

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
            if written != len(line):  # a full disk takes what fits
                raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            if os.fstat(self._fd).st_size > self._size:  # leave no half line behind
                os.ftruncate(self._fd, self._size)
            raise explained(error, self.path) from None
        self._size += written
        self._dirty = True
