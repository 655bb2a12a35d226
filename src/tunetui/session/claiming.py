"""Figures that somebody claims, from the files that state them."""

from __future__ import annotations

from pathlib import Path

from tunetui.core.errors import InputError
from tunetui.core.leaderboard import Claim, Leaderboard
from tunetui.store.definitions import load_grid
from tunetui.store.leaderboard import read_leaderboard


def read_judged(path: Path) -> Leaderboard | list[Claim]:
    """What a leaderboard may be held against: another leaderboard, or the claim in a grid's ``[compare]``.

    Raises:
        InputError: the file is neither, cannot be read, or is a grid that claims nothing.
    """
    if path.suffix != ".toml" or path.name.endswith(".leaderboard.toml") or not _is_grid(path):
        return read_leaderboard(path)
    stated = load_grid(path).compare
    if stated is None:
        raise InputError(f"{path}: a grid without [compare] claims nothing", hint="docs/files.md tells its keys")
    return [Claim(label=stated.label, simulated=stated.simulated, latency_ms=stated.latency_ms, facts=stated.facts)]


def _is_grid(path: Path) -> bool:
    """Whether it names a kernel in its first table: a leaderboard has a table of that name, further down."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError:
        return False  # whoever reads it next says why
    lines = [line.strip() for line in head.decode(errors="replace").splitlines()]
    top = lines[: next((place for place, line in enumerate(lines) if line.startswith("[")), len(lines))]
    return any(line.partition("=")[0].strip() == "kernel" for line in top)
