"""Budgets of CPU on whatever machine this is: a fixed piece of work tells how fast it is just now."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from time import thread_time

_USUAL_MS = 7.5
"""What the piece of work takes where the budgets were set."""
_TRIES = 5


def slowness() -> float:
    """How many times as long this machine takes now, which others may use as well; at least 1."""
    before = thread_time()
    names = {f"configuration {number:06d}": number for number in range(20_000)}
    assert sum(len(name) for name in sorted(names, reverse=True)) == 20 * len(names)
    return max(1.0, (thread_time() - before) * 1e3 / _USUAL_MS)


async def keeps_to(budget_ms: float, spent_ms: Callable[[], float | Awaitable[float]]) -> str:
    """Empty where it keeps to its budget at least once in a few times, as nothing does that costs more; else what it cost."""
    said = []
    for _ in range(_TRIES):
        before = slowness()
        result = spent_ms()
        cost_ms = await result if inspect.isawaitable(result) else result
        slow = max(before, slowness())
        if cost_ms <= budget_ms * slow:
            return ""
        said.append(f"{cost_ms:.1f} of {budget_ms:.1f} ms on a machine {slow:.1f} times as slow")
    return "; ".join(said)
