"""What can be said to ``tunetui attach``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_outcome
from tunetui.cli.arguments.reaching import declare_reaching

_DESCRIPTION = """\
Follow a run that goes on without tunetui: one left with --detach, whose
terminal was closed, or whose tunetui was killed.  It is shown as --batch shows
its own, and its leaderboard is written at its end.  Ctrl-C asks it to finish
the present trial; to leave it running, close the terminal."""

_EXAMPLES = """\
examples:
  tunetui attach autotune-v2-1f00ba47
  tunetui attach autotune -o out/late
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's name as tunetui runs tells it, or the beginning of it")
    declare_outcome(parser, meanwhile="meanwhile", stem="as begun")
    declare_reaching(parser)
    parser.set_defaults(detach=False)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.attach import run_attach

    return run_attach(parsed)


COMMAND = Command(
    summary="follow a run that goes on without tunetui",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
