"""A workplace whose kernels run on the GPU of this machine; without one, or without CuPy, its tests are skipped."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workplace import Workplace
from tunetui_agent.devices.cuda_driver import DriverError, find_gpus

FAULTY = Path(__file__).parent / "faulty"

GRID = f"""
name = "double"
kernel = {json.dumps(str(FAULTY))}
device = "gpu"
implementations = ["cuda"]
[method]
min_samples = 6
max_samples = 6
max_seconds = 0.2
warmup_samples = 1
warmup_seconds = 0.0
finalists = 0
sentinel_seconds = 0
"""


def _no_gpu() -> str:
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed"
    try:
        return "" if find_gpus() else "CUDA finds no GPU here"
    except DriverError as error:
        return str(error)


needs_gpu = pytest.mark.skipif(bool(_no_gpu()), reason=_no_gpu())


class GpuWorkplace(Workplace):
    """Sweeps of tests/gpu/faulty on the GPU."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # tunetui runs in the workplace's folder, where a relative entry would be another one.
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        self.environment["PYTHONPATH"] = os.pathsep.join(str(Path(part).resolve()) for part in given if part)

    def grid(self, text: str = "", **axes: str) -> None:
        """Write grid.toml: more TOML for [method], and axes with their values as TOML."""
        lines = [GRID, text, "[axes]", *(f"{name} = {values}" for name, values in axes.items())]
        (self.folder / "grid.toml").write_text("\n".join(lines))

    def waiting_grid(self, numbers: list[int]) -> None:
        """Trials in Python, each of which stands still until its gate is open."""
        self.grid(gate=json.dumps([str(self.folder / "gate")]), number=str(numbers))
        self.edit("grid.toml", '["cuda"]', '["cupy"]')


def figures(workplace: GpuWorkplace) -> list[dict[str, Any]]:
    """Resources and telemetry of every row that was measured, the best first."""
    (board,) = workplace.leaderboard()["boards"]
    return [{**row["resources"], **row["telemetry"]} for row in board["rows"] if row["status"] == "measured"]
