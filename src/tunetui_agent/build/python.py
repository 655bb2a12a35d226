"""Python implementations need no build: only the interpreter and NumPy are named."""

from __future__ import annotations

import platform
from pathlib import Path

from tunetui_agent.build import Target
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial
from tunetui_agent.modules import find_module


class PythonBuilder:
    """Nothing to compile; the worker loads the source text."""

    batch = 1

    def __init__(self, cache: Path) -> None:
        self._builds = cache / "builds"

    def toolchain(self) -> Toolchain:
        """The interpreter and NumPy: both change what a kernel costs."""
        numpy = find_module("numpy")
        if not numpy.available:
            return Toolchain(language="python", available=False, reason="NumPy is missing; pip install numpy")
        version = f"{platform.python_implementation()} {platform.python_version()}, NumPy {numpy.version}"
        return Toolchain(language="python", available=True, version=version)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str | None:
        """Always None."""
        return None

    def folder(self, key: str) -> Path:
        """Never filled."""
        return self._builds / key

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """Always empty."""
        return []


def open_builder(cache: Path) -> PythonBuilder:
    """The builder for Python sources."""
    return PythonBuilder(cache)
