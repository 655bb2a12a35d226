"""Files that a command line asks for, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tunetui.store.atomic import write_atomically


def save_files(files: Mapping[Path, bytes]) -> None:
    """Replace these files together.  Raises StoreError; what was there before is unharmed."""
    write_atomically(dict(files))
