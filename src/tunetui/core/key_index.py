"""Numbers of keys in some bytes each: where a dict of 100,000 texts takes fifteen megabytes, this takes one."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

_TABLES = 64
"""Each grows on its own, so that no key has to wait until all others have found new places."""
_LEAST_ROOM = 8


class KeyIndex:
    """From keys to their numbers, 0 for the first that came; the keys themselves are kept by whoever asks.

    Keys are only ever added, in the order of their numbers.
    """

    __slots__ = ("_tables", "_used", "count")

    def __init__(self) -> None:
        self.count = 0
        self._tables = [array("I", bytes(4 * _LEAST_ROOM)) for _ in range(_TABLES)]
        """Open hash tables of numbers, counted from 1; 0 is a free place."""
        self._used = [0] * _TABLES

    def first(self, key: str) -> tuple[array[int], int]:
        """The table that holds the number of ``key``, and where: there or, past others, at one of the places after it.

        Numbers are counted from 1 there; 0 ends the search, and after the last place comes the first.
        """
        code = hash(key)
        table = self._tables[code % _TABLES]
        return table, code // _TABLES & len(table) - 1

    def add(self, key: str, key_of: Callable[[int], str]) -> int:
        """The number of ``key``, which is not here yet; ``key_of`` tells the keys that are."""
        which = hash(key) % _TABLES
        if 2 * self._used[which] >= len(self._tables[which]):
            self._grow(which, key_of)
        self._used[which] += 1
        self.count += 1
        _put(self._tables[which], key, self.count)
        return self.count - 1

    def reserve(self, count: int) -> None:
        """Make room for so many keys where there is none yet: finding new places for them as they come takes as long again."""
        if not self.count:
            room = max(
                _LEAST_ROOM, 1 << (3 * count // _TABLES).bit_length()
            )  # half of it, and what chance adds to one table
            self._tables = [array("I", bytes(4 * room)) for _ in range(_TABLES)]

    def _grow(self, which: int, key_of: Callable[[int], str]) -> None:
        before = self._tables[which]
        self._tables[which] = array("I", bytes(8 * len(before)))
        for number in filter(None, before):
            _put(self._tables[which], key_of(number - 1), number)


def _put(table: array[int], key: str, number: int) -> None:
    last = len(table) - 1
    place = hash(key) // _TABLES & last
    while table[place]:
        place = place + 1 & last
    table[place] = number


class KeyList(Sequence[str]):
    """Texts that all differ, in the order in which they came, and the place of each: a fifth of a list and a dict."""

    __slots__ = ("_ends", "_index", "_written")

    def __init__(self) -> None:
        self._written = bytearray()
        self._ends = array("I", (0,))
        self._index = KeyIndex()

    def reserve(self, count: int) -> None:
        """Make room for so many, where there is none yet."""
        self._index.reserve(count)

    def append(self, key: str) -> int:
        """Add one that is not here yet; its place."""
        self._written += key.encode()
        self._ends.append(len(self._written))
        return self._index.add(key, self.__getitem__)

    def get(self, key: str) -> int | None:
        """The place of ``key``; None: it is not here."""
        place = self._find(key)
        return None if place < 0 else place

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) >= 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> str:  # type: ignore[override]  # nobody asks for slices
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._written[self._ends[place] : self._ends[place + 1]].decode()

    def written(self) -> tuple[bytes, array[int]]:
        """All of them, one behind the other in UTF-8, and where each ends, after a 0."""
        return bytes(self._written), self._ends[:]

    def _find(self, key: str) -> int:
        written, ends, sought = self._written, self._ends, key.encode()
        table, at = self._index.first(key)
        while number := table[at]:
            if written[ends[number - 1] : ends[number]] == sought:
                return number - 1
            at = at + 1 & len(table) - 1
        return -1
