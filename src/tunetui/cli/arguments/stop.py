"""What can be said to ``tunetui stop``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.reaching import declare_reaching

_DESCRIPTION = """\
Ask every agent of a run to end after its present trial.  What was measured is
kept; the command that began the run takes it up again."""

_EXAMPLES = """\
examples:
  tunetui stop autotune-v2-1f00ba47
  tunetui stop autotune-v2-1f00ba47 --now
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's name as tunetui runs tells it, or the beginning of it")
    parser.add_argument("--now", action="store_true", help="do not wait for the present trials: they are lost")
    parser.add_argument(
        "--host", metavar="NAME", action="append", default=[], dest="hosts", help="look there for a run begun elsewhere"
    )
    declare_reaching(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.runs import run_stop

    return run_stop(parsed)


COMMAND = Command(
    summary="have a run end after its present trial",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
