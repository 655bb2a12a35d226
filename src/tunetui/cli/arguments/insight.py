"""What can be said to ``tunetui insight``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.pricing import declare_prices
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.values import percentage, place

_DESCRIPTION = """\
Say what saved leaderboards teach beyond their winners: how much of the
variation each axis and each pair of axes explains, with intervals; what the
best row at each value of an axis loses; which rows no other beats in latency
and energy, recall or price; and the cheapest row within 1 % of the fastest."""

_EXAMPLES = """\
examples:
  tunetui insight seed-288.leaderboard.json
  tunetui insight seed-288.leaderboard.json --board 3 --within 5%
  tunetui insight h200.leaderboard.json a10.leaderboard.json \\
      --usd-per-hour "NVIDIA H200=3.79" --usd-per-hour "NVIDIA A10=0.75"
  tunetui insight seed-288.leaderboard.json --format json

exit codes: 0 said, 2 bad input.  docs/insight.md states the formulas.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--board", metavar="N", type=place, help="only this board of each file (1 is the first)")
    parser.add_argument(
        "--within", metavar="P%", type=percentage, default=1.0,
        help="so much slower than the fastest is still as good (default: 1%%)",
    )  # fmt: skip
    declare_prices(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    declare_no_color(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.insight import run_insight

    return run_insight(parsed)


COMMAND = Command(
    summary="say which axes matter, and what speed costs",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
