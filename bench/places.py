"""Does it matter where an array lies?  A CPU reads copies of it in turn; each copy is measured twice, and so is one copy under eight names.

    python bench/places.py [--seconds 20] [--output bench/results/places.json]

Executions alternate among all copies in random order, so that time and neighbours fall on all alike.  Each is preceded by tunetui's
eviction.  Of each copy's two series a low percentile is kept, which other work on the machine moves least.  The standard deviation
between copies is the between-groups component of the one-way random-effects model.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import subprocess
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from tunetui_agent.devices.cpu import ASSUMED_LLC_BYTES, caches, cpu_name, last_level_bytes, usable_cpus
from tunetui_agent.devices.eviction import Evictor
from tunetui_agent.verify import aligned_empty

MEGABYTES, COPIES, SERIES, PERCENTILES = (4, 30, 120), 8, 2, (10, 25, 50)


def evictor() -> Evictor:
    """As the CPU device has it."""
    found = caches(usable_cpus())
    private = max((cache.size_bytes for cache in found if cache.level == 2), default=0)
    return Evictor(usable_cpus(), last_level_bytes(found) or ASSUMED_LLC_BYTES, private)


def copies_of(megabytes: int, draw: random.Random) -> list[Any]:
    """Arrays of ones, allocated as tunetui allocates inputs, with other memory taken between them."""
    made, between = [], []
    for _ in range(COPIES):
        between.append(np.ones(draw.randrange(1 << 12, 8 << 20), np.uint8))
        array, _ = aligned_empty((megabytes * 10**6 // 4,), "float32")
        array.fill(1.0)
        made.append(array)
    return made


def timed(arrays: list[Any], evict: Evictor, seconds: float, draw: random.Random) -> dict[tuple[int, int], list[int]]:
    """Nanoseconds of each array's sum, by array and series."""
    order = [(copy, series) for copy in range(COPIES) for series in range(SERIES)]
    taken: dict[tuple[int, int], list[int]] = defaultdict(list)
    clock, end = time.perf_counter_ns, time.monotonic() + seconds
    while time.monotonic() < end:
        for copy, series in draw.sample(order, len(order)):
            evict.evict()
            begun = clock()
            arrays[copy].sum()
            taken[copy, series].append(clock() - begun)
    return taken


def component(taken: dict[tuple[int, int], list[int]], percentile: int) -> dict[str, Any]:
    """How far copies lie apart beyond what their series do, in percent; F is the ratio of the mean squares."""
    logs = [
        [math.log(float(np.percentile(taken[copy, series], percentile))) for series in range(SERIES)]
        for copy in range(COPIES)
    ]
    grand = mean(value for group in logs for value in group)
    between = SERIES * sum((mean(group) - grand) ** 2 for group in logs) / (COPIES - 1)
    within = sum((value - mean(group)) ** 2 for group in logs for value in group) / (COPIES * (SERIES - 1))
    return {
        "percentile": percentile,
        "us": round(math.exp(grand) / 1e3, 2),
        "sd_between_copies_percent": round(100 * math.sqrt(max(0.0, between - within) / SERIES), 3),
        "sd_between_series_percent": round(100 * math.sqrt(within), 3),
        "f": round(between / within, 2) if within else None,
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each size and way")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "places.json")
    asked = parser.parse_args()
    evict, draw, found = evictor(), random.Random(1), []
    for megabytes in MEGABYTES:
        places = copies_of(megabytes, draw)
        for way, arrays in (("eight copies", places), ("one copy eight times", places[:1] * COPIES)):
            taken = timed(arrays, evict, asked.seconds, draw)
            each = len(taken[0, 0])
            for percentile in PERCENTILES:
                line = {"megabytes": megabytes, "way": way, "executions_each": each, **component(taken, percentile)}
                found.append(line)
                print(line, flush=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    result = {
        "what": "sums of arrays that lie at different places, cold caches",
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit, "cpu": cpu_name(),
        "kernel": platform.release(), "load_average_1m": os.getloadavg()[0], "copies": COPIES, "rows": found,
    }  # fmt: skip
    asked.output.write_text(json.dumps(result, indent=1) + "\n")
    print(asked.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
