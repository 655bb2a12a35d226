"""Writes small files below a folder, to stand for another machine's /proc and /sys."""

from __future__ import annotations

from pathlib import Path


def files_below(root: Path, files: dict[str, str]) -> Path:
    """``root`` itself, once every relative name holds its text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
