"""What can be said to ``tunetui attach``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.lambda_cloud import declare_ending
from tunetui.cli.arguments.printing import declare_outcome
from tunetui.cli.arguments.reaching import declare_reaching
from tunetui.cli.arguments.values import priced

_DESCRIPTION = """\
Take up a run that goes on without tunetui: one left with --detach, whose
terminal was closed, or whose tunetui was killed.  Its agents are followed, and
what they leave is dealt and measured as by the command that began it; the grid
may be gone.  Its leaderboard is written at its end.  Ctrl-C asks it to finish
the present trial; to leave it running, close the terminal."""

_EXAMPLES = """\
examples:
  tunetui attach autotune-v2-1f00ba47
  tunetui attach autotune -o out/late
  tunetui attach autotune-v2-1f00ba47 --host lambda-a10   # begun elsewhere
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's name as tunetui runs tells it, or the beginning of it")
    parser.add_argument(
        "--host", metavar="NAME", action="append", default=[], dest="hosts",
        help="where to look for a run that was begun on another machine; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--usd-per-hour", metavar="[HOST=]USD", type=priced, action="append", default=[],
        help="what its hosts cost, where neither the settings nor the start that began it say; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--go-on", action="store_true", help="measure what is left also of a run that has ended, or that somebody ended"
    )
    declare_outcome(parser, meanwhile="meanwhile", stem="as begun")
    declare_reaching(parser)
    declare_ending(parser)
    parser.set_defaults(detach=False)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.attach import run_attach

    return run_attach(parsed)


COMMAND = Command(
    summary="take up a run that goes on without tunetui",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
