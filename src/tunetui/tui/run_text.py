"""What the Run screen says in words, made from one snapshot: pure text, so that it can be tested as text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from tunetui.core.cost_outlook import outlook_words
from tunetui.core.figures import clock, count, memory, percent, with_uncertainty
from tunetui.core.labels import one_line, short_problem, trial_label, varying
from tunetui.core.links import LinkState
from tunetui.core.loads import load_words
from tunetui.core.outlook import remaining_seconds
from tunetui.core.snapshot import MEASURED, QUEUED, Progress, Row, Run, Telemetry
from tunetui.tui.board_columns import FAILED_MARK, STATE_MARKS, state_tone
from tunetui.tui.spans import Span, Spans
from tunetui.tui.widgets.tones import Tone
from tunetui_agent.messages import FAILURES, Device, reliability

SPARK_CELLS = 12
_BARS = "▁▂▃▄▅▆▇█"
_BAR_CELLS = 12
_NS_PER_MS = 1e6
_STALE_SECONDS = 5.0
"""Telemetry comes about once a second; older than this it is shown with its age."""
_SECONDS_PER_HOUR = 3600.0


def title_line(run: Run, label: str) -> Spans:
    """``tunetui · quickstart · AMD EPYC``; a replay's label stands first."""
    name = one_line(run.plan.name) if run.plan else "no plan yet"
    devices = ", ".join(dict.fromkeys(one_line(device.name or device.id) for device in run.devices.values()))
    head: Spans = ((f" {label} ", "warning"),) if label else ()
    where = f" · {devices}" if devices and not label else ""
    return (*head, (" tunetui", "strong"), (f" · {name}{where}", None))


def progress_spans(run: Run, now: float, usd_per_hour: float | None = None) -> Spans:
    """``153/288 ▰▰▰▱▱ 2 failed  2:41 left  $0.04 of $1.00``."""
    counts = run.counts
    share = counts.done / counts.total if counts.total else 0.0
    filled = int(share * _BAR_CELLS)
    spans: list[Span] = [(f"{count(counts.done)}/{count(counts.total)} ", "strong")]
    spans.append(("▰" * filled + "▱" * (_BAR_CELLS - filled), "accent"))
    if counts.failed:
        spans.append((f"  {FAILED_MARK} {count(counts.failed)} failed", "bad"))
    spans.append((f"  {_time_left(run, now)}", None))
    money = cost_text(run, now, usd_per_hour)
    if money:
        spans.append((f"  {money}", None))
    return (*spans, (" ", None))


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


# ---------------------------------------------------------------------------------- devices


def rail_line(run: Run, device: Device, now: float, link: LinkState | None = None) -> Spans:
    """One device: load, clock, power, temperature, what slows it down, and how old that is where it is old."""
    source = next((a.source for a in reversed(run.agents.values()) if a.device == device.id), "")
    samples = [sample for sample in run.telemetry if sample.source == source]
    name = one_line(device.name or device.id)
    if link is not None and link.state in {"lost", "connecting", "catching-up", "dead"}:
        return ((f" {name}  ", "muted"), (link_words(link, now), "bad" if link.state == "dead" else "warning"))
    if not samples:
        return ((f" {name}  no telemetry yet", "muted"),)
    figures = samples[-1].figures
    age = now - samples[-1].t
    old = age > _STALE_SECONDS and run.ended is None
    tone: Tone | None = "muted" if old or run.ended is not None else None
    spans: list[Span] = [(f" {name}  ", "strong" if tone is None else "muted")]
    load = "utilisation_percent" if "utilisation_percent" in figures else "busy_percent"
    if load in figures:
        history = [sample.figures[load] for sample in samples if load in sample.figures]
        kind = "GPU" if load == "utilisation_percent" else "busy"
        spans += [(f"{kind} {figures[load]:3.0f}% ", tone), (spark(history, 100.0), tone or "accent"), ("  ", None)]
    spans.append(("  ".join(_device_words(figures)), tone))
    spans += _slowed(samples[-1], tone)
    if old:
        spans.append((f"  {clock(age)} old", "warning"))
    return tuple(spans)


def host_of(run: Run, device: str) -> str:
    """The host that a device is on, as the user named it where that is known."""
    placed = next((p for p in run.placed.values() if p.device == device), None)
    if placed is not None:
        return placed.host
    return next((agent.host for agent in reversed(run.agents.values()) if agent.device == device), "")


def _device_words(figures: Mapping[str, float]) -> list[str]:
    words = []
    if (mhz := figures.get("sm_clock_mhz", figures.get("clock_mhz"))) is not None:
        words.append(f"{'SM ' if 'sm_clock_mhz' in figures else ''}{mhz:.0f} MHz")
    if (watts := figures.get("power_w")) is not None:
        words.append(f"{watts:.0f} W")
    if (celsius := figures.get("temperature_c")) is not None:
        words.append(f"{celsius:.0f} °C")
    if (used := figures.get("memory_used_bytes")) is not None:
        words.append(f"{memory(used)} used")
    elif (free := figures.get("memory_available_bytes")) is not None:
        words.append(f"{memory(free)} free")
    if (load := figures.get("load_average_1m")) is not None and "utilisation_percent" not in figures:
        words.append(f"load {load:.2f}")
    return words


def _slowed(sample: Telemetry, tone: Tone | None) -> list[Span]:
    """What slows the device down, in words; of a CPU nobody tells why its clock is what it is."""
    spans: list[Span] = []
    stolen = sample.figures.get("stolen_percent", 0.0)
    if stolen >= 1.0:
        spans.append((f"  {stolen:.0f}% stolen by other guests", "warning"))
    reasons = sample.throttle_reasons
    if reasons:
        return [(f"  throttled: {one_line(reasons)}", "warning"), *spans]
    return [*spans, ("  throttling n/a" if reasons is None else "  no throttle", tone or "muted")]


def spark(values: Sequence[float], top: float, cells: int = SPARK_CELLS) -> str:
    """The last ``cells`` values as bars between 0 and ``top``."""
    shown = values[-cells:]
    bars = (int(min(max(value / top, 0.0), 1.0) * (len(_BARS) - 1) + 0.5) for value in shown)
    return "".join(_BARS[bar] for bar in bars).rjust(cells)


def link_words(link: LinkState, now: float) -> str:
    """What a link that is not ready means for the run."""
    since = clock(now - link.since)
    said = {
        "connecting": "connecting",
        "lost": "link lost; the run continues on the host",
        "catching-up": "catching up with what happened meanwhile",
        "dead": "not used any more",
    }.get(link.state, link.state)
    why = f" ({one_line(link.text)})" if link.text else ""
    return f"{said}, {since}{why}"


def method_line(run: Run) -> str:
    """``cold caches · ±2% · ceiling 25.3 GB/s``: how figures come about, for the rail's end."""
    if run.plan is None:
        return ""
    method = run.plan.method
    parts = [f"{method.get('cache', 'cold')} caches", f"±{percent(float(method.get('precision_percent', 1.0)))}%"]
    ceilings = {d.details.get("ceiling_read_gb_per_s") for d in run.devices.values()} - {None}
    if len(ceilings) == 1 and isinstance(ceiling := ceilings.pop(), int | float):
        parts.append(f"ceiling {ceiling:.4g} GB/s")
    return " · ".join(parts)


# ---------------------------------------------------------------------------------- what happens now


def live_lines(run: Run, now: float, pinned: Iterable[str], height: int) -> list[Spans]:
    """The live pane: what is on each device, what is compiled, how many wait, pinned rows, what finished last."""
    lines: list[Spans] = []
    for progress in run.running.values():
        lines += _present(run, progress, now)
    for race in run.races.values():
        how = (
            f"n={race.samples} each, {race.seconds:.0f} of {race.limit_seconds:.0f} s" if race.samples else "preparing"
        )
        lines.append(((f"▶ race of {len(race.trials)} finalists, {how}", "accent"),))
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
