"""Samples that take turns over copies of a trial's inputs, each at a place of its own in memory.

Where inputs lie decides which banks, channels and cache slices serve which part of them.  That is the same for all samples of
a process, so that no interval made of these contains it, and it differs from process to process.  Measuring one program under
many layouts is C. Curtsinger and E. D. Berger's idea ("Stabilizer: Statistically Sound Performance Evaluation", ASPLOS 2013).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tunetui_agent.messages import Method


def placements_of(method: Method, inputs_bytes: int, room_bytes: int) -> int:
    """How many places the samples of a trial take turns over; ``room_bytes`` is what all copies together may take.

    Where caches are to stay hot there is one: with copies in turn nothing would be in them.
    """
    if method.cache != "cold" or not inputs_bytes:
        return 1
    return max(1, min(method.placements, 1 + room_bytes // inputs_bytes))


class Turns:
    """Calls that are alike but for where their inputs lie, one after the other and round again."""

    def __init__(self, calls: list[Callable[[], Any]]) -> None:
        self._calls = calls
        self._turn = 0

    def __len__(self) -> int:
        return len(self._calls)

    def take(self) -> Callable[[], Any]:
        """The next one."""
        call = self._calls[self._turn]
        self._turn = (self._turn + 1) % len(self._calls)
        return call
