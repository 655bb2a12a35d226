"""What can be said to ``tunetui serve``."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.values import whole_number

_DESCRIPTION = """\
Show the app in a browser.  Whoever can reach the address can use the app as
you: there is no password, so it listens on 127.0.0.1 unless --bind says
otherwise.  Each visitor gets an app of their own.  Needs the extra "serve"."""

_EXAMPLES = """\
examples:
  tunetui serve
  tunetui serve --port 8100 -- --replay quickstart --speed 8
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=whole_number, default=8000, help="(default: 8000)")
    parser.add_argument(
        "--bind", metavar="ADDRESS", default="127.0.0.1", help="(default: 127.0.0.1, this machine alone)"
    )
    parser.add_argument("app", nargs="*", metavar="-- ARGUMENT", help="what the app is started with")


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.serve import run_serve

    return run_serve(parsed)


COMMAND = Command(
    summary="show the app in a browser, for this machine alone",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
