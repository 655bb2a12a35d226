"""Exact top-k search: unit vectors as inputs, a float64 reference, and a check that respects ties."""

from __future__ import annotations

import numpy as np

SCORE_TOLERANCE = {"float32": 2e-5, "tf32": 4e-3, "float16": 4e-3}
"""Largest accepted error of a score; scores of unit vectors lie in [-1, 1]."""

RECALL_FLOOR = {"float32": 1.0, "tf32": 0.99, "float16": 0.99}
"""Smallest accepted share of right rows, by arithmetic."""

_CHUNK_ROWS = 8192


def make_inputs(problem: dict, seed: int) -> dict[str, np.ndarray]:
    """``corpus`` (corpus_size, dims) and ``query_rows`` (queries, dims), float32 rows of length 1."""
    generator = np.random.Generator(np.random.SFC64(seed))
    return {
        "corpus": _unit_rows(generator, problem["corpus_size"], problem["dims"]),
        "query_rows": _unit_rows(generator, problem["queries"], problem["dims"]),
    }


def reference(problem: dict, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The k largest scores of every query, best first, in float64: (queries, k)."""
    corpus, queries, k = inputs["corpus"], inputs["query_rows"].astype(np.float64), problem["k"]
    best = np.empty((len(queries), 0))
    for first in range(0, len(corpus), _CHUNK_ROWS):
        scores = queries @ corpus[first : first + _CHUNK_ROWS].astype(np.float64).T
        best = np.concatenate([best, scores], axis=1)
        if best.shape[1] > k:
            best = np.partition(best, best.shape[1] - k, axis=1)[:, -k:]
    return -np.sort(-best, axis=1)


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
    # A row within rounding of the k-th score is a tie: float64 alone could not tell them apart in float32.
    right = exact >= expected[:, -1:] - (1e-6 if arithmetic == "float32" else 0.0)
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
