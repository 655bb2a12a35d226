"""The rows of a run as a table that never changes; the next one shares with it all rows that stayed the same."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from itertools import chain, repeat

from tunetui.core.key_index import KeyIndex
from tunetui.core.packing import ID_BYTES_AT, bare, packed_id
from tunetui.core.row import Archive, Row

_CHUNK_BITS = 6
_PER_CHUNK = 1 << _CHUNK_BITS
_WITHIN = _PER_CHUNK - 1
_FRESH = 1000
"""Rows set last that at least have their evidence with them: half a second's worth of quick results."""


class RowTable(Mapping[str, Row]):
    """Rows by trial, in the order in which they came.  It holds their bytes alone; a `Row` is made when one is asked for.

    No chunk is written to once a table holds it, and the index only grows: a copy with one row set costs one chunk,
    a microsecond at 100,000 rows, where a copy of the whole takes milliseconds.
    """

    __slots__ = ("archive", "chunks", "count", "fresh", "fresh_count", "index")

    def __init__(self, rows: Mapping[str, Row] | None = None, archive: Archive | None = None) -> None:
        """``archive``: where the rows' evidence can be read again, so that it need not be kept here."""
        self.archive = archive
        self.fresh: list[int] = []
        self.fresh_count = 0
        """Places of the rows set last, which have their evidence with them as it is asked for soon: the first so many."""
        self.chunks: list[list[bytes]] = []
        self.index = KeyIndex()
        """Trials to their places: the first ``count`` are this table's, later ones those of tables made from it."""
        self.count = 0
        if rows:
            draft = RowsDraft(self)
            for row in rows.values():
                draft.set(row)
            made = draft.finish()
            self.chunks, self.index, self.count = made.chunks, made.index, made.count
            self.fresh, self.fresh_count = made.fresh, made.fresh_count

    def followed_by(self, chunks: list[list[bytes]], index: KeyIndex, count: int, fresh: list[int]) -> RowTable:
        """A table of parts that nobody changes from now on, but for what is added to ``index`` and ``fresh``."""
        table = RowTable.__new__(RowTable)
        table.archive, table.chunks, table.index, table.count = self.archive, chunks, index, count
        table.fresh, table.fresh_count = fresh, len(fresh)
        return table

    def __getitem__(self, trial: str) -> Row:
        row = self.get(trial)
        if row is None:
            raise KeyError(trial)
        return row

    def get(self, trial: str, default: Row | None = None) -> Row | None:  # type: ignore[override]  # a row or None
        place = _find(self.index, self.chunks, self.count, trial, packed_id(trial))
        return default if place < 0 else Row(self.chunks[place >> _CHUNK_BITS][place & _WITHIN], self.archive)

    def __contains__(self, trial: object) -> bool:
        return isinstance(trial, str) and self.get(trial) is not None

    def __iter__(self) -> Iterator[str]:
        return (row.trial for row in self.values())

    def __len__(self) -> int:
        return self.count

    def values(self) -> ValuesView[Row]:
        """The rows; one pass takes a fraction of asking for each."""
        return _Rows(self)

    def items(self) -> ItemsView[str, Row]:
        """Trials and rows, as fast."""
        return _TrialsAndRows(self)

    def different_from(self, before: RowTable) -> list[Row]:
        """The rows that ``before``, which this table was made from in whatever steps, does not have; new ones last."""
        found: list[Row] = []
        for number, own in enumerate(self.chunks):
            others = before.chunks[number] if number < len(before.chunks) else []
            if own is not others:
                pairs = [(row, other) for row, other in zip(own, others, strict=False) if row is not other]
                found += [Row(row, self.archive) for row, other in pairs if Row(row) != Row(other)]
                found += [Row(row, self.archive) for row in own[len(others) :]]
        return found

    def __repr__(self) -> str:
        return f"RowTable({dict(self.items())!r})"


def _find(index: KeyIndex, chunks: list[list[bytes]], count: int, trial: str, sought: bytes) -> int:
    """The place of a trial, its packed id ``sought``, among the first ``count`` rows; -1: it is not there."""
    table, at = index.first(trial)
    while number := table[at]:
        place = number - 1
        if place < count and chunks[place >> _CHUNK_BITS][place & _WITHIN].startswith(sought, ID_BYTES_AT):
            return place
        at = at + 1 & len(table) - 1
    return -1


class _Rows(ValuesView[Row]):
    _mapping: RowTable

    def __iter__(self) -> Iterator[Row]:
        return map(Row, chain.from_iterable(self._mapping.chunks), repeat(self._mapping.archive))


class _TrialsAndRows(ItemsView[str, Row]):
    _mapping: RowTable

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        return ((row.trial, row) for row in self._mapping.values())


class RowsDraft:
    """The next table in the making; the table that it begins with stays as it is."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._table = rows if isinstance(rows, RowTable) else RowTable(rows)
        self._chunks, self._index, self._count = self._table.chunks, self._table.index, self._table.count
        fresh, count = self._table.fresh, self._table.fresh_count
        self._fresh = fresh if len(fresh) == count else fresh[:count]
        self._own: set[int] = set()
        """Chunks that no table holds."""
        self._sought, self._found = b"", -1
        """The packed id that was looked up last, and its place: whoever asks for a row often sets it next."""

    def get(self, trial: str) -> Row | None:
        """The row as set last, or None."""
        packed = self.get_packed(trial)
        return None if packed is None else Row(packed, self._table.archive)

    def get_packed(self, trial: str) -> bytes | None:
        """Its bytes."""
        place = self._place_of(trial, packed_id(trial))
        return None if place < 0 else self._chunks[place >> _CHUNK_BITS][place & _WITHIN]

    def __getitem__(self, trial: str) -> Row:
        row = self.get(trial)
        if row is None:
            raise KeyError(trial)
        return row

    def set(self, row: Row) -> Row | None:
        """Set one row, of which one that is new comes last; returns what stood there before."""
        before = self.set_packed(row.trial, row.packed)
        return None if before is None else Row(before, self._table.archive)

    def set_packed(self, trial: str, packed: bytes) -> bytes | None:
        """The same of a row's bytes."""
        is_known = self._sought and packed.startswith(self._sought, ID_BYTES_AT)
        place = self._found if is_known else self._place_of(trial, packed_id(trial))
        is_new = place < 0
        if is_new:
            place = self._found = self._add(trial)
        number = place >> _CHUNK_BITS
        chunk = self._chunks[number] if number in self._own else self._own_chunk(number)
        if self._table.archive is not None:
            self._fresh.append(place)
            if len(self._fresh) > 2 * _FRESH:
                self._leave_out()
        if is_new:
            chunk.append(packed)
            self._count += 1
            return None
        before = chunk[place & _WITHIN]
        chunk[place & _WITHIN] = packed
        return before

    def values(self) -> ValuesView[Row]:
        """The rows as they are now."""
        return self.finish().values()

    def finish(self) -> RowTable:
        """The table; this draft copies what it shares before it writes again."""
        if self._own:
            self._own.clear()
            self._table = self._table.followed_by(self._chunks, self._index, self._count, self._fresh)
        return self._table

    def _leave_out(self) -> None:
        """Of all but the rows set last what the journal tells is not kept."""
        old, self._fresh = self._fresh[:-_FRESH], self._fresh[-_FRESH:]
        for place in sorted(set(old).difference(self._fresh)):
            chunk = self._own_chunk(place >> _CHUNK_BITS)
            chunk[place & _WITHIN] = bare(chunk[place & _WITHIN])

    def _own_chunk(self, number: int) -> list[bytes]:
        """A chunk to write to."""
        if number not in self._own:
            if not self._own:
                self._chunks = self._chunks.copy()
            if number == len(self._chunks):
                self._chunks.append([])
            self._chunks[number] = self._chunks[number].copy()
            self._own.add(number)
        return self._chunks[number]

    def _add(self, trial: str) -> int:
        if self._index.count != self._count:  # another table was made from the same one, and has rows of its own
            self._index = KeyIndex()
            for place in range(self._count):
                self._index.add(self._trial_at(place), self._trial_at)
        return self._index.add(trial, self._trial_at)

    def _trial_at(self, place: int) -> str:
        return Row(self._chunks[place >> _CHUNK_BITS][place & _WITHIN]).trial

    def _place_of(self, trial: str, sought: bytes) -> int:
        if sought != self._sought:
            self._found = _find(self._index, self._chunks, self._count, trial, sought)
            self._sought = sought
        return self._found
