"""Exact top-k search: unit vectors as inputs, a float64 reference, and a check that respects ties."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SCORE_TOLERANCE = {"float32": 2e-5, "tf32": 4e-3, "float16": 4e-3}
"""Largest accepted error of a score; scores of unit vectors lie in [-1, 1]."""

RECALL_FLOOR = {"float32": 1.0, "tf32": 0.99, "float16": 0.99}
"""Smallest accepted share of right rows, by arithmetic."""

_CHUNK_ROWS = 2048
_QUERY_BLOCK = 32
_SPARE = 16  # candidates beyond the k best


def make_inputs(problem: dict, seed: int) -> dict[str, np.ndarray]:
    """``corpus`` (corpus_size, dims) and ``query_rows`` (queries, dims), float32 rows of length 1."""
    generator = np.random.Generator(np.random.SFC64(seed))
    return {
        "corpus": _unit_rows(generator, problem["corpus_size"], problem["dims"]),
        "query_rows": _unit_rows(generator, problem["queries"], problem["dims"]),
    }


def reference(problem: dict, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The k largest scores of every query, best first, in float64: (queries, k).

    float32 finds the candidates, float64 decides among them.  A row left out is surely none of the k best: its float32
    score lies below the k-th candidate's by more than rounding can be off.  Where that cannot be said of a query, all of
    its scores are computed in float64.
    """
    corpus, queries, k = inputs["corpus"], inputs["query_rows"], problem["k"]
    wanted = min(k + _SPARE, len(corpus))
    with ThreadPoolExecutor(_threads()) as pool:
        firsts = range(0, len(corpus), _CHUNK_ROWS)
        parts = list(pool.map(lambda first: _candidates(corpus, queries, first, wanted), firsts))
        values, rows = (np.concatenate([part[place] for part in parts], axis=1) for place in (0, 1))
        best = np.argpartition(values, values.shape[1] - wanted, axis=1)[:, -wanted:]
        values, rows = np.take_along_axis(values, best, 1), np.take_along_axis(rows, best, 1)
        unsure = np.zeros(len(queries), bool)
        if wanted < len(corpus):
            ordered = np.sort(values, axis=1)
            unsure = ordered[:, -k] - ordered[:, 0] <= 2 * _rounding(corpus, queries)
        blocks = [slice(first, first + _QUERY_BLOCK) for first in range(0, len(queries), _QUERY_BLOCK)]
        exact = np.concatenate(list(pool.map(lambda block: _exact(corpus[rows[block]], queries[block]), blocks)))
    found = -np.sort(-exact, axis=1)[:, :k]
    for query in np.flatnonzero(unsure):
        found[query] = -np.sort(-_exact(corpus[None], queries[query : query + 1]), axis=1)[0, :k]
    return found


def _candidates(corpus: np.ndarray, queries: np.ndarray, first: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Float32 scores and places of a chunk's best rows, for every query: both (queries, wanted or all of them)."""
    chunk = corpus[first : first + _CHUNK_ROWS].astype(np.float32, copy=False)
    scores = queries.astype(np.float32, copy=False) @ chunk.T
    if scores.shape[1] <= wanted:
        return scores, np.broadcast_to(np.arange(first, first + len(chunk)), scores.shape)
    best = np.argpartition(scores, scores.shape[1] - wanted, axis=1)[:, -wanted:]
    return np.take_along_axis(scores, best, 1), best + first


def _exact(rows: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores in float64 of each query's own rows, (queries, rows)."""
    return np.einsum("qkd,qd->qk", rows.astype(np.float64), queries.astype(np.float64), optimize=True)


def _rounding(corpus: np.ndarray, queries: np.ndarray) -> float:
    """How far a float32 inner product can be off: dims x 2**-24 x the largest lengths (Higham, section 3.1)."""
    longest = [float(np.sqrt(np.einsum("ij,ij->i", each, each, dtype=np.float32).max())) for each in (corpus, queries)]
    return 1.01 * corpus.shape[1] * 2.0**-24 * longest[0] * longest[1]


def _threads() -> int:
    """Chunks at once; BLAS itself is held to one thread in the worker."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check(problem: dict, inputs: dict, expected: np.ndarray, outputs: dict) -> dict:
    """Recall against the float64 order, where rows whose exact scores tie with the k-th are equally right.

    Also: every index valid and distinct within its query, every score that of its row, best first.
    """
    scores, indices = outputs["scores"], outputs["indices"]
    size, arithmetic = problem["corpus_size"], problem.get("dtype", "float32")
    tolerance = SCORE_TOLERANCE.get(arithmetic, SCORE_TOLERANCE["float32"])
    outside = int(np.count_nonzero((indices < 0) | (indices >= size)))
    if outside:
        return {"ok": False, "cause": f"{outside} of {indices.size} indices lie outside the corpus"}
    rows, queries = inputs["corpus"][indices].astype(np.float64), inputs["query_rows"].astype(np.float64)
    exact = np.einsum("qkd,qd->qk", rows, queries)
    error = float(np.max(np.abs(scores.astype(np.float64) - exact), initial=0.0))
    # A row within rounding of the k-th score is a tie: in float32, or in float64, where two sums of the same products differ.
    right = exact >= expected[:, -1:] - (1e-6 if arithmetic == "float32" else 1e-12)
    figures = {"recall": float(np.mean(right)), "max_abs_error": error}
    cause = _fault(scores, indices, error, tolerance)
    floor = RECALL_FLOOR.get(arithmetic, 1.0)
    if not cause and figures["recall"] < floor:
        cause = f"recall {figures['recall']:.4f} is below {floor}: rows outside the top {problem['k']} were returned"
    return {"ok": not cause, "cause": cause, **figures}


def _fault(scores: np.ndarray, indices: np.ndarray, error: float, tolerance: float) -> str:
    """What is wrong with the lists themselves, or an empty string."""
    ordered = np.sort(indices, axis=1)
    if np.any(ordered[:, 1:] == ordered[:, :-1]):
        return "a row was returned twice for one query"
    if error > tolerance:
        return f"a score differs from its row's by {error:.3g}, more than {tolerance:g}"
    if np.any(np.diff(scores.astype(np.float64), axis=1) > tolerance):
        return "the scores are not sorted, best first"
    return ""


def _unit_rows(generator: np.random.Generator, rows: int, dims: int) -> np.ndarray:
    """Uniform in every coordinate, then scaled to length 1."""
    vectors = generator.random((rows, dims), dtype=np.float32)
    vectors -= np.float32(0.5)
    vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
    return vectors
