"""What can be said to ``tunetui show``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.values import whole_number

_DESCRIPTION = """\
Print saved leaderboards (STEM.leaderboard.toml or .json), one after the other.
Rows keep the rank they were given when they were measured; configurations that
failed stand below with their cause.  "3=" is a rank shared by rows that cannot
be told apart; "*" marks rows whose figures come from the race of finalists."""

_EXAMPLES = """\
A column is an axis, a problem field, a metric, or a dotted figure:
latency_ms.median, latency_ms.p95, latency_ms.ci_low, latency_ms.repeat_low
(to repeat_high: where another run's median will lie), quality.recall,
build_seconds, rank, implementation, status, stage, tags.  The end of a name
is enough where only one column has it: p95, recall.  csv has every column.

examples:
  tunetui show quickstart.leaderboard.toml
  tunetui show a.leaderboard.toml b.leaderboard.json --sort latency_ms.p95
  tunetui show a.leaderboard.toml --where "tile_rows >= 1024 and threads == 1"
  tunetui show a.leaderboard.toml --columns rank,implementation,build_seconds
  tunetui show a.leaderboard.toml --format csv > rows.csv
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--sort", metavar="COLUMN", help="order by this column (default: rank)")
    parser.add_argument("--descending", action="store_true", help="largest first")
    parser.add_argument("--where", metavar="EXPRESSION", help="only rows for which this holds (as in [constraints])")
    parser.add_argument("--top", metavar="N", type=whole_number, help="only the first N rows of each problem")
    parser.add_argument("--columns", metavar="A,B,...", help="exactly these columns, in this order")
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
    declare_no_color(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.show import run_show

    return run_show(parsed)


COMMAND = Command(
    summary="print saved leaderboards, sorted and filtered",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
