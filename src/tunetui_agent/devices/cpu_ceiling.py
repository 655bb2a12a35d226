"""What this CPU's memory can do at most: the copy and read rates of all usable cores together.

Method as in STREAM (McCalpin 1995): bytes read plus bytes written over the time; median of several repetitions on arrays
several times the last-level cache.  Every core works on its own part at once; NumPy lets go of the interpreter's lock.
Copying also reads the lines that it is about to overwrite, which nobody counts, so reading alone can be faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np

from tunetui_agent.messages import Value

_LEAST_BYTES = 64 << 20
_FACTOR = 4  # of the last-level cache: each of the two arrays
_LEAST_REPEATS, _MOST_REPEATS = 3, 7
_AGREEMENT = 0.02  # of so many of them is enough: a device is opened again for every fresh worker


def measure_ceilings(cores: int, last_level_bytes: int, memory_bytes: int) -> dict[str, Value]:
    """``ceiling_copy_gb_per_s`` and ``ceiling_read_gb_per_s``; takes some tenths of a second."""
    size = max(_FACTOR * last_level_bytes, _LEAST_BYTES)
    if memory_bytes:
        size = min(size, memory_bytes // 8)
    parts = [(np.ones(size // cores // 8), np.zeros(size // cores // 8)) for _ in range(cores)]
    read = sum(source.nbytes for source, _ in parts)
    with ThreadPoolExecutor(cores) as pool:

        def seconds(work: Callable[[tuple[Any, Any]], Any]) -> float:
            list(pool.map(work, parts))
            taken: list[float] = []
            while len(taken) < _MOST_REPEATS and not _agree(taken):
                begun = time.perf_counter()
                list(pool.map(work, parts))
                taken.append(time.perf_counter() - begun)
            return float(median(taken))

        copy = seconds(lambda part: np.copyto(part[1], part[0]))
        # A dot product is the read that NumPy does at the speed of memory; its BLAS runs single-threaded here.
        dot = seconds(lambda part: part[0] @ part[0])
    return {
        "ceiling_copy_gb_per_s": round(2 * read / copy / 1e9, 2),
        "ceiling_read_gb_per_s": round(read / dot / 1e9, 2),
    }


def _agree(taken: list[float]) -> bool:
    return len(taken) >= _LEAST_REPEATS and max(taken) <= (1 + _AGREEMENT) * min(taken)
