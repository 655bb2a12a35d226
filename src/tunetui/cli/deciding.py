"""What can be said to the commands that work on saved leaderboards: comparing, exporting, sizing."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

COMPARE_DESCRIPTION = """\
Hold one leaderboard against another: what changed between the two runs, the
best of each, and every configuration that both have as SAME, FASTER, SLOWER or
UNDECIDED, the second against the first.  Noise is no verdict: with 200 rows of
a repeated run, the chance of even one false FASTER or SLOWER is at most 5 %.

With a grid's [compare] in place of the second, or with one leaderboard that
has such a claim, the claim is set beside what was measured."""

COMPARE_EXAMPLES = """\
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


def declare_compare(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui compare``."""
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
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")


EXPORT_DESCRIPTION = """\
Write a saved leaderboard for another program.  Each format says where its
figures come from: run, device, driver, compilers, source hashes.

  kernel-tuner  a cachefile for Kernel Tuner 1.5 and its dashboard (one board,
                one implementation); time is the median in milliseconds
  t4            T4 results 1.0.0 (one board); t4-metadata: the file beside it
  csv           one row per trial, provenance as columns
  markdown      tables, targets, method
  html          one page with pictures that needs nothing else
  c-header      the fastest row of every board, for C99 and C++
  mojo          the same as a Mojo module of comptime values
  wisdom        the same for kernel_launcher"""

EXPORT_EXAMPLES = """\
examples:
  tunetui export seed.leaderboard.toml --to csv -o seed.csv
  tunetui export seed.leaderboard.toml --to kernel-tuner --board 3 -o cache.json
  tunetui export seed.leaderboard.toml --to c-header > search_tuned.h
  tunetui export seed.leaderboard.toml --to mojo --implementation mojo

exit codes: 0 written, 2 bad input, 3 the file cannot be written.
"""

FORMATS = ("kernel-tuner", "t4", "t4-metadata", "csv", "markdown", "html", "c-header", "mojo", "wisdom")


def declare_export(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui export``."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--to", metavar="FORMAT", choices=FORMATS, required=True, help="one of the formats above")
    parser.add_argument(
        "--board", metavar="N", type=_place, help="only this board (1 is the first); some formats hold but one"
    )
    parser.add_argument(
        "--implementation", metavar="NAME",
        help="where a format holds one implementation (default: the fastest in the format's own language)",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there (default: stdout)")


def _place(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected the number of a board, 1 or more, found {text!r}")
    return int(text)


SIZE_DESCRIPTION = """\
Say how many devices carry a load, from saved leaderboards: for every model of
device and every batch size (the problem's "queries") that was measured, the
fewest devices that answer so many queries per second within a bound on the
99th percentile, and what that costs.  The formulas are printed with it."""

SIZE_EXAMPLES = """\
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


def declare_size(parser: argparse.ArgumentParser) -> None:
    """Options of ``tunetui size``."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--qps", metavar="N", type=_positive, required=True, help="queries per second to be answered")
    parser.add_argument(
        "--p99", metavar="MS", type=_positive, required=True, help="99 of 100 queries are answered within this"
    )
    parser.add_argument(
        "--headroom", metavar="P%", type=_share, default=30.0, help="of each device kept free (default: 30%%)"
    )
    parser.add_argument(
        "--overhead-ms", metavar="MS", type=_not_negative, default=0.0,
        help="what each query takes beside the kernel: network, copies, code (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--usd-per-hour", metavar="[NAME=]USD", action="append", default=[],
        help="price of a host, for all or for one model or host; repeatable (default: [hosts.NAME] in the settings)",
    )  # fmt: skip
    parser.add_argument(
        "--devices-per-host", metavar="N", type=_place, default=1, help="that share a host's price (default: 1)"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    parser.add_argument("--no-color", action="store_true", help="no colour (so does the variable NO_COLOR)")


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return value


def _not_negative(text: str) -> float:
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number, 0 or more, found {text!r}")
    return value


def _share(text: str) -> float:
    value = _number(text.strip().removesuffix("%"))
    if not 0 <= value < 100:
        raise argparse.ArgumentTypeError(f"expected a percentage below 100, found {text!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def percentage(text: str) -> float:
    """``3%`` or ``3`` as 3.0; more than 0 and less than 1000."""
    value = _number(text.strip().removesuffix("%"))
    if not 0 < value < 1000:
        raise argparse.ArgumentTypeError(f"expected a percentage such as 3%, found {text!r}")
    return value
