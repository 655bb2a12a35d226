"""Row sums: uniform random inputs, a float64 reference, and a check against the rounding that float32 sums may have."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_inputs(problem: dict[str, Any], seed: int) -> dict[str, Any]:
    """``matrix`` (rows, columns), float32 in [-1, 1)."""
    generator = np.random.Generator(np.random.SFC64(seed))
    matrix = generator.random((problem["rows"], problem["columns"]), dtype=np.float32)
    return {"matrix": 2 * matrix - 1}


def reference(problem: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
    """The sums in float64, and the sums of the absolute values, which bound the rounding."""
    matrix = inputs["matrix"]
    return {
        "sums": matrix.sum(axis=1, dtype=np.float64),
        "magnitudes": np.abs(matrix).sum(axis=1, dtype=np.float64),
    }


def check(
    problem: dict[str, Any], inputs: dict[str, Any], expected: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    """Every sum within ``columns`` roundings of the magnitudes (Higham, Accuracy and Stability, section 4.2)."""
    errors = np.abs(outputs["sums"].astype(np.float64) - expected["sums"])
    allowed = problem["columns"] * np.finfo(np.float32).eps / 2 * expected["magnitudes"]
    far = int(np.count_nonzero(errors > allowed))
    cause = f"{far} of {errors.size} sums are further from the reference than rounding explains" if far else ""
    return {"ok": not far, "cause": cause, "max_abs_error": float(errors.max())}
