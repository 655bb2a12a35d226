"""How a journal would go on: read, never written; what is appended is kept in memory alone."""

from __future__ import annotations

from pathlib import Path

from tunetui.core.snapshot import Run
from tunetui.store.archive import folded
from tunetui.store.atomic import explained
from tunetui.store.journal import Journal
from tunetui.store.recovery import nothing_recovered, records_in


class Sketch(Journal):
    """A `Journal` for whoever only wants to know; the file need not exist, and another process may be writing it."""

    def __init__(self, path: Path) -> None:
        """Raises StoreError: there is one, and it cannot be read."""
        self.path, self._fd = path, -1
        self._added: dict[int, bytes] = {}
        found, run = nothing_recovered(), Run()
        try:
            with path.open("rb") as file:
                run = folded(path, records_in(file, found), self._added)
        except FileNotFoundError:
            """Nothing was begun yet."""
        except OSError as error:
            raise explained(error, path, "read") from None
        self._begin(run, found)

    def _write(self, line: bytes) -> None:
        self._added[self._size] = line.removesuffix(b"\n")
        self._size += len(line)
