"""Wheels for the environments that tests build, and what such a build leaves on a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tunetui.core.errors import TunetuiError
from tunetui.hosts.environments import NEWEST_FIRST, recipe
from tunetui.hosts.wheels import fetch_wheel

MACHINE = os.uname().machine


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every wheel of the CPU set that this machine's Pythons may need, fetched once for all workers."""
    folder = tmp_path_factory.getbasetemp().parent / "tunetui-test-wheels"
    for version in NEWEST_FIRST:
        plan = recipe("cpu", version, MACHINE)
        assert plan is not None
        try:
            for name, wheel in [plan.pip, *plan.wheels.items()]:
                fetch_wheel(folder, name, wheel, lambda _: None)
        except TunetuiError as error:
            pytest.skip(f"no wheels without a network: {error}")
    return folder


def inside(root: Path, python: str) -> bool:
    return root / "env" in Path(python).parents


def left_over(root: Path) -> list[str]:
    """What a build must not leave: half environments, scratch folders, wheels."""
    parts = [path.name for path in (root / "env").iterdir() if path.suffix in (".part", ".tmp")]
    return [*parts, *(path.name for path in (root / "wheels").iterdir())]
