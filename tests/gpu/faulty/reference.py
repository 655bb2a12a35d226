"""Random input, its double, and how far a kernel is off."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_inputs(problem: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"x": np.random.default_rng(seed).random(problem["n"], dtype=np.float32)}


def reference(problem: dict[str, Any], inputs: dict[str, Any]) -> Any:
    return inputs["x"].astype(np.float64) * 2


def check(problem: dict[str, Any], inputs: dict[str, Any], expected: Any, outputs: dict[str, Any]) -> dict[str, Any]:
    error = float(np.abs(outputs["y"] - expected).max())
    return {"ok": error < 1e-5, "cause": f"off by {error:.3g}", "max_abs_error": error}
