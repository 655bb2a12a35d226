"""Tests apart from whoever runs them: of that person's folders, keys and wishes nothing is read or written.

Caches of other programs that are keyed by what they hold stay where they are: pip's downloads, and what CuPy and CUDA have
compiled.  What tunetui's own builders compile lies in each test's own folder; what tests of one process share of it is made
by that process (`tests.e2e.workplace`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
_WISHES = (
    "COLUMNS", "ESCDELAY", "FORCE_COLOR", "LAMBDA_API_KEY", "LINES", "NO_COLOR", "SSH_AUTH_SOCK", "SSH_CLIENT",
    "SSH_CONNECTION", "SSH_TTY", "TUNETUI_LAMBDA_URL", "TUNETUI_SSH_CONFIG",
)  # fmt: skip


def forget_wishes() -> None:
    """What else the person's environment asks tunetui for, or Textual; before either is imported."""
    for name in [each for each in os.environ if each in _WISHES or each.startswith("TEXTUAL")]:
        del os.environ[name]


@contextlib.contextmanager
def leave_home(home: Path) -> Iterator[None]:
    """From here on all that is kept is kept below ``home``."""
    before = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or before / ".cache")
    with pytest.MonkeyPatch.context() as patch:
        for name, shared in {
            "PIP_CACHE_DIR": cache / "pip", "CUPY_CACHE_DIR": before / ".cupy" / "kernel_cache",
            "CUDA_CACHE_PATH": before / ".nv" / "ComputeCache",
        }.items():  # fmt: skip
            patch.setenv(name, os.environ.get(name) or str(shared))
        for name in FOLDERS:
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(home))
        yield


def homes(below: Path) -> Iterator[Path]:
    """One new folder after the other."""
    for number in itertools.count():
        home = below / str(number)
        home.mkdir(mode=0o700)
        yield home
