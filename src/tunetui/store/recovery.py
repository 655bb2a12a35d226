"""What a journal's bytes still say: every whole record, where each source stands, and what is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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

    records: list[Record]
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


def recover(data: bytes) -> Recovered:
    """All that can be used in the bytes of a journal; never an error, whatever they are."""
    found = Recovered(records=[], damage=[], positions={}, whole_bytes=0, torn_bytes=0, unended=False, clocks=Clocks())
    end = data.rfind(b"\n") + 1
    last = data[end:]
    with collection_paused():
        for number, (at, line) in enumerate(_lines(data, end), start=1):
            if line.strip():
                _take(found, number, line, at)
    found.whole_bytes, found.torn_bytes = end, len(last)
    if last and _is_record(last):
        _take(found, data.count(b"\n") + 1, last, end)
        found.whole_bytes, found.torn_bytes, found.unended = len(data), 0, True
    if APP_SOURCE in found.positions:
        found.positions[APP_SOURCE].skip_gaps()
    return found


def recovered_more(found: Recovered, lines: Iterable[bytes]) -> list[Record]:
    """The records in more lines of the same journal; ``found`` is only told where each source stands now."""
    for line in lines:
        if line.strip():
            _take(found, 0, line)
    records, found.records = found.records, []
    found.damage.clear()
    return records


def _lines(data: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    """Where each line begins, and what stands there."""
    begin = 0
    while begin < end:
        stop = data.index(b"\n", begin)
        yield begin, data[begin:stop]
        begin = stop + 1


def _take(found: Recovered, number: int, line: bytes, at: int = -1) -> None:
    try:
        source, raw = split_envelope(line)
        record = decode_record(source, raw, at)
    except RecordError as error:
        found.damage.append(Damage(number, error.message))
        return
    position = found.positions.setdefault(source, Position())
    if position.holds(record.seq):
        found.damage.append(Damage(number, f"record {record.seq} of {source!r} is here twice; the first counts"))
        return
    if isinstance(record.event, AgentStarted):
        position.epoch = record.event.epoch
    position.take(record.seq, len(raw) + 1)
    found.records.append(found.clocks.told(record))


def _is_record(line: bytes) -> bool:
    try:
        source, raw = split_envelope(line)
        decode_record(source, raw)
    except RecordError:
        return False
    return True
