"""Samples on a real GPU take turns over copies of the inputs."""

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
