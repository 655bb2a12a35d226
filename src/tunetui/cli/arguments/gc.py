"""What can be said to ``tunetui gc``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.reaching import declare_reaching
from tunetui.cli.arguments.values import whole_number

_DESCRIPTION = """\
Have a host's agent remove its old runs of which every record is kept here, and
agents of earlier versions that no run needs.  Never a run that is alive, and
nothing that was measured: the journals on this machine stay."""

_EXAMPLES = """\
examples:
  tunetui gc lambda-a10 --dry-run
  tunetui gc lambda-a10
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="(default: this machine)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    parser.add_argument("--days", metavar="N", type=whole_number, default=14, help="older than this (default: 14)")
    declare_reaching(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_gc

    return run_gc(parsed)


COMMAND = Command(
    summary="have a host forget old runs whose records are kept here",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
