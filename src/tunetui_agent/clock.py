"""The time of day that this process tells: right or wrong at its start, it never jumps afterwards."""

from __future__ import annotations

import time

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Goes on while the machine sleeps, where there is such a clock."""
_AHEAD = time.time() - time.clock_gettime(_STEADY)


def now() -> float:
    """Seconds since the epoch by the system's clock as it was when this process began."""
    return _AHEAD + time.clock_gettime(_STEADY)
