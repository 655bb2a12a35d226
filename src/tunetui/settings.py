"""Where tunetui keeps things on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The host folder of the local agent: ``$XDG_CACHE_HOME/tunetui``, else ``~/.cache/tunetui``.

    A relative XDG_CACHE_HOME is ignored, as its specification says.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "tunetui"
