"""``tunetui import``: a T1 file made into a kernel folder and a grid."""

from __future__ import annotations

import argparse

from tunetui.cli.narration import literal, stderr_face
from tunetui.core.errors import ExitCode
from tunetui.core.figures import count, counted
from tunetui.core.labels import one_line


def run_import(parsed: argparse.Namespace) -> int:
    """Write both, and say what could not be carried."""
    from tunetui.session.importing import import_t1

    done = import_t1(parsed.file, parsed.output, parsed.name, parsed.kernel_file)
    face = stderr_face(no_color=parsed.no_color)
    left = "" if done.configurations is None else f", of which its conditions leave {count(done.configurations)}"
    lines = [
        f"wrote {literal(done.kernel)} and {literal(done.grid)}: {counted(done.combinations, 'combination')}{left}"
    ]
    lines += ["not carried:", *(f"  {one_line(each)}" for each in done.lost)]
    face.lines([*lines, f"next: tunetui build {literal(done.grid)} --arch sm_90 --dry-run"])
    return ExitCode.OK
