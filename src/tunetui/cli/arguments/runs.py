"""What can be said to ``tunetui runs``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.reaching import declare_reaching

_DESCRIPTION = """\
List runs: those kept on this machine, and those that agents of this machine or
of the hosts named have at work.  running, done, interrupted, dead (its agent
was killed), rebooted (its host was restarted), unreachable."""

_EXAMPLES = """\
examples:
  tunetui runs
  tunetui runs lambda-a10 lambda-h100
  tunetui runs --json | jq '.runs[] | select(.state == "running")'
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="ask these hosts too")
    parser.add_argument("--json", action="store_true", help="everything that is known, as JSON")
    declare_reaching(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_runs

    return run_runs(parsed)


COMMAND = Command(
    summary="list runs here and on hosts, and how far they are",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
