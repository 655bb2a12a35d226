"""Twice the input, once a gate is open."""

from __future__ import annotations

import os
import time
from typing import Any

import cupy


def double(x: Any, y: Any, *, gate: str, number: int) -> None:
    while not (os.path.exists(gate) or os.path.exists(f"{gate}-{number}")):  # noqa: PTH110 - runs without pathlib's cost
        time.sleep(0.005)
    cupy.multiply(x, 2, out=y)
