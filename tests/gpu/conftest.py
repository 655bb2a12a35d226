"""One workplace on the GPU for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu.gpu_workplace import GpuWorkplace


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[GpuWorkplace]:
    place = GpuWorkplace(tmp_path)
    yield place
    place.end()
