"""What stands behind a row's figures, read from the journal again when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from tunetui.core.events import Record
from tunetui.core.records import RecordError, decode_evidence
from tunetui.core.row import Evidence
from tunetui.core.row_table import RowTable
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.store.atomic import StoreError, explained
from tunetui.store.collecting import collection_paused

_READ_BYTES = 4096
FOLDED_AT_ONCE_BYTES = 500_000
"""Of the journal: decoded, records are ten times as large."""


def folded(path: Path, records: Iterable[Record], added: Mapping[int, bytes] = MappingProxyType({})) -> Run:
    """The run that the records of this journal tell, whose rows have their evidence there.

    ``added``: lines that the file does not have, by where they would begin (bytes).

    Raises:
        StoreError: it cannot be read.
    """
    run, some = Run(rows=RowTable(archive=JournalArchive(path, added))), list[Record]()
    with collection_paused():
        for record in records:
            some.append(record)
            if record.at - some[0].at > FOLDED_AT_ONCE_BYTES:
                run, some = fold(run, some), []
        return fold(run, some)


class JournalArchive:
    """A journal open for reading for as long as rows may ask: whatever becomes of its name, its lines stay."""

    def __init__(self, path: Path, added: Mapping[int, bytes] = MappingProxyType({})) -> None:
        """``added`` as for `folded`.  Raises StoreError: it cannot be read."""
        self.path, self._fd, self._added = path, -1, added
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise explained(error, path, "read") from None

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def evidence(self, at: int, trial: str) -> Evidence:
        """What the line at ``at`` (bytes) tells of this trial.

        Raises:
            StoreError: it tells no such thing, because somebody has changed the file.
        """
        try:
            named, found = decode_evidence(self._line(at))
        except (OSError, RecordError):
            named, found = "", None
        if found is None or named != trial:
            raise StoreError(f"{self.path} no longer tells what was measured of trial {trial}: somebody changed it")
        return found

    def _line(self, at: int) -> bytes:
        if at in self._added:
            return self._added[at]
        size = _READ_BYTES
        while True:
            read = os.pread(self._fd, size, at)
            end = read.find(b"\n")
            if end >= 0 or len(read) < size:
                return read[:end] if end >= 0 else read
            size *= 8
