"""Waits for something so long and no longer, and never survives being cancelled.

`asyncio.wait_for` may: before Python 3.12 it forgets a cancellation that comes at the same moment as the answer, and whoever
waits for the end of that task then waits for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

_T = TypeVar("_T")
_STEPS, _STEP_SECONDS = 10, 1.0


async def within(seconds: float, work: Awaitable[_T]) -> _T:
    """What ``work`` returns.  Raises TimeoutError where it takes longer; it is cancelled then.

    Where time is up and the answer there, as for a process that was stopped for a while, the answer counts.
    """
    working = asyncio.ensure_future(work)
    try:
        await asyncio.wait({working}, timeout=seconds)
        if working.done():
            return working.result()
    finally:
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        _ = working.cancelled() or working.exception()  # which nobody asks for where this task was cancelled
    raise TimeoutError


class Silence:
    """Ends a wait once nothing has been heard for so long, however long all of it takes.

    It is counted in steps: a process that was stopped meanwhile, or a laptop that slept, takes its own absence for one.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._quiet_seconds = 0.0

    def heard(self) -> None:
        """There was a sign of life: it is counted anew."""
        self._quiet_seconds = 0.0

    async def limit(self, work: Awaitable[_T]) -> _T:
        """What ``work`` returns.  Raises TimeoutError after so long a silence; it is cancelled then."""
        working = asyncio.ensure_future(work)
        step = min(_STEP_SECONDS, self.seconds / _STEPS)
        try:
            while self._quiet_seconds < self.seconds:
                await asyncio.wait({working}, timeout=step)
                if working.done():
                    return working.result()
                self._quiet_seconds += step
        finally:
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
            _ = working.cancelled() or working.exception()
        raise TimeoutError


class Cancellation:
    """Whether the present task was cancelled since this was made, also where something has forgotten that."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._count()

    @property
    def came(self) -> bool:
        """Whether it was."""
        return self._count() > self._before

    def check(self) -> None:
        """Raises CancelledError where it was."""
        if self.came:
            raise asyncio.CancelledError

    def _count(self) -> int:
        return self._task.cancelling() if self._task is not None else 0
