"""What can be said to ``tunetui compare``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.values import percentage

_DESCRIPTION = """\
Hold one leaderboard against another: what changed between the two runs, the
best of each, and every configuration that both have as SAME, FASTER, SLOWER or
UNDECIDED, the second against the first.  Noise is no verdict: with 200 rows of
a repeated run, the chance of even one false FASTER or SLOWER is at most 5 %.

With a grid's [compare] in place of the second, or with one leaderboard that
has such a claim, the claim is set beside what was measured."""

_EXAMPLES = """\
examples:
  tunetui compare before.leaderboard.json after.leaderboard.json
  tunetui compare old.leaderboard.toml new.leaderboard.toml --fail-over 3%
  tunetui compare a.leaderboard.toml b.leaderboard.toml --format markdown
  tunetui compare seed-288.leaderboard.toml grids/seed-288.toml

exit codes:
    0  compared; with --fail-over: surely no row is slower by more than that
    1  --fail-over: a row surely is slower by more than that, or now fails
    2  bad input: other kernels, no problem in common, no leaderboard
    6  --fail-over: neither can be shown; measure both more precisely
docs/deciding.md states the tests and the formulas.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="FIRST", type=Path, help="a saved leaderboard: what was before")
    parser.add_argument(
        "second", metavar="SECOND", type=Path, nargs="?",
        help="what is now: a saved leaderboard, or a grid that has [compare] (default: FIRST's own claims)",
    )  # fmt: skip
    parser.add_argument(
        "--margin", metavar="P%", type=percentage, default=1.0, help="so far apart is still SAME (default: 1%%)"
    )
    parser.add_argument(
        "--fail-over", metavar="P%", type=percentage,
        help="judge whether SECOND is slower by more than this; the exit code says so",
    )  # fmt: skip
    parser.add_argument(
        "--gate", choices=("rows", "best"), default="rows",
        help="what --fail-over judges: every row, or the best of each problem (default: rows)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="list every row, not only the first 20 of each problem")
    parser.add_argument("--format", choices=("table", "json", "markdown"), default="table", help="default: table")
    declare_no_color(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.compare import run_compare

    return run_compare(parsed)


COMMAND = Command(
    summary="hold a leaderboard against another, or against a claim",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
