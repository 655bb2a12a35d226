"""Samples that take turns over places in memory: copies of a trial's inputs, and on a GPU what its kernel writes as well.

Where arrays lie decides which banks, channels and cache slices serve which part of them.  That is the same for all samples of
a process, so that no interval made of these contains it, and it differs from process to process.  Measuring one program under
many layouts is C. Curtsinger and E. D. Berger's idea ("Stabilizer: Statistically Sound Performance Evaluation", ASPLOS 2013).
"""

from __future__ import annotations

from typing import Generic, TypeVar

from tunetui_agent.messages import Method

Item = TypeVar("Item")


def placements_of(method: Method, place_bytes: int, room_bytes: int) -> int:
    """How many places the samples of a trial take turns over; ``room_bytes`` is what all but the first together may take.

    Where caches are to stay hot there is one: with copies in turn nothing would be in them.
    """
    if method.cache != "cold" or not place_bytes:
        return 1
    return max(1, min(method.placements, 1 + room_bytes // place_bytes))


class Turns(Generic[Item]):
    """Items that are alike but for where they lie, one after the other and round again."""

    def __init__(self, items: list[Item]) -> None:
        self._items = items
        self._turn = 0

    def __len__(self) -> int:
        return len(self._items)

    def take(self) -> Item:
        """The next one."""
        item = self._items[self._turn]
        self._turn = (self._turn + 1) % len(self._items)
        return item
