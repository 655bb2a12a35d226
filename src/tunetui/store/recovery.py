"""What a journal's bytes still say: every whole record, where each source stands, and what is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

import msgspec

from tunetui.core.clocks import Clocks
from tunetui.core.events import APP_SOURCE, Record
from tunetui.core.records import RecordError, decode_record, split_envelope
from tunetui.store.collecting import collection_paused
from tunetui_agent.messages import AgentStarted


class Damage(msgspec.Struct, frozen=True):
    """A line that could not be used; ``line`` counts from 1."""

    line: int
    reason: str


class Position(msgspec.Struct):
    """How far one source's records are here, without a gap: what a re-attach asks for."""

    next_seq: int = 0
    offset: int = 0
    """Bytes of the source's own journal up to ``next_seq``."""
    epoch: str = ""
    ahead: dict[int, int] = {}
    """Records beyond a gap that damage tore: seq to bytes.  They are not taken twice when the gap is filled."""

    def holds(self, seq: int) -> bool:
        """Whether that record is here already."""
        return seq < self.next_seq or seq in self.ahead

    def take(self, seq: int, size: int) -> None:
        """Count one record of ``size`` bytes, newline included, that was not here yet."""
        self.ahead[seq] = size
        while self.next_seq in self.ahead:
            self.offset += self.ahead.pop(self.next_seq)
            self.next_seq += 1

    def skip_gaps(self) -> None:
        """Go on after the last record; for the app, whose lost records nobody can send again."""
        self.next_seq = max(self.ahead, default=self.next_seq - 1) + 1
        self.ahead.clear()


class Recovered(msgspec.Struct):
    """A journal as read: usable records in file order, and all that was not usable, said out loud."""

    records: Sequence[Record]
    damage: list[Damage]
    positions: dict[str, Position]
    whole_bytes: int
    """Up to here the file ends with a newline; what follows is a torn last line."""
    torn_bytes: int
    """Length of a last line that was cut off while being written; 0 in a journal closed in order."""
    unended: bool
    """The last line is a whole record that lacks only its newline."""
    clocks: Clocks
    """What it tells of the hosts' clocks."""
    count: int = 0
    """Usable records."""


def recover(data: bytes) -> Recovered:
    """All that can be used in the bytes of a journal; never an error, whatever they are."""
    found = nothing_recovered()
    with collection_paused():
        found.records = list(records_in(BytesIO(data), found))
    return found


def nothing_recovered() -> Recovered:
    """Of an empty journal."""
    return Recovered(records=[], damage=[], positions={}, whole_bytes=0, torn_bytes=0, unended=False, clocks=Clocks())


def records_in(lines: Iterable[bytes], found: Recovered) -> Iterator[Record]:
    """The usable records in the lines of a journal, one after another: all at once they take ten times their lines.

    ``found`` is told everything else; it is complete when there are no more.
    """
    for number, line in enumerate(lines, start=1):
        is_whole = line.endswith(b"\n")
        if not is_whole and not _is_record(line):
            found.torn_bytes = len(line)
            break
        at, found.whole_bytes, found.unended = found.whole_bytes, found.whole_bytes + len(line), not is_whole
        record = _taken(found, number, line.removesuffix(b"\n"), at) if line.strip() else None
        if record is not None:
            found.count += 1
            yield record
    if APP_SOURCE in found.positions:
        found.positions[APP_SOURCE].skip_gaps()


def recovered_more(found: Recovered, lines: Iterable[bytes]) -> list[Record]:
    """The records in more lines of the same journal; ``found`` is only told where each source stands now."""
    records = list(records_in(lines, found))
    found.damage.clear()
    return records


def _taken(found: Recovered, number: int, line: bytes, at: int) -> Record | None:
    try:
        source, raw = split_envelope(line)
        record = decode_record(source, raw, at)
    except RecordError as error:
        found.damage.append(Damage(number, error.message))
        return None
    position = found.positions.setdefault(source, Position())
    if position.holds(record.seq):
        found.damage.append(Damage(number, f"record {record.seq} of {source!r} is here twice; the first counts"))
        return None
    if isinstance(record.event, AgentStarted):
        position.epoch = record.event.epoch
    position.take(record.seq, len(raw) + 1)
    return found.clocks.told(record)


def _is_record(line: bytes) -> bool:
    try:
        source, raw = split_envelope(line)
        decode_record(source, raw)
    except RecordError:
        return False
    return True
