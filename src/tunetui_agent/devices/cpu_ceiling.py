"""What this CPU's memory can do at most: the copy rate of all usable cores together.

Method as in STREAM "copy" (McCalpin 1995): bytes read plus bytes written over the time; median of several repetitions on
arrays several times the last-level cache.  Cores copy their own part at once; NumPy lets go of the interpreter's lock.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np

from tunetui_agent.messages import Value

_LEAST_BYTES = 64 << 20
_FACTOR = 4  # of the last-level cache: each of the two arrays
_REPEATS = 7


def measure_copy_ceiling(cores: int, last_level_bytes: int, memory_bytes: int) -> dict[str, Value]:
    """``ceiling_copy_gb_per_s``; takes some tenths of a second."""
    size = max(_FACTOR * last_level_bytes, _LEAST_BYTES)
    if memory_bytes:
        size = min(size, memory_bytes // 8)
    parts = [(np.ones(size // cores // 8), np.zeros(size // cores // 8)) for _ in range(cores)]
    moved = sum(source.nbytes + target.nbytes for source, target in parts)
    taken = []
    with ThreadPoolExecutor(cores) as pool:
        for _ in range(_REPEATS + 1):
            begun = time.perf_counter()
            list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))
            taken.append(time.perf_counter() - begun)
    return {"ceiling_copy_gb_per_s": round(moved / median(taken[1:]) / 1e9, 2)}
