"""Makes the caches of a CPU cold: every usable core overwrites its share of a buffer larger than the caches."""

from __future__ import annotations

import os
import threading

import numpy as np

_FACTOR = 2


class Evictor:
    """A buffer of at least twice the last-level cache, and one pinned thread per usable CPU to overwrite it.

    All cores take part because private caches (L2) are evicted by their own core only.  The threads sleep between evictions.
    """

    def __init__(self, cpus: list[int], last_level_bytes: int, private_bytes: int) -> None:
        """Args: the CPUs to evict from, the bytes of their last-level caches together, of the largest private cache."""
        share = max(_FACTOR * last_level_bytes // len(cpus), _FACTOR * private_bytes, 1 << 20)
        self._shares = [np.zeros((share + 7) // 8, np.uint64) for _ in cpus]
        self._start = threading.Barrier(len(cpus) + 1)
        self._end = threading.Barrier(len(cpus) + 1)
        self._cpus = cpus
        self._round = 0
        self._started = False

    @property
    def size_bytes(self) -> int:
        """Bytes overwritten by one eviction."""
        return sum(share.nbytes for share in self._shares)

    def describe(self) -> str:
        """How the caches are made cold, for people."""
        cores = len(self._cpus)
        who = "1 core overwrites" if cores == 1 else f"{cores} cores together overwrite"
        return f"{who} {self.size_bytes / (1 << 20):.0f} MiB before every sample"

    def evict(self) -> None:
        """Overwrites the whole buffer; returns when every core has finished its share."""
        if not self._started:
            self._launch()
        self._round += 1
        self._start.wait()
        self._end.wait()

    def _launch(self) -> None:
        self._started = True
        for cpu, share in zip(self._cpus, self._shares, strict=True):
            threading.Thread(target=self._serve, args=(cpu, share), daemon=True, name=f"evict-{cpu}").start()

    def _serve(self, cpu: int, share: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> None:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {cpu})  # of this thread alone
        while True:
            self._start.wait()
            share.fill(self._round)
            self._end.wait()
