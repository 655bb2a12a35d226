"""A run's journal and the state folded from it, kept together: on disk first, then in the state, then on screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.events import APP_SOURCE
from tunetui.core.records import encode_app_record, wrap
from tunetui.core.run import fold
from tunetui.engines.channel import Position
from tunetui.session.hands import hand_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui.core.events import AppEvent, Record
    from tunetui.core.snapshot import Run
    from tunetui.store.journal import Journal
    from tunetui_agent.messages import NoticeRaised

_FOLD_AT_ONCE = 2000
"""Records folded together at the latest: nobody may be pulling snapshots."""


class Recording:
    """The one place that appends to a run's journal."""

    def __init__(self, journal: Journal, *, only_looks: bool = False) -> None:
        """Whoever ``only_looks`` has no hand in the run: hosts do not keep who it was."""
        self.journal, self.hand = journal, "" if only_looks else hand_name()
        self.on_line: Callable[[bytes], None] | None = None  # gets every journal line once it is written
        self._snapshot = journal.run_as_opened()
        self._pending: list[Record] = []

    @property
    def snapshot(self) -> Run:
        """The newest state of the run."""
        if self._pending:
            records, self._pending = self._pending, []
            self._snapshot = fold(self._snapshot, records)
        return self._snapshot

    def say(self, event: AppEvent | NoticeRaised) -> None:
        """One record of the app's own.  Raises StoreError."""
        record = self.journal.append_app(event)
        self._keep(record, wrap(APP_SOURCE, encode_app_record(record.seq, record.t, event)))

    def take(self, source: str, raw: bytes) -> Record | None:
        """One raw record of an agent; None where it is here already.  Raises StoreError, RecordError."""
        record = self.journal.append_agent(source, raw)
        if record is not None:
            self._keep(record, wrap(source, raw.removesuffix(b"\n")))
        return record

    def position(self, source: str) -> Position:
        """Where to take up a source's records again."""
        at = self.journal.position(source)
        return Position(next_seq=at.next_seq, offset=at.offset, epoch=at.epoch)

    def _keep(self, record: Record, line: bytes) -> None:
        self._pending.append(record)
        if len(self._pending) >= _FOLD_AT_ONCE:
            _ = self.snapshot
        if self.on_line:
            self.on_line(line)
