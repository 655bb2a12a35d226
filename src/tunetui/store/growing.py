"""A journal that another process appends to, read as it grows; nothing of it is touched."""

from __future__ import annotations

import os
from pathlib import Path

from tunetui.core.events import Record
from tunetui.store.archive import FOLDED_AT_ONCE_BYTES
from tunetui.store.atomic import explained
from tunetui.store.recovery import nothing_recovered, recovered_more


class GrowingJournal:
    """Read it again and again: each whole line is given out once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found, self._read_bytes = nothing_recovered(), 0

    def read(self) -> tuple[list[Record], list[bytes]]:
        """The records that came since the last time, as many as are to be folded at once, and their lines; none: no more.

        Raises:
            StoreError: it cannot be read; one that is not there yet is empty.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                left = max(0, os.fstat(file.fileno()).st_size - self._read_bytes)
                data = os.pread(file.fileno(), min(left, FOLDED_AT_ONCE_BYTES), self._read_bytes)
                if len(data) < left and b"\n" not in data:
                    data = os.pread(file.fileno(), left, self._read_bytes)
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise explained(error, self.path, "read") from None
        whole = data[: data.rfind(b"\n") + 1]  # what comes behind is being written
        self._read_bytes += len(whole)
        lines = whole.splitlines(keepends=True)
        return recovered_more(self._found, lines), lines
