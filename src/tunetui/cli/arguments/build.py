"""What can be said to ``tunetui build``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color
from tunetui.cli.arguments.values import whole_number

_DESCRIPTION = """\
Build every variant of a grid's GPU kernels on this machine, which needs the
compilers but no GPU, into one file for a machine that has the GPU but no
compilers.  What only a device can tell (device_... in a constraint) excludes
nothing here: a few variants more are built than a device may need."""

_EXAMPLES = """\
examples:
  tunetui build grids/seed-288.toml --arch sm_90
      writes seed-288.tunetui-bundle.zip
  tunetui build sweep.toml --arch sm_80 --arch sm_90 --implementations mojo
  tunetui build sweep.toml --arch sm_90 --dry-run
      only say how many artifacts that is
and on the machine with the GPU:
  tunetui --batch grids/seed-288.toml --artifacts seed-288.tunetui-bundle.zip

architectures: sm_80 A100, sm_86 A10, sm_89 L4, sm_90 H100 and GH200.
Exit codes: 0 something was built (failures are listed), 2 bad input,
3 a file or a builder cannot be used, 4 nothing could be built.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("grid", metavar="GRID", type=Path, help="the sweep, as for --batch")
    parser.add_argument(
        "--arch", metavar="sm_NN", type=_architecture, action="append", default=[],
        help="build for this architecture; repeatable, at least one",
    )  # fmt: skip
    parser.add_argument(
        "--implementations",
        metavar="A,B",
        type=_names,
        help="only these (default: all of the grid's that are compiled)",
    )
    parser.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], dest="overrides",
        help="override one key of the grid, as for --batch; repeatable",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path,
        help="the bundle (default: the grid file's name with .tunetui-bundle.zip, in the working directory)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=whole_number, default=0, help="compilers at once (default: one for each core)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say how many artifacts there are, and stop")
    declare_no_color(parser)


def _architecture(text: str) -> str:
    if not re.fullmatch(r"sm_[0-9]{2,3}[af]?", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected an NVIDIA architecture such as sm_90, found {text!r}")
    return text


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.build import run_build

    return run_build(parsed)


COMMAND = Command(
    summary="build GPU kernels here for a machine without compilers",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
