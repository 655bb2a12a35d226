"""What can be said to ``tunetui size``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.pricing import declare_prices
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.values import not_negative, positive, share

_DESCRIPTION = """\
Say how many devices carry a load, from saved leaderboards: for every model of
device and every batch size (the problem's "queries") that was measured, the
fewest devices that answer so many queries per second within a bound on the
99th percentile, and what that costs.  The formulas are printed with it."""

_EXAMPLES = """\
examples:
  tunetui size shapes.leaderboard.json --qps 5000 --p99 50 --usd-per-hour 3.79
  tunetui size h200.leaderboard.json a10.leaderboard.json --qps 1e5 --p99 5 \\
      --usd-per-hour "NVIDIA H200=3.79" --usd-per-hour "NVIDIA A10=0.75"
  tunetui size shapes.leaderboard.json --qps 5000 --p99 50 --format json

exit codes:
    0  every problem can be carried
    1  for some problem no measured batch meets the bound
    2  bad input
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--qps", metavar="N", type=positive, required=True, help="queries per second to be answered")
    parser.add_argument(
        "--p99", metavar="MS", type=positive, required=True, help="99 of 100 queries are answered within this"
    )
    parser.add_argument(
        "--headroom", metavar="P%", type=share, default=30.0, help="of each device kept free (default: 30%%)"
    )
    parser.add_argument(
        "--overhead-ms", metavar="MS", type=not_negative, default=0.0,
        help="what each query takes beside the kernel: network, copies, code (default: 0)",
    )  # fmt: skip
    declare_prices(parser)
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    declare_no_color(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.size import run_size

    return run_size(parsed)


COMMAND = Command(
    summary="say how many devices a load needs, and what they cost",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
