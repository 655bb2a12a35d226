"""``tunetui runs``, ``stop`` and ``gc``: which runs there are, how one is ended, what hosts may forget."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING

from tunetui.cli.narration import literal, stderr_face, stdout_face
from tunetui.core.errors import ExitCode
from tunetui.core.routes import LOCAL

if TYPE_CHECKING:
    from tunetui.session.run_life import KnownRun, Reach

_HEAD = ("RUN", "STATE", "PROGRESS", "KERNEL", "HOSTS", "UPDATED")


def run_runs(parsed: argparse.Namespace) -> int:
    """Print every run known here and on the hosts named."""
    from tunetui.session.run_life import survey

    found = asyncio.run(survey(parsed.hosts, reach(parsed)))
    out, err = stdout_face(no_color=parsed.no_color), stderr_face(no_color=parsed.no_color)
    if parsed.json:
        rows = {"runs": [vars(run) for run in found.runs], "unreachable": found.unreachable}
        out.lines(json.dumps(rows, indent=2).splitlines())
    else:
        out.lines(_table(found.runs) if found.runs else ["no runs"])
    err.lines([f"{literal(host)} was not asked: {literal(why)}" for host, why in found.unreachable.items()])
    return ExitCode.UNAVAILABLE if found.unreachable else ExitCode.OK


def run_stop(parsed: argparse.Namespace) -> int:
    """Ask a run's agents to end."""
    from tunetui.session.run_life import stop

    done = asyncio.run(stop(parsed.run, parsed.hosts, reach(parsed), now=parsed.now))
    stdout_face(no_color=parsed.no_color).lines([literal(line) for line in done.lines])
    if done.everybody:
        return ExitCode.OK
    stderr_face(no_color=parsed.no_color).lines(["the same command ends the rest when its host answers"])
    return ExitCode.UNAVAILABLE


def run_gc(parsed: argparse.Namespace) -> int:
    """Have hosts forget old runs of which every record is here."""
    from tunetui.session.run_life import clear

    hosts = parsed.hosts or [LOCAL]
    found = asyncio.run(clear(hosts, reach(parsed), days=parsed.days, pretend=parsed.dry_run))
    out, err = stdout_face(no_color=parsed.no_color), stderr_face(no_color=parsed.no_color)
    failed = False
    for host, removed in found.items():
        if isinstance(removed, str):
            failed = True
            err.lines([f"{literal(host)}: {literal(removed)}"])
            continue
        verb = "would be removed" if parsed.dry_run else "removed"
        out.lines([f"{literal(host)}: {literal(name)} {verb}" for name in removed])
        if not removed:
            out.lines([f"{literal(host)}: nothing to remove"])
    return ExitCode.UNAVAILABLE if failed else ExitCode.OK


def reach(parsed: argparse.Namespace) -> Reach:
    """How hosts are reached, as the command line and the settings say."""
    from tunetui.cli.asking import terminal_asker
    from tunetui.cli.preparing import link_options
    from tunetui.session.run_life import Reach
    from tunetui.settings import load_settings

    return Reach(link_options(parsed, load_settings()), terminal_asker(), on_wait=_say_wait)


def _say_wait(host: str, words: str) -> None:
    if words:
        stderr_face().lines([f"waiting for {literal(host)} to {words}"])


def _table(runs: list[KnownRun]) -> list[str]:
    cells = [_HEAD, *(_cells(run) for run in runs)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _cells(run: KnownRun) -> tuple[str, ...]:
    progress = f"{run.done}/{run.total}" if run.total else "?"
    failed = f", {run.failed} failed" if run.failed else ""
    updated = datetime.fromtimestamp(run.updated).astimezone().strftime("%Y-%m-%d %H:%M") if run.updated else "?"
    state = f"{run.state} ({run.detail})" if run.detail else run.state
    return tuple(literal(each) for each in (
        run.name, state, progress + failed, run.kernel or "?", ", ".join(run.hosts), updated,
    ))  # fmt: skip
