"""Hosts and runs in words: a line for each, and everything that is known of one."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from tunetui.core.examination import Check, Examination
from tunetui.core.figures import clock, count
from tunetui.core.labels import host_name, one_line
from tunetui.core.links import LinkState
from tunetui.session.host_answers import NamedHost
from tunetui.session.run_life import KnownRun
from tunetui.tui.spans import Spans, plain, toned
from tunetui.tui.widgets.form import FormLine
from tunetui.tui.widgets.tones import Tone

_DAY_SECONDS = 86_400
_MARKS: dict[str, tuple[str, Tone | None]] = {
    "ok": ("OK  ", "good"), "warning": ("WARN", "warning"), "failure": ("FAIL", "bad"), "n/a": ("n/a ", "muted"),
}  # fmt: skip
_STATES: dict[str, Tone] = {
    "running": "good", "done": "muted", "dead": "bad", "rebooted": "bad", "failed": "bad", "unreachable": "warning",
}  # fmt: skip


def list_lines(
    hosts: Sequence[NamedHost],
    found: Mapping[str, Examination],
    busy: Mapping[str, str],
    links: Mapping[str, LinkState],
    runs: Sequence[KnownRun],
    now: float,
) -> list[FormLine]:
    """Every host, and every run that is known, the running ones first."""
    lines = [FormLine("hosts", "Hosts", heading=True, note="Enter examines one")]
    for host in hosts:
        text, tone = _host_state(host, found.get(host.name), busy.get(host.name, ""), links.get(host.name))
        lines.append(FormLine(("host", host.name), host_name(host.name), text, note=_told(host), tone=tone))
    note = busy.get("", "") or "a attaches, t stops, f5 looks again"
    lines.append(FormLine("runs", "Runs", heading=True, note=note))
    order = sorted(runs, key=lambda run: (run.state != "running", -(run.updated or 0)))
    lines += [FormLine(("run", run.name), one_line(run.state), _run_line(run, now)) for run in order]
    return lines if runs else [*lines, FormLine("none", "none is known yet", heading=True)]


def host_lines(
    host: NamedHost, found: Examination | None, link: LinkState | None, usd_spent: str, runs: Sequence[KnownRun]
) -> list[Spans]:
    """Everything that is known of a host."""
    lines: list[Spans] = [toned(host_name(host.name), "strong")]
    lines += [toned(told, "muted")] if (told := _told(host)) else []
    if link is not None:
        since = time.strftime("%H:%M:%S", time.localtime(link.since))
        lines.append(plain(f"link: {link.state} since {since} {one_line(link.text)}".rstrip()))
    lines += [plain(usd_spent)] if usd_spent else []
    lines += [plain(f"run here: {one_line(run.name)}, {one_line(run.state)}") for run in runs]
    if found is None:
        return [*lines, plain(""), toned("not examined yet: Enter examines it", "muted")]
    section = ""
    for check in found.checks:
        if check.section != section:
            section = check.section
            lines += [plain(""), toned(one_line(section), "strong")]
        lines += _check_lines(check)
    return lines


def run_lines(run: KnownRun, now: float) -> list[Spans]:
    """Everything that is known of a run."""
    tone = _STATES.get(run.state)
    return [
        toned(one_line(run.name), "strong"),
        toned(f"{one_line(run.state)} {one_line(run.detail)}".rstrip(), tone),
        plain(f"kernel: {one_line(run.kernel) or 'not known here'}"),
        plain(f"hosts: {', '.join(map(host_name, run.hosts)) or 'not known'}"),
        plain(_progress(run)),
        plain(f"last heard of {_age(run.updated, now)}"),
        plain(f"followed by the tunetui of process {run.holder}" if run.holder else "followed by nobody"),
        plain("its journal is kept here" if run.kept_here else "its journal is elsewhere: it can only be stopped"),
    ]


def _host_state(
    host: NamedHost, found: Examination | None, busy: str, link: LinkState | None
) -> tuple[str, Tone | None]:
    if busy:
        return busy, "accent"
    at_work = f"link {link.state}; " if link is not None else ""
    if found is None:
        return f"{at_work}not examined yet", "muted"
    failures, warnings = found.count("failure"), found.count("warning")
    gpus = dict.fromkeys(check.section for check in found.checks if check.section.startswith("GPU "))
    seen = f"{', '.join(map(one_line, gpus))}; " if gpus else ""
    if failures:
        first = next(check for check in found.checks if check.status == "failure")
        return f"✗ {at_work}{one_line(first.name)}: {one_line(first.found)}", "bad"
    words = f"{warnings} warning{'s' if warnings != 1 else ''}" if warnings else "all OK"
    return f"✓ {at_work}{seen}{words}", "warning" if warnings else "good"


def _told(host: NamedHost) -> str:
    price = f"${host.usd_per_hour:.2f} an hour" if host.usd_per_hour is not None else ""
    source = host.source if host.source != host_name(host.name) else ""
    return ", ".join(filter(None, [source, price]))


def _run_line(run: KnownRun, now: float) -> str:
    where = ", ".join(map(host_name, run.hosts))
    return f"{one_line(run.name)}  {_progress(run)}  {where}  {_age(run.updated, now)}"


def _progress(run: KnownRun) -> str:
    done = f"{count(run.done)}/{count(run.total)}" if run.total else "progress not known"
    return f"{done}, {count(run.failed)} failed" if run.failed else done


def _age(updated: float | None, now: float) -> str:
    if updated is None:
        return "at an unknown time"
    seconds = max(0.0, now - updated)
    return f"{clock(seconds)} ago" if seconds < _DAY_SECONDS else f"{seconds / _DAY_SECONDS:.0f} days ago"


def _check_lines(check: Check) -> list[Spans]:
    mark, tone = _MARKS[check.status]
    lines: list[Spans] = [((f"{mark} ", tone), (f"{one_line(check.name)}  ", None), (one_line(check.found), None))]
    lines += [((" " * 5, None), (one_line(line), "accent")) for line in check.advice.splitlines() if line.strip()]
    return lines
