"""What can be said to ``tunetui import``."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.command import Command
from tunetui.cli.arguments.printing import declare_no_color

_DESCRIPTION = """\
Turn a T1 file (the autotuning community's input format, as Kernel Tuner, KTT
and BAT write it) of a CUDA kernel into a kernel folder and a grid: axes,
values, constraints, problem size, launch geometry, arguments, budget.  Values
and expressions are parsed, never run.  What T1 does not say is named; above
all it has no reference: every row is wrong until you write reference.py."""

_EXAMPLES = """\
examples:
  tunetui import pnpoly.json
  tunetui import hotspot.json --kernel-file ../src/hotspot.cu -o kernels/hotspot
  tunetui build pnpoly.toml --arch sm_90 --dry-run

exit codes: 0 written, 2 bad input (file, key path, expected, found), 3 the
folder cannot be written.
"""


def _declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="T1.json", type=Path, help="the T1 file")
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="the kernel folder; the grid is DIR.toml beside it"
    )
    parser.add_argument("--name", default="", help="what the kernel is called (default: the file's BenchmarkName)")
    parser.add_argument(
        "--kernel-file", metavar="FILE", type=Path, help="the CUDA source, where it is not in the T1 file's folder"
    )
    declare_no_color(parser)


def _run(parsed: argparse.Namespace) -> int:
    from tunetui.cli.importing import run_import

    return run_import(parsed)


COMMAND = Command(
    summary="make a kernel folder and a grid of a T1 file",
    description=_DESCRIPTION,
    examples=_EXAMPLES,
    declare=_declare,
    run=_run,
)
