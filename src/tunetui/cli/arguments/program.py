"""What can be said to the program itself, and the help that explains it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import tunetui
from tunetui.cli.arguments.lambda_cloud import declare_batch_on_lambda
from tunetui.cli.arguments.printing import declare_no_color, declare_outcome
from tunetui.cli.arguments.reaching import declare_artifacts, declare_hosts
from tunetui.cli.arguments.values import priced, whole_number

DESCRIPTION = """\
GPU kernel autotuning from a terminal.

A grid file names a kernel, its axes and a problem.  tunetui builds every valid
configuration, verifies its output, measures it on the real device, and ranks
what it measured with its uncertainty."""

_EXAMPLES = """\
commands:
{commands}

  tunetui COMMAND --help explains one.

examples:
  tunetui
      the app: grids to measure, leaderboards to open, runs to replay
  tunetui grids/quickstart.toml
      the app, measuring this grid
  tunetui --batch grids/quickstart.toml
      measure the quickstart sweep on this machine's CPU;
      writes quickstart.leaderboard.toml and quickstart.leaderboard.json
  tunetui --batch grids/quickstart.toml --dry-run
      only say what would be measured
  tunetui --batch sweep.toml --set axes.tile_rows=64,128 -o out/wide
      the same file with other values; writes out/wide.leaderboard.toml, .json
  tunetui --batch sweep.toml --check --format json > leaderboard.json
      for CI: the exit code says whether every [targets] entry is met
  tunetui --batch grids/seed-288.toml --host lambda-a10
      the same on another machine over SSH; it goes on if the link is lost
  tunetui show quickstart.leaderboard.toml --sort latency_ms.p95 --top 10

An interrupted run is resumed by the same command: only what is missing or
stale is measured; what failed stands as failed, unless --retry-failed.  Data
goes to stdout, narration to stderr.

exit codes:
    0  done (with --check: all targets met)
    1  --check: a target is missed or undecided
    2  bad input; nothing was run
    3  a host, a device or a file cannot be used
    4  no configuration could be measured
    5  the budget ended first; what was measured is saved
    6  compare --fail-over, verify: neither can be shown
    7  verify: the winner's result is wrong here
    8  verify: the kernel here is not the one that won
  130  interrupted; what was measured is saved
"""


def epilog(commands: Mapping[str, str]) -> str:
    """The end of ``tunetui --help``: the commands with their summaries, examples, exit codes."""
    lines = [f"  {name:<12}  {summary}" for name, summary in commands.items()]
    return _EXAMPLES.format(commands="\n".join(lines))


def declare_program(parser: argparse.ArgumentParser) -> None:
    """Options of the program itself: ``tunetui [--batch GRID ...]``."""
    parser.add_argument("--version", action="version", version=f"tunetui {tunetui.__version__}")
    declare_no_color(parser)
    _declare_app(parser)
    batch = parser.add_argument_group("headless run")
    batch.add_argument("--batch", metavar="GRID", type=Path, help="measure the sweep that this TOML file describes")
    batch.add_argument(
        "--dry-run", action="store_true",
        help="print the plan and what was measured before, and stop: no run is made or changed",
    )  # fmt: skip
    batch.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="override one key of the grid, e.g. axes.tile_rows=16,32 or method.cache=hot; repeatable",
    )  # fmt: skip
    batch.add_argument("--fresh", action="store_true", help="measure everything again, whatever is there already")
    batch.add_argument("--retry-failed", action="store_true", help="measure configurations that failed before again")
    declare_outcome(batch, meanwhile="while it runs", stem="the grid file's name, in the working directory")
    batch.add_argument(
        "--build-jobs", metavar="N", type=whole_number, default=0,
        help="compilers that run at once on each GPU's behalf (default: one less than there are cores, shared by a host's GPUs)",
    )  # fmt: skip
    batch.add_argument(
        "--profile", choices=("leaders", "all"), nargs="?", const="leaders",
        help="at the end read hardware counters of these rows with ncu, where it is there and allowed; no time changes "
             "(default: leaders, the fastest row of every implementation)",
    )  # fmt: skip
    declare_artifacts(batch)
    batch.add_argument(
        "--usd-per-hour", metavar="[HOST=]USD", type=priced, action="append", default=[],
        help="what an hour of a host costs, for all or for one; repeatable (default: [hosts.NAME] in the settings)",
    )  # fmt: skip
    batch.add_argument("--detach", action="store_true", help="start the run and leave; tunetui attach comes back to it")
    declare_hosts(parser)
    declare_batch_on_lambda(parser)


def _declare_app(parser: argparse.ArgumentParser) -> None:
    """What the interactive app is to open."""
    app = parser.add_argument_group("the app (without --batch)")
    app.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, help="a grid (TOML) to measure, or a saved leaderboard to open"
    )
    app.add_argument(
        "--replay", metavar="RUN", help="play a run's journal: its name, the beginning of it, a folder or a file"
    )
    app.add_argument("--speed", metavar="N", type=_speed, default=1.0, help="times as fast as it happened (default: 1)")
    app.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")


def _speed(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e6:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return number
