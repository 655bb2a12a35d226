"""A cloud of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lambda_cloud.cloud import Cloud
from tests.lambda_cloud.renting import Clock, Renting
from tests.lambda_cloud.server import served


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock) -> Cloud:
    return Cloud(clock.now)


@pytest.fixture
def renting(cloud: Cloud, clock: Clock, tmp_path: Path) -> Iterator[Renting]:
    with served(cloud) as url:
        yield Renting(url, tmp_path / "lambda", cloud, clock)
