"""A run that another tunetui on this machine has in hand: its journal is shown as it grows, and nothing is touched."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tunetui.core.row_table import RowTable
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.core.waiting import within
from tunetui.session.batch import ResumeSummary
from tunetui.session.hands import deals, named
from tunetui.store.archive import JournalArchive
from tunetui.store.growing import GrowingJournal
from tunetui.store.runs import JOURNAL, holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tunetui.core.leaderboard import Leaderboard
    from tunetui.core.links import LinkState
    from tunetui.store.runs import RunHeldError

LOOK_SECONDS = 0.1


class Onlooker:
    """What `Attached` offers, of a run whose journal another process writes."""

    follows_only = True

    def __init__(self, held: RunHeldError) -> None:
        self.ended = ""
        self.is_free = False  # whoever dealt it is gone: it may be taken over
        self.why = deals(named(held.holder.host, held.holder.pid) if held.holder else "another tunetui")
        self.links: dict[str, LinkState] = {}
        self.untold: list[str] = []
        self.resume = ResumeSummary(found=True, journal=held.folder / JOURNAL)
        self._folder, self._holder = held.folder, held.holder
        self._journal, self._run = GrowingJournal(held.folder / JOURNAL), Run()
        self._leaving = asyncio.Event()
        for _ in self._read():
            """What there is is shown at once."""

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        return self._run

    async def run(self, on_record: Callable[[bytes], None] | None = None) -> None:
        """Until the other one is gone, or somebody asks to leave.  Raises StoreError where the journal cannot be read."""
        while not self._leaving.is_set():
            holder = holder_of(self._folder)
            for line in self._read():
                if on_record is not None:
                    on_record(line)
            if holder != self._holder:
                self.is_free = True
                return
            try:
                await within(LOOK_SECONDS, self._leaving.wait())
            except TimeoutError:
                continue

    def request_stop(self) -> None:
        """Leave; the run goes on."""
        self._leaving.set()

    def request_cancel(self) -> None:
        """The same."""
        self._leaving.set()

    def detach(self) -> None:
        """The same."""
        self._leaving.set()

    def leaderboard(self) -> Leaderboard:
        """The leaderboard of what is measured so far."""
        from tunetui.core.publishing import build_leaderboard

        return build_leaderboard(self.snapshot)

    def save(self) -> list[Path]:
        """Nothing: the files are the other one's to write."""
        return []

    def close(self) -> None:
        """Nothing is held."""

    async def disconnect(self) -> None:
        """Nobody was reached."""

    def _read(self) -> Iterator[bytes]:
        """The lines that came, of which each is shown by then; a long journal is read in parts."""
        while True:
            records, lines = self._journal.read()
            if not lines:
                return
            if records and not self._run.rows:
                self._run = msgspec.structs.replace(
                    self._run, rows=RowTable(archive=JournalArchive(self._journal.path))
                )
            self._run = fold(self._run, records)
            yield from lines
