"""What can be said to ``tunetui export``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.values import place

_DESCRIPTION = """\
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

_EXAMPLES = """\
examples:
  tunetui export seed.leaderboard.toml --to csv -o seed.csv
  tunetui export seed.leaderboard.toml --to kernel-tuner --board 3 -o cache.json
  tunetui export seed.leaderboard.toml --to c-header > search_tuned.h
  tunetui export seed.leaderboard.toml --to mojo --implementation mojo

exit codes: 0 written, 2 bad input, 3 the file cannot be written.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a saved leaderboard, TOML or JSON")
    parser.add_argument("--to", metavar="FORMAT", choices=FORMATS, required=True, help="one of the formats above")
    parser.add_argument(
        "--board", metavar="N", type=place, help="only this board (1 is the first); some formats hold but one"
    )
    parser.add_argument(
        "--implementation", metavar="NAME",
        help="where a format holds one implementation (default: the fastest in the format's own language)",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write there (default: stdout)")


FORMATS = ("kernel-tuner", "t4", "t4-metadata", "csv", "markdown", "html", "c-header", "mojo", "wisdom")


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.export import run_export

    return run_export(parsed)


COMMAND = Command(
    summary="write a leaderboard for another program, or as source code",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
