"""Where the folders that ship with tunetui are: inside the wheel, or at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

import tunetui
from tunetui.core.errors import TunetuiError


def shipped_folder(name: str) -> Path:
    """The folder ``kernels`` or ``themes`` as shipped.

    Raises:
        TunetuiError: this installation lacks it.
    """
    package = Path(tunetui.__file__).resolve().parent
    checkout = package.parents[1]  # an editable install does not apply the wheel's mapping
    candidates = [package / name]
    if (checkout / "pyproject.toml").is_file():
        candidates.append(checkout / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise TunetuiError(f"this installation of tunetui lacks its {name} folder", hint="install tunetui again")
