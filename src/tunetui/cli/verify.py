"""``tunetui verify``: a winner measured again, and whether it still holds."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tunetui.cli.compare_text import change_lines
from tunetui.cli.display import open_display
from tunetui.cli.exports import plain_json
from tunetui.cli.interruption import Interruption
from tunetui.cli.narration import Face, literal, stderr_face, stdout_face
from tunetui.core import figures
from tunetui.core.another_run import in_words
from tunetui.core.board_figures import confidence_of
from tunetui.core.errors import ExitCode, InputError
from tunetui.core.gate import interval_in_words
from tunetui.core.labels import one_line
from tunetui.core.text_fitting import wrapped
from tunetui.core.verifying import HOLDS, Verification, Verified, problem_words, verify

if TYPE_CHECKING:
    from tunetui.core.leaderboard import Leaderboard
    from tunetui.session import BatchOptions, Session

_REDRAW_SECONDS = 0.1
_SAID = {
    "holds": "HOLDS", "wrong": "DOES NOT HOLD: its result is wrong", "slower": "DOES NOT HOLD: it is slower",
    "other kernel": "ANOTHER KERNEL: what was measured is not what won", "not measured": "COULD NOT BE MEASURED",
    "undecided": "UNDECIDED: too noisy to say whether it still is as fast",
}  # fmt: skip


def run_verify(parsed: argparse.Namespace) -> int:
    """Measure, compare, say so; returns the exit code."""
    return asyncio.run(_Verify(parsed).run())


class _Verify:
    def __init__(self, parsed: argparse.Namespace) -> None:
        self.parsed = parsed
        self.err: Face = stderr_face(no_color=parsed.no_color)
        self.asked = Interruption()

    async def run(self) -> int:
        from tunetui.session.verifying import kernel_of, measure_again, read_winners

        path: Path = self.parsed.winner
        before, winners = read_winners(path, self.parsed.trial, self.parsed.board)
        kernel = kernel_of(before, path, self.parsed.kernel)
        options = self._options()
        if options.stem.name == _stem(path) and options.stem.parent == path.absolute().parent:
            raise InputError("the winner's own leaderboard would be overwritten", hint="name other outputs with -o")
        count = figures.counted(len(winners), "winner")
        self.err.lines([f"verifying   {count} of {literal(before.run.name)}, measured {before.run.finished}"])
        with self.asked.watching():
            after = await measure_again(before, winners, kernel, options, self._measure)
        if after.run.ended == "interrupted":
            return ExitCode.INTERRUPTED
        found = verify(before, winners, after, self.parsed.margin)
        self._show(found, before)
        self.err.lines([f"wrote {literal(options.stem)}.leaderboard.toml and .json"])
        return found.exit_code

    def _options(self) -> BatchOptions:
        from tunetui.cli.asking import terminal_asker
        from tunetui.cli.preparing import PreparationLine, link_options, preparing
        from tunetui.session import BatchOptions
        from tunetui.settings import load_settings

        settings = load_settings()
        stem = self.parsed.output or Path(f"{_stem(self.parsed.winner)}-verified")
        return BatchOptions(
            grid_path=self.parsed.winner,
            output_stem=stem.absolute(),
            hosts=self.parsed.hosts,
            artifacts=self.parsed.artifacts,
            links=link_options(self.parsed, settings),
            preparing=preparing(self.parsed, settings, PreparationLine(self.err)),
            asker=terminal_asker(),
            command=shlex.join(["tunetui", "verify", *self.parsed.argv]),
            together_seconds=None,
        )

    async def _measure(self, session: Session) -> None:
        running = asyncio.create_task(session.run(), name="run")
        with open_display(self.err, session.snapshot) as display, self.asked.passed_to(session, display.say):
            while not running.done():
                await asyncio.wait({running}, timeout=_REDRAW_SECONDS)
                display.draw(session.snapshot, time.time(), session.links)
        await running

    def _show(self, found: Verification, before: Leaderboard) -> None:
        face = stdout_face(no_color=self.parsed.no_color)
        if self.parsed.format == "json":
            face.lines([plain_json(msgspec.json.encode(found))])
        else:
            face.lines(verification_lines(found, before, face))


def verification_lines(found: Verification, before: Leaderboard, face: Face) -> list[str]:
    """The whole answer as text: what changed first, then every winner, then whether all hold."""
    lines = [face.heading(f"{one_line(found.kernel)}: as of {before.run.finished} against now"), ""]
    lines += change_lines(found.changes, face)
    for each in found.winners:
        lines += ["", *_winner_lines(each, found.margin_percent, confidence_of(before), face)]
    if found.noise:
        lines += ["", *wrapped(f"noise: {found.noise}".split(" "), face.width, indent="  ", first="")]
    if len(found.winners) > 1:
        kept = sum(each.outcome == HOLDS for each in found.winners)
        lines += ["", f"{kept} of {figures.counted(len(found.winners), 'winner')} hold: {_SAID[found.outcome]}"]
    return lines


def _winner_lines(each: Verified, margin_percent: float, confidence: str, face: Face) -> list[str]:
    then, now = (figures.NOT_MEASURED if ms is None else f"{ms:.4g} ms" for ms in (each.then_ms, each.now_ms))
    change = f" {interval_in_words(each.compared)}" if each.compared is not None and each.compared.difference else ""
    quality = ", ".join(f"{one_line(name)} {figures.quality(value)}" for name, value in each.quality.items())
    lines = wrapped(f"{each.row} ({problem_words(each.problem)})".split(" "), face.width, indent="    ", first="")
    lines.append(f"  then {then}, now {now}: {each.latency.upper()}{change}, margin {margin_percent:g} %")
    if each.repeat_ms is not None and each.in_repeat_interval is not None:
        half = (each.repeat_ms[1] - each.repeat_ms[0]) / 2
        where = "now lies within" if each.in_repeat_interval else "now lies outside"
        lines.append(f"  {in_words(each.repeat_ms, half, confidence)}; {where}")
    lines += [f"  verified: {quality}"] if quality else []
    why = f" ({one_line(each.reason)})" if each.reason else ""
    return lines + wrapped(f"{_SAID[each.outcome]}{why}".split(" "), face.width, indent="    ", first="  ")


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".leaderboard.toml", ".leaderboard.json", path.suffix):
        if suffix and name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
