"""What can be said to ``tunetui doctor``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.reaching import declare_trust

_DESCRIPTION = """\
Examine this machine, or hosts over SSH: the way there, Python, disk, cores,
compilers, and every NVIDIA GPU, on which a tiny kernel is run for real.  Each
line is OK, WARN, FAIL or n/a, with what to do about it.  Nothing is changed: no
clock, no setting, no package; with --prepare, tunetui's own folder there."""

_EXAMPLES = """\
examples:
  tunetui doctor
  tunetui doctor --device cpu
  tunetui doctor lambda-a10 ubuntu@10.0.0.7:2222
  tunetui doctor --format json | jq '.checks[] | select(.status == "failure")'

exit codes: 0 nothing failed (warnings do not count), 3 something did.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hosts", metavar="HOST", nargs="*", help="examine these over SSH (default: this machine)")
    parser.add_argument(
        "--prepare", action="store_true", help="build what a run needs on these hosts first, and then prove it too"
    )
    parser.add_argument("--device", metavar="ID", help='only "cpu", or only the GPU of this UUID (default: everything)')
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: table")
    declare_no_color(parser)
    declare_trust(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.doctor import run_doctor

    return run_doctor(parsed)


COMMAND = Command(
    summary="examine this machine: what a run needs, and what is missing",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
