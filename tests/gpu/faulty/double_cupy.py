"""Twice the input, once a gate is open."""

from __future__ import annotations

import os
import time
from typing import Any

import cupy


def double(x: Any, y: Any, *, gate: str, number: int, waits: bool = False) -> None:
    while not (os.path.exists(gate) or os.path.exists(f"{gate}-{number}")):  # noqa: PTH110 - runs without pathlib's cost
        time.sleep(0.005)
    if waits:  # for the device, between one launch and the next, as sorts do
        cupy.multiply(x, 3, out=y)
        cupy.cuda.get_current_stream().synchronize()
    cupy.multiply(x, 2, out=y)
