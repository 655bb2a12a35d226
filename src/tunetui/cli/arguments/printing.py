"""Options that say what is printed, and what is written where at the end of a run."""

from __future__ import annotations

import argparse
from pathlib import Path


def declare_no_color(parser: argparse.ArgumentParser) -> None:
    """For every command that colours what it prints."""
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")


def declare_outcome(parser: argparse._ActionsContainer, *, meanwhile: str, stem: str) -> None:
    """What a run is judged by, prints and writes; ``meanwhile`` and ``stem`` are words of the help."""
    parser.add_argument("--check", action="store_true", help="exit with 1 unless every target is met")
    parser.add_argument(
        "--format", choices=("table", "json", "csv", "none"),
        help="what stdout gets at the end (default: table; none with --events)",
    )  # fmt: skip
    parser.add_argument("--events", action="store_true", help=f"stream the journal to stdout as JSON lines {meanwhile}")
    parser.add_argument(
        "-o", "--output", metavar="STEM", type=Path,
        help=f"write STEM.leaderboard.toml and .json (default: {stem})",
    )  # fmt: skip
