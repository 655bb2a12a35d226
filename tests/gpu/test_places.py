"""Samples on a real GPU take turns over places in memory."""

from __future__ import annotations

import json

import pytest

from tests.gpu.gpu_workplace import GpuWorkplace, figures, needs_gpu

pytest.importorskip("cupy", exc_type=ImportError)
pytestmark = needs_gpu


@pytest.mark.parametrize(("method", "places"), [("", 16), ("placements = 3", 3), ('cache = "hot"', 1)])
def test_a_row_says_at_how_many_places_it_was_measured(workplace: GpuWorkplace, method: str, places: int) -> None:
    workplace.grid(method, fault=json.dumps(["none", "works_too"]))
    workplace.run()
    rows = figures(workplace)
    assert [row["placements"] for row in rows] == [places, places]


def test_what_scratch_memory_held_before_the_first_execution_is_in_no_sample(workplace: GpuWorkplace) -> None:
    workplace.grid("", fault=json.dumps(["takes_long_over_fresh_scratch"]))
    workplace.edit("grid.toml", "max_samples = 6", "max_samples = 40\nprecision_percent = 0.0001")
    workplace.run()
    (board,) = workplace.leaderboard()["boards"]
    (row,) = board["rows"]
    samples = row["samples_ns"]
    assert len(samples) > 16, "more than one at some place"
    assert max(samples) < 1_000_000, "ten million cycles take several milliseconds"
