"""What can be said to ``tunetui verify``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.reaching import declare_artifacts, declare_hosts
from tunetui.cli.arguments.values import percentage, place

_DESCRIPTION = """\
Measure a winner again, here or on another host, by the method of its
leaderboard, and say whether it still holds: its result is right, its latency
is SAME or FASTER by the test of tunetui compare, and the kernel is the one that
won.  What else has changed (driver, device, compiler) is listed.

WINNER is a leaderboard, whose winners are meant (of every board, unless --board
or --trial says which), or a file that tunetui export made of one (C header,
Mojo, wisdom), where the run that it names is kept on this machine."""

_EXAMPLES = """\
examples:
  tunetui verify seed-288.leaderboard.toml
  tunetui verify seed-288.leaderboard.toml --host lambda-a10 --margin 3%
  tunetui verify seed-288.leaderboard.toml --trial 3f2a --format json
  tunetui verify search_tuned.h

exit codes:
    0  it holds
    1  it surely is slower
    2  bad input
    3  a host, a device or a file cannot be used
    4  it could not be measured here
    6  neither can be shown: too noisy for this margin
    7  its result is wrong
    8  the kernel here is another: its source, arguments or reference changed
  130  interrupted
Of several winners, the first of 7, 8, 4, 1, 6, 0 that fits one of them.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("winner", metavar="WINNER", type=Path, help="a saved leaderboard, or an exported winner")
    parser.add_argument("--trial", metavar="ID", default="", help="this row instead of the winner; its first digits do")
    parser.add_argument("--board", metavar="N", type=place, help="only this board (1 is the first)")
    parser.add_argument(
        "--margin", metavar="P%", type=percentage, default=5.0, help="so far apart is still SAME (default: 5%%)"
    )
    parser.add_argument(
        "--kernel", metavar="FOLDER", type=Path, help="where the kernel is (default: as its grid named it)"
    )
    parser.add_argument(
        "-o", "--output", metavar="STEM", type=Path,
        help="write STEM.leaderboard.toml and .json (default: WINNER's name with -verified, in the working directory)",
    )  # fmt: skip
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    declare_no_color(parser)
    declare_artifacts(parser)
    declare_hosts(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.verify import run_verify

    return run_verify(parsed)


COMMAND = Command(
    summary="measure a winner again and say whether it still holds",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
