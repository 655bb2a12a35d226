"""``tunetui doctor``: what this machine or a host offers a run, line by line, with what to do about it."""

from __future__ import annotations

import argparse
import asyncio
import json
from itertools import groupby
from typing import TYPE_CHECKING

from tunetui.cli.narration import Face, stderr_face, stdout_face
from tunetui.core.errors import ExitCode
from tunetui.core.text_fitting import text_width, wrapped

if TYPE_CHECKING:
    from tunetui.core.examination import Check, Examination

_LABELS = {"ok": "OK", "warning": "WARN", "failure": "FAIL", "n/a": "n/a"}
_LABEL_WIDTH = 4
_LEAST_TEXT_WIDTH = 30  # a terminal narrower than this gets lines that are too long rather than a column of words


def run_doctor(parsed: argparse.Namespace) -> int:
    """Print the examinations of this machine or of the hosts named; the exit code says whether anything failed."""
    found = asyncio.run(_examined(parsed))
    face = stdout_face(no_color=parsed.no_color)
    if parsed.format == "json":
        face.lines(as_json(found if parsed.hosts else found[0]))
    else:
        texts = [report(each, face) for each in found]
        face.lines([line for text in texts[:-1] for line in [*text, ""]] + texts[-1])
    return ExitCode.UNAVAILABLE if any(each.count("failure") for each in found) else ExitCode.OK


async def _examined(parsed: argparse.Namespace) -> list[Examination]:
    from tunetui.session.doctoring import examine, examine_hosts

    if not parsed.hosts:
        return [await examine(parsed.device or "")]
    from tunetui.cli.asking import terminal_asker
    from tunetui.cli.preparing import PreparationLine, link_options, preparing
    from tunetui.settings import load_settings

    settings = load_settings()
    err = stderr_face(no_color=parsed.no_color)
    err.lines([f"warning     {line}" for line in settings.warnings])
    waiting = PreparationLine(err)
    try:
        return await examine_hosts(
            list(dict.fromkeys(parsed.hosts)),
            device=parsed.device or "",
            links=link_options(parsed, settings),
            asker=terminal_asker(),
            preparing=preparing(parsed, settings, waiting),
            prepare=parsed.prepare,
        )
    finally:
        waiting.end()


def report(found: Examination, face: Face) -> list[str]:
    """Sections of aligned lines, each piece of advice below its line, and a summary."""
    name_width = max((text_width(check.name) for check in found.checks), default=0)
    lines: list[str] = []
    for section, checks in groupby(found.checks, key=lambda check: check.section):
        lines += [face.heading(f"{section} ({found.host})" if not lines else section)]
        for check in checks:
            lines += _check_lines(check, name_width, face)
        lines.append("")
    return [*lines, summary(found)]


def summary(found: Examination) -> str:
    """How many checks ended how: "3 OK, 1 warning, no failures"."""
    parts = [f"{found.count('ok')} OK", _counted(found.count("warning"), "warning")]
    parts.append(_counted(found.count("failure"), "failure"))
    if found.count("n/a"):
        parts.append(f"{found.count('n/a')} n/a")
    return ", ".join(parts)


def as_json(found: Examination | list[Examination]) -> list[str]:
    """The same for programs, a list where hosts were named; everything outside ASCII is escaped."""
    import msgspec

    return [json.dumps(msgspec.to_builtins(found), indent=2)]


def _check_lines(check: Check, name_width: int, face: Face) -> list[str]:
    name = check.name + " " * (name_width - text_width(check.name))
    start = f"  {_LABELS[check.status]:<{_LABEL_WIDTH}}  {name}  "
    indent = " " * text_width(start)
    width = None if face.width is None else max(face.width, len(indent) + _LEAST_TEXT_WIDTH)
    lines = wrapped(check.found.split(), width, indent=indent, first=start) or [start.rstrip()]
    for advice in check.advice.splitlines():
        if advice.startswith("$ "):  # a command stays in one piece, to be copied
            lines.append(f"{indent}{advice}")
        else:
            lines += wrapped(advice.split(), width, indent=f"{indent}   ", first=f"{indent}-> ")
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
