"""The locked lists that a bare host's environment is built from: which wheels, for which Python and machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from tunetui.core.errors import TunetuiError

NEWEST_FIRST = ((3, 12), (3, 13), (3, 11), (3, 10), (3, 14))
"""Pythons to build with: those with the most wheels first."""
LEAST_GLIBC = (2, 28)


class Wheel(msgspec.Struct, frozen=True):
    """One file of a package index."""

    name: str
    version: str
    sha256: str
    url: str
    size: int  # bytes


class Lock(msgspec.Struct, frozen=True):
    """One set: ``targets`` ("cp312-x86_64") name files of ``wheels``; ``pip`` is one of them."""

    set: str
    requires: list[str]
    pip: str
    targets: dict[str, list[str]]
    wheels: dict[str, Wheel]


@dataclass(frozen=True)
class Recipe:
    """What one environment is built from."""

    key: str  # names its folder
    wheels: dict[str, Wheel]  # by file name
    pip: tuple[str, Wheel]

    @property
    def requirements(self) -> str:
        """For ``pip install --require-hashes``."""
        return "".join(f"{each.name}=={each.version} --hash=sha256:{each.sha256}\n" for each in self.wheels.values())

    @property
    def size_bytes(self) -> int:
        return sum(each.size for each in self.wheels.values())


def set_for(kind: str, cuda: str) -> str:
    """The set for a kind of device; ``cuda`` is the version that the driver runs, such as "12.8".

    Raises TunetuiError where the driver is too old.
    """
    if kind == "cpu":
        return "cpu"
    major = int(cuda.partition(".")[0] or 0)
    if major < 12:
        raise TunetuiError(
            f"the driver runs CUDA {cuda or 'of unknown version'}, and CuPy's wheels need CUDA 12",
            hint="update the NVIDIA driver to 525 or newer (580 for CUDA 13)",
        )
    return "cuda13" if major >= 13 else "cuda12"


def recipe(name: str, python: tuple[int, int], machine: str) -> Recipe | None:
    """How to build set ``name`` with this Python on this machine; None where there are no wheels for it."""
    raw, lock = _lock(name)
    version = "".join(map(str, python))
    target = f"cp{version}-{'aarch64' if machine == 'arm64' else machine}"
    if target not in lock.targets:
        return None
    digest = hashlib.sha256(raw).hexdigest()[:12]
    key = f"{name}-{digest}-{target.replace('cp', 'py')}"
    return Recipe(key, {file: lock.wheels[file] for file in lock.targets[target]}, (lock.pip, lock.wheels[lock.pip]))


@cache
def _lock(name: str) -> tuple[bytes, Lock]:
    raw = (files("tunetui") / "environments" / f"{name}.json").read_bytes()
    return raw, msgspec.json.decode(raw, type=Lock)
