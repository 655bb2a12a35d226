"""``tunetui build``: every variant of a grid compiled here, in one file for the machine that measures."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from tunetui.cli.narration import Face, literal, stderr_face
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.figures import count, counted
from tunetui.core.labels import assignments, one_line

if TYPE_CHECKING:
    from tunetui.session.bundling import BuildPlan, Bundled

_CAUSES_SHOWN = 20
_LOG_EVERY_SECONDS = 10.0


def run_build(parsed: argparse.Namespace) -> int:
    """Build, bundle, say what failed; the exit code."""
    from tunetui.session.bundling import BuildOptions, build_bundle, plan_build

    if not parsed.arch:
        raise InputError("no architecture is named", hint="for example --arch sm_90 (H100) or --arch sm_80 (A100)")
    options = BuildOptions(
        grid_path=parsed.grid,
        architectures=parsed.arch,
        implementations=parsed.implementations,
        overrides=parsed.overrides,
        output=parsed.output,
        jobs=parsed.jobs,
    )
    face = stderr_face(no_color=parsed.no_color)
    plan = plan_build(options)
    face.lines(plan_lines(plan))
    if parsed.dry_run:
        return ExitCode.OK
    begun = time.monotonic()
    progress = Progress(face, plan.artifacts)
    try:
        done = asyncio.run(build_bundle(options, plan, progress.tell))
    finally:
        progress.end()
    face.lines(failure_lines(plan, done))
    if not done.built:
        face.lines(["nothing could be built; no bundle was written"])
        return ExitCode.NOTHING_MEASURED
    seconds = time.monotonic() - begun
    failed = f", {count(len(done.failures))} could not be built" if done.failures else ""
    face.lines([
        f"{counted(done.built, 'artifact')} in {seconds:.1f} s{failed}; built by "
        + ", ".join(one_line(version) for version in done.languages.values()),
        f"wrote {literal(options.path)} ({done.bytes / 1e6:.1f} MB)",
    ])  # fmt: skip
    return ExitCode.OK


def plan_lines(plan: BuildPlan) -> list[str]:
    """What is to be built."""
    variants: dict[str, int] = {}
    for trial in plan.variants:
        variants[trial.implementation] = variants.get(trial.implementation, 0) + 1
    each = ", ".join(f"{one_line(name)} {count(number)}" for name, number in variants.items())
    return [
        f"build       {one_line(plan.grid.name)}: {one_line(plan.kernel.name)}, {counted(plan.problems, 'problem')}",
        f"variants    {each}",
        f"artifacts   {count(plan.artifacts)} for {', '.join(plan.architectures)}",
    ]


def failure_lines(plan: BuildPlan, done: Bundled) -> list[str]:
    """Each cause once, with how many it cost and the first of them."""
    from tunetui.session.bundling import fixed_values

    by_cause: dict[str, list[str]] = {}
    for failure in done.failures:
        values = ", ".join(assignments(fixed_values(plan, failure.trial)))
        by_cause.setdefault(failure.cause, []).append(f"{failure.architecture} {values}")
    lines = []
    for cause, whose in list(by_cause.items())[:_CAUSES_SHOWN]:
        lines += [f"failed      {counted(len(whose), 'artifact')}: {one_line(cause)}"]
        lines += [f"            first: {one_line(whose[0])}"]
    if len(by_cause) > _CAUSES_SHOWN:
        lines.append(f"            and {count(len(by_cause) - _CAUSES_SHOWN)} more causes")
    return lines


class Progress:
    """One line on stderr: redrawn in a terminal, now and then anew in a log."""

    def __init__(self, face: Face, total: int) -> None:
        self._face, self._total = face, total
        self._spoke_at = time.monotonic()
        self._drawn = False

    def tell(self, architecture: str, built: int, failed: int) -> None:
        """So many so far."""
        text = f"building    {architecture}: {count(built)} of {count(self._total)} artifacts"
        text += f", {count(failed)} failed" if failed else ""
        if self._face.is_terminal:
            self._face.stream.write(f"\r\x1b[K{text}")
            self._face.stream.flush()
            self._drawn = True
        elif time.monotonic() - self._spoke_at >= _LOG_EVERY_SECONDS:
            self._spoke_at = time.monotonic()
            self._face.lines([text])

    def end(self) -> None:
        """Leave the terminal's line as it was."""
        if self._drawn:
            self._face.stream.write("\r\x1b[K")
            self._face.stream.flush()
