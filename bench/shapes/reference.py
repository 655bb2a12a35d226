"""A random matrix and the sums of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_inputs(problem: dict[str, Any], seed: int) -> dict[str, Any]:
    """``matrix`` of (rows, 768) float32."""
    return {"matrix": np.random.default_rng(seed).random((problem["rows"], 768), dtype=np.float32)}


def reference(problem: dict[str, Any], inputs: dict[str, Any]) -> Any:
    """The sums, float64."""
    return inputs["matrix"].sum(axis=1, dtype=np.float64)


def check(problem: dict[str, Any], inputs: dict[str, Any], expected: Any, outputs: dict[str, Any]) -> dict[str, Any]:
    """Within what float32 sums of 768 numbers can be off."""
    error = float(np.abs(outputs["sums"] / expected - 1).max())
    return {"ok": error < 1e-4, "cause": f"off by {error:.3g}, relative", "max_relative_error": error}
