"""What the Run screen says in words, made from one snapshot: pure text, so that it can be tested as text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from tunetui.core.cost_outlook import outlook_words
from tunetui.core.figures import clock, count, percent, with_uncertainty
from tunetui.core.labels import one_line, short_problem, trial_label, varying
from tunetui.core.loads import load_words
from tunetui.core.outlook import remaining_seconds
from tunetui.core.snapshot import MEASURED, QUEUED, Progress, Row, Run
from tunetui.tui.board_columns import FAILED_MARK, STATE_MARKS, state_tone
from tunetui.tui.device_text import all_devices, device_names
from tunetui.tui.spans import Part, Spans, fitting, text_of, toned
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import FAILURES, reliability

_BAR_CELLS = 12
_NS_PER_MS = 1e6
_SECONDS_PER_HOUR = 3600.0
NOBODY: Mapping[str, float] = {}


def title_line(run: Run, label: str, width: int = 0) -> Spans:
    """``tunetui · quickstart · box: AMD EPYC``; a replay's label stands first."""
    name = one_line(run.plan.name) if run.plan else "no plan yet"
    where = "" if label else all_devices(run)
    parts: list[Part] = [(0, (f" {label} ", "warning"))] if label else []
    parts += [(1, (" tunetui ·", "strong")), (0, (f" {name}", None))]
    parts += [(0, (f" · {where}", None))] if where else []
    return fitting(parts, width)


def progress_spans(run: Run, now: float, usd_per_hour: float | None = None, width: int = 0) -> Spans:
    """``153/288 ▰▰▰▱▱ 2 failed  2:41 left  $0.04 of $1.00``, in ``width`` cells where that can be (0: no limit)."""
    counts = run.counts
    share = counts.done / counts.total if counts.total else 0.0
    filled = int(share * _BAR_CELLS)
    parts: list[Part] = [(0, (f"{count(counts.done)}/{count(counts.total)}", "strong"))]
    parts.append((3, (f" {'▰' * filled}{'▱' * (_BAR_CELLS - filled)}", "accent")))
    if counts.failed:
        parts.append((1, (f"  {FAILED_MARK} {count(counts.failed)} failed", "bad")))
    parts.append((0, (f"  {_time_left(run, now)}", None)))
    spent, _, more = cost_text(run, now, usd_per_hour).partition(", ")
    parts += [(0, (f"  {spent}", None))] if spent else []
    parts += [(2, (f", {more}", None))] if more else []
    return (*fitting(parts, width - 1 if width else 0), (" ", None))


def _time_left(run: Run, now: float) -> str:
    if run.ended is not None:
        took = (run.ended_at or now) - (run.resumed or now)
        return f"{run.ended.reason} after {clock(took)}"
    if run.paused:
        return "paused"
    remaining = remaining_seconds(run, now)
    elapsed = clock(now - run.resumed) if run.resumed is not None else clock(0)
    return f"{elapsed} gone" if remaining is None else f"~{clock(remaining)} left"


def cost_text(run: Run, now: float, usd_per_hour: float | None) -> str:
    """What the hosts cost since this start at their hourly price, and the budget; empty where no price is known."""
    if run.prices:
        return outlook_words(run, now)
    if usd_per_hour is None or run.resumed is None:
        return ""
    until = run.ended_at if run.ended_at is not None else now
    spent = max(0.0, until - run.resumed) / _SECONDS_PER_HOUR * usd_per_hour
    asked = (run.plan.grid.get("budget") or {}).get("usd") if run.plan else None
    return f"${spent:.2f}" + (f" of ${float(asked):.2f}" if isinstance(asked, int | float) else "")


# ---------------------------------------------------------------------------------- what happens now


def live_lines(
    run: Run, now: float, pinned: Iterable[str], height: int, quiet: Mapping[str, float] = NOBODY, device: str = ""
) -> list[Spans]:
    """The live pane: what is on each device, what is compiled, how many wait, pinned rows, what finished last.

    ``quiet`` are devices of which nothing is heard since then; with ``device`` what is on others is left out.
    """
    names = device_names(run) if len(run.devices) > 1 else {}
    lines: list[Spans] = []
    for source, progress in run.running.items():
        where = run.agents[source].device if source in run.agents else ""
        if not device or where == device:
            lines += _said_of(_present(run, progress, now), names.get(where, ""), quiet.get(where), now)
    for source, race in run.races.items():
        where = run.agents[source].device if source in run.agents else ""
        how = (
            f"n={race.samples} each, {race.seconds:.0f} of {race.limit_seconds:.0f} s" if race.samples else "preparing"
        )
        if not device or where == device:
            race_line: Spans = ((f"▶ race of {len(race.trials)} finalists, {how}", "accent"),)
            lines += _said_of([race_line], names.get(where, ""), quiet.get(where), now)
    if not lines and run.ended is None and run.plan is not None:
        waiting = "paused" if run.paused else "waiting for a build" if any(run.building.values()) else "waiting"
        lines.append(((f"· {waiting}", "muted"),))
    for name, number in run.building.items():
        if number:
            lines.append(((f"⚙ {count(number)} {one_line(name)} compiling", None),))
    builds = [f"{count(n)} {what}" for what in ("finished", "cached", "failed") if (n := run.builds.get(what))]
    if builds:
        lines.append(((f"⚙ builds: {', '.join(builds)}", "bad" if run.builds.get("failed") else "muted"),))
    lines.append(((f"{STATE_MARKS[QUEUED]} {count(run.counts.queued)} queued", "muted"),))
    for trial in pinned:
        if (row := run.rows.get(trial)) is not None:
            lines.append((("» ", "accent"), *_outcome(run, row)))
    room = max(0, height - len(lines))
    return [*lines, *(_outcome(run, row) for row in _finished_last(run, room))]


def _said_of(lines: list[Spans], name: str, quiet_since: float | None, now: float) -> list[Spans]:
    """What is on a device, with its name where there are others, and dim with its age where nothing is heard of it."""
    if not lines or (not name and quiet_since is None):
        return lines
    *before, last = lines
    if quiet_since is not None:
        before = [toned(text_of(line), "muted") for line in before]
        last = ((text_of(last), "muted"), (f", {clock(now - quiet_since)} ago", "warning"))
    return [*before, (*last, (f"  {name}", "muted"))] if name else [*before, last]


def _present(run: Run, progress: Progress, now: float) -> list[Spans]:
    row = run.rows.get(progress.trial)
    if row is None:
        return []
    if progress.stage == reliability.RELIABILITY:
        return [((f"▶ {short_label(run, row)}", "accent"),), ((f"  {load_words(run.loads, row.trial)}", "accent"),)]
    figures = f"n={progress.samples}" if progress.samples else f"preparing, {clock(now - progress.started)}"
    if progress.half_width_percent is not None:
        figures += f" ±{percent(progress.half_width_percent)}%"
    if progress.median_ns is not None and progress.samples:
        half = progress.half_width_percent
        width = None if half is None else progress.median_ns * half / 100 / _NS_PER_MS
        figures += f" {with_uncertainty(progress.median_ns / _NS_PER_MS, width)} ms"
    what = " (looking for drift)" if progress.stage == "sentinel" else ""
    return [((f"▶ {short_label(run, row)}{what}", "accent"),), ((f"  {figures}", "accent"),)]


def _outcome(run: Run, row: Row) -> Spans:
    mark = STATE_MARKS.get(row.status, FAILED_MARK)
    if row.status == MEASURED and row.median_ns is not None:
        width = None if row.ci_high_ns is None or row.ci_low_ns is None else (row.ci_high_ns - row.ci_low_ns) / 2
        figure = with_uncertainty(row.median_ns / _NS_PER_MS, None if width is None else width / _NS_PER_MS)
        return ((mark, state_tone(row.status)), (f" {figure} ms  {short_label(run, row)}", None))
    word = row.status.replace("_", " ")
    cause = f": {one_line(row.cause)}" if row.cause else ""
    return ((mark, state_tone(row.status)), (f" {short_label(run, row)}  {word}{cause}", state_tone(row.status)))


def _finished_last(run: Run, most: int) -> list[Row]:
    """The rows that were measured or failed last, the latest first."""
    found: list[Row] = []
    for happening in reversed(run.log):
        row = run.rows.get(happening.trial)
        if row is not None and (row.status == MEASURED or row.status in FAILURES) and row not in found:
            found.append(row)
        if len(found) >= most:
            break
    return found[:most]


def short_label(run: Run, row: Row) -> str:
    """Implementation and the swept axes' values: ``mojo 4/1/24/2``, and what tells its problem from others."""
    swept = run.plan.axes.get(row.implementation, {}) if run.plan else {}
    told = [value for axis, value in row.configuration.items() if len(swept.get(axis, ())) != 1]
    problem = short_problem(row.problem, varying(run.plan.problems) if run.plan else [])
    values = "/".join(one_line(str(value)) for value in told)
    return " ".join(filter(None, [one_line(row.implementation), values, f"({problem})" if problem else ""]))


def log_line(run: Run, t: float, kind: str, text: str, trial: str) -> Spans:
    """One happening: the time of day, what happened, and to which trial."""
    when = time.strftime("%H:%M:%S", time.localtime(t))
    row = run.rows.get(trial)
    if kind == "TrialMeasured" and row is not None:
        return ((f"{when} ", "muted"), *_outcome(run, row))
    label = f"  {trial_label(row.implementation, row.configuration)}" if row is not None else ""
    tone: Tone | None = (
        "bad" if kind == "TrialFailed" or "failed" in text else "warning" if kind == "NoticeRaised" else None
    )
    return ((f"{when} ", "muted"), (one_line(text) + label, tone))
