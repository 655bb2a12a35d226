"""Measures again, after a pause, what was measured while the device was throttled."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from tunetui_agent.measure import Sampling

THROTTLED = "throttled"
"""The tag by which a device's watch says that it ran slower than asked."""
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 16.0


def first_unthrottled(
    attempt: Callable[[], list[Sampling]],
    retries: int,
    seconds: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Sampling]:
    """What the first attempt without throttling gave, else the last one's.

    ``attempt`` measures one execution, or several in turns; one that was throttled speaks for all.  There are up to
    ``retries`` more of them, after pauses that double, as long as pause and attempt still fit into ``seconds``.

    Returns:
        The samplings of the attempt that counts.  Where there were more, their telemetry says how many
        (``throttle_attempts``) and for how long the discarded ones sampled (``throttled_seconds``).
    """
    begun, throttled_seconds, number = clock(), 0.0, 1
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        started = clock()
        samplings = attempt()
        took = clock() - started
        again = clock() - begun + pause_seconds + took <= seconds
        if number > retries or not again or not any(THROTTLED in each.tags for each in samplings):
            break
        throttled_seconds += max(each.sampling_seconds for each in samplings)
        pause(pause_seconds)
        pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        number += 1
    if number == 1:
        return samplings
    said = {"throttle_attempts": number, "throttled_seconds": round(throttled_seconds, 3)}
    return [replace(each, telemetry={**each.telemetry, **said}) for each in samplings]
