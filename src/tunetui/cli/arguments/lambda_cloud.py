"""What can be said to ``tunetui lambda``."""

from __future__ import annotations

import argparse
from typing import NoReturn

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.reaching import declare_reaching
from tunetui.cli.arguments.values import not_negative, positive
from tunetui.core.errors import InputError

_DESCRIPTION = """\
Rent machines from Lambda Cloud and give them back.  The key to the account is
in LAMBDA_API_KEY, or in lambda.key beside settings.toml, mode 0600; it is sent
to Lambda alone.  Every launch is written down here before it is asked for, and
sent once: whatever happens to the reply, list and gc find the machine again.
A machine costs from its launch until it is terminated, whether it works or not."""

_EXAMPLES = """\
examples:
  tunetui lambda types --available
  tunetui lambda launch gpu_1x_a10 --max-usd-per-hour 1.50
      the price is shown and confirmed; comes back when a kernel has run there
  tunetui --batch grids/seed-288.toml --host tunetui-1x-a10-1f3c9a2e-t1795374000
      measures on it; at the end: keep it, or terminate it?
  tunetui --batch grids/seed-288.toml --host lambda:gpu_1x_a10@us-west-1 \\
      --yes --max-usd-per-hour 1.50 --accept-new-host-key --terminate-when-done
      all of it in one, for scripts
  tunetui lambda list
  tunetui lambda terminate tunetui-1x-a10
  tunetui lambda gc
      ends what was launched from here, is still there and has no work

exit codes: 0 done, 2 bad input (nothing was launched), 3 Lambda Cloud or the
machine cannot be used.
"""


class _Parser(argparse.ArgumentParser):
    """One action's own."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, hint=f"{self.prog} --help shows what can be said")


def _declare(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=_Parser)

    def action(name: str, words: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=words, description=words, allow_abbrev=False)

    types = action("types", "what can be rented: prices, and the regions that say they have one")
    types.add_argument("--available", action="store_true", help="only those that some region has just now")
    listing = action("list", "the account's machines, and what those launched from here have cost")
    for each in (types, listing):
        each.add_argument("--json", action="store_true", help="everything that is known, as JSON")
    launch = action("launch", "rent one machine, and wait until a kernel has run on it")
    launch.add_argument(
        "type", metavar="TYPE[@REGION]", help="as types shows it (default: the first region that has one)"
    )
    declare_launching(launch)
    launch.add_argument(
        "--terminate-after-idle", metavar="MIN", type=positive,
        help="leave a guard at work on this machine, which terminates it after so many minutes without a run",
    )  # fmt: skip
    launch.add_argument("--no-wait", action="store_true", help="come back once it is launched")
    wait = action("wait", "wait until a machine launched before is ready")
    wait.add_argument("name", metavar="NAME", help="its name, or the beginning of it")
    guard = action("guard", "watch a machine from here, and terminate it when it has had no work for so long")
    guard.add_argument("name", metavar="NAME", help="its name, or the beginning of it")
    guard.add_argument("--after", metavar="MIN", type=positive, required=True, help="minutes without a run")
    for each in (launch, wait, guard):
        declare_reaching(each)
    terminate = action("terminate", "end machines launched from here, and come back when they are gone")
    terminate.add_argument("names", metavar="NAME", nargs="+", help="a name, or the beginning of it")
    gc = action("gc", "end every machine that was launched from here, is still there and has no work")
    gc.add_argument("--dry-run", action="store_true", help="only say which")
    gc.add_argument(
        "--idle", metavar="MIN", type=not_negative,
        help="only those without work for so many minutes, and none that may be starting (default: 10 with --yes, else 0)",
    )  # fmt: skip
    for each in (terminate, gc):
        each.add_argument("--yes", action="store_true", help="do not ask")
    for each in (types, listing, terminate, gc):
        declare_no_color(each)


def declare_launching(parser: argparse._ActionsContainer) -> None:
    """What a launch can be told; for the batch too."""
    parser.add_argument(
        "--max-usd-per-hour", metavar="USD", type=positive, help="launch nothing that costs more than this"
    )
    parser.add_argument(
        "--yes", action="store_true", help="agree to any price up to --max-usd-per-hour without being asked"
    )
    parser.add_argument(
        "--ssh-key", metavar="NAME|FILE.pub", default="",
        help="to log in with: one that the account knows, or a file (default: one of the account's that is here)",
    )  # fmt: skip
    parser.add_argument(
        "--image", metavar="FAMILY", default="", help="to start from (default: lambda-stack-24-04 where there is one)"
    )
    parser.add_argument("--user", metavar="NAME", default="ubuntu", help="whom its image lets in (default: ubuntu)")


def declare_batch_on_lambda(parser: argparse.ArgumentParser) -> None:
    """Options of ``--batch ... --host lambda:TYPE``."""
    group = parser.add_argument_group("machines from Lambda Cloud (--host lambda:TYPE[@REGION], or a launched one)")
    declare_launching(group)
    declare_ending(group)


def declare_ending(parser: argparse._ActionsContainer) -> None:
    """What becomes of rented machines at the end of a run."""
    parser.add_argument(
        "--terminate-when-done", action="store_true",
        help="at the end terminate the rented machines without asking; not one on which a run is still at work",
    )  # fmt: skip


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.lambda_cloud import run_lambda

    return run_lambda(parsed)


COMMAND = Command(
    summary="rent machines from Lambda Cloud, and give them back",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
