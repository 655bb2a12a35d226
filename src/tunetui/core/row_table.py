"""The rows of a run as a table that never changes; the next one shares with it all rows that stayed the same."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from itertools import islice
from typing import Generic, TypeVar

V = TypeVar("V")

_PER_SHARD = 256
_GROWTH = 8


class RowTable(Mapping[str, V], Generic[V]):
    """A mapping in the order in which keys came, spread over shards by the hash of the key.

    No shard is written to once a table holds it, and the list of keys only grows: a copy with one row set costs one
    shard, some microseconds at 100,000 rows, where a copy of the whole takes milliseconds.
    """

    __slots__ = ("count", "ordered", "shards")

    def __init__(self, rows: Mapping[str, V] | None = None) -> None:
        self.ordered: list[str] = list(rows or ())
        """The keys in their order: the first ``count`` are this table's, later ones those of tables made from it."""
        self.count = len(self.ordered)
        self.shards = _spread(rows or {}, _shards_for(self.count))

    @classmethod
    def over(cls, ordered: list[str], count: int, shards: list[dict[str, V]]) -> RowTable[V]:
        """A table of parts that nobody changes from now on."""
        table: RowTable[V] = cls.__new__(cls)
        table.ordered, table.count, table.shards = ordered, count, shards
        return table

    def __getitem__(self, key: str) -> V:
        return self.shards[hash(key) & len(self.shards) - 1][key]

    def __contains__(self, key: object) -> bool:
        return key in self.shards[hash(key) & len(self.shards) - 1]

    def __iter__(self) -> Iterator[str]:
        return islice(self.ordered, self.count)

    def __len__(self) -> int:
        return self.count

    def values(self) -> ValuesView[V]:
        """The rows; one pass takes a fraction of asking for each."""
        return self._merged().values()

    def items(self) -> ItemsView[str, V]:
        """Keys and rows, as fast."""
        return self._merged().items()

    def different_from(self, before: RowTable[V]) -> list[V]:
        """The rows that ``before``, which this table was made from in whatever steps, does not have; new ones last."""
        if len(before.shards) != len(self.shards):
            return [row for key, row in self.items() if before.get(key) is not row]
        found: dict[str, V] = {}
        for own, others in zip(self.shards, before.shards, strict=True):
            if own is not others:
                found |= {key: row for key, row in own.items() if others.get(key) is not row}
        new = self.ordered[before.count : self.count]
        return [found[key] for key in sorted(found.keys() - new)] + [self[key] for key in new]

    def __repr__(self) -> str:
        return f"RowTable({self._merged()!r})"

    def _merged(self) -> dict[str, V]:
        shards, last = self.shards, len(self.shards) - 1
        return {key: shards[hash(key) & last][key] for key in self} if last else shards[0]


class RowsDraft(Generic[V]):
    """The next table in the making; the table that it begins with stays as it is."""

    def __init__(self, rows: Mapping[str, V]) -> None:
        self._table: RowTable[V] = rows if isinstance(rows, RowTable) else RowTable(rows)
        self._ordered, self._count, self._shards = self._table.ordered, self._table.count, self._table.shards
        self._own: set[int] = set()
        """Shards that no table holds."""

    def get(self, key: str) -> V | None:
        """The row as set last, or None."""
        return self._shards[hash(key) & len(self._shards) - 1].get(key)

    def __getitem__(self, key: str) -> V:
        return self._shards[hash(key) & len(self._shards) - 1][key]

    def set(self, key: str, value: V) -> V | None:
        """Set one row, of which one that is new comes last; returns what stood there before."""
        place = hash(key) & len(self._shards) - 1
        if place not in self._own:
            if not self._own:
                self._shards = self._shards.copy()
            self._shards[place] = self._shards[place].copy()
            self._own.add(place)
        shard = self._shards[place]
        before = shard.get(key)
        shard[key] = value
        if before is None:
            self._add(key)
        return before

    def values(self) -> ValuesView[V]:
        """The rows as they are now."""
        return self.finish().values()

    def finish(self) -> RowTable[V]:
        """The table; this draft copies what it shares before it writes again."""
        if self._own:
            self._own.clear()
            self._table = RowTable.over(self._ordered, self._count, self._shards)
        return self._table

    def _add(self, key: str) -> None:
        if len(self._ordered) != self._count:  # another table was made from the same one, and has keys of its own
            self._ordered = self._ordered[: self._count]
        self._ordered.append(key)
        self._count += 1
        if self._count > _PER_SHARD * len(self._shards):
            self._grow()

    def _grow(self) -> None:
        rows = RowTable.over(self._ordered, self._count, self._shards)
        self._shards = _spread(dict(rows.items()), _shards_for(self._count))
        self._own = set(range(len(self._shards)))


def _shards_for(count: int) -> int:
    """A power of two."""
    shards = 1
    while count > _PER_SHARD * shards:
        shards *= _GROWTH
    return shards


def _spread(rows: Mapping[str, V], count: int) -> list[dict[str, V]]:
    shards: list[dict[str, V]] = [{} for _ in range(count)]
    for key, value in rows.items():
        shards[hash(key) & count - 1][key] = value
    return shards
