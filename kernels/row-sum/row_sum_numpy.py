"""Row sums in NumPy, three ways."""

from __future__ import annotations

from typing import Any

import numpy as np


def row_sum(matrix: Any, sums: Any, *, method: str) -> None:
    """Writes the sum of every row of ``matrix`` (rows, columns) into ``sums`` (rows,)."""
    if method == "sum":
        np.sum(matrix, axis=1, out=sums)
    elif method == "einsum":
        np.einsum("ij->i", matrix, out=sums)
    else:
        np.matmul(matrix, np.ones(matrix.shape[1], matrix.dtype), out=sums)
