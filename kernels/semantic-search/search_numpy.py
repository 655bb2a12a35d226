"""Exact top-k search in NumPy: tiles of the corpus are scored by a matrix product and cut down to their best k at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np


def search(corpus, query_rows, scores, indices, *, k, tile_rows, select, threads):
    """Writes the k best scores and rows of every query, best first, into ``scores`` and ``indices``.

    ``tile_rows`` rows are scored at a time; ``select`` is ``argpartition`` or ``sort``; tiles are dealt out to ``threads``
    threads (the matrix product itself runs on one: NumPy releases the interpreter lock in it).
    """
    starts = range(0, len(corpus), tile_rows)

    def tile(first: int) -> tuple[np.ndarray, np.ndarray]:
        return _best(query_rows @ corpus[first : first + tile_rows].T, first, k, select)

    found = list(_pool(threads).map(tile, starts)) if threads > 1 else [tile(first) for first in starts]
    candidates = np.concatenate([part[0] for part in found], axis=1)
    rows = np.concatenate([part[1] for part in found], axis=1)
    order = np.argsort(-candidates, axis=1, kind="stable")[:, :k]
    scores[...] = np.take_along_axis(candidates, order, axis=1)
    indices[...] = np.take_along_axis(rows, order, axis=1)


def _best(products: np.ndarray, first: int, k: int, select: str) -> tuple[np.ndarray, np.ndarray]:
    """The k best of one tile in any order: scores and corpus rows."""
    keep = min(k, products.shape[1])
    if select == "sort":
        local = np.argsort(products, axis=1)[:, -keep:]
    else:
        local = np.argpartition(products, products.shape[1] - keep, axis=1)[:, -keep:]
    return np.take_along_axis(products, local, axis=1), local + first


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads are made once per process, not once per search."""
    return ThreadPoolExecutor(threads)
