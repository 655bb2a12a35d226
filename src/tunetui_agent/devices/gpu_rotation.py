"""Cold caches without eviction: executions that take turns over copies of their inputs, together larger than the L2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunetui_agent.devices.placing import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_FACTOR = 2  # of the L2: what the copies exceed together
_MOST_COPIES = 64


def rotation_of(l2_bytes: int, inputs: Iterable[Any], *, cold: bool) -> tuple[int, str]:
    """How many copies of the inputs are needed, the original included, and what the caches hold then, in words."""
    size = sum(int(array.nbytes) for array in inputs)
    if not cold or not size:
        return 1, "as the executions leave them"
    copies = -(-_FACTOR * l2_bytes // size)
    if copies <= 1:
        return 1, f"inputs of {size >> 20} MiB, more than {_FACTOR} times the L2"
    if copies > _MOST_COPIES:
        return 1, "hot: the inputs are too small to rotate"
    return copies, f"{copies} copies of the inputs in turn, together {copies * size >> 20} MiB"


class Rotation:
    """Calls in turn; each reads its own copy of the inputs."""

    def __init__(self, calls: list[Callable[[], None]], caches: str) -> None:
        self._turns, self.caches = Turns(calls), caches

    def run(self, count: int) -> None:
        """Queue the next ``count`` calls."""
        for _ in range(count):
            self._turns.take()()
