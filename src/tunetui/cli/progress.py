"""What a running sweep looks like in a terminal and in a log: pure text made from one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tunetui.core.cost_outlook import outlook_words, unpriced
from tunetui.core.figures import clock, count, percent, with_uncertainty
from tunetui.core.labels import latency_ms, one_line, short_problem, trial_label, varying
from tunetui.core.links import LinkState
from tunetui.core.loads import load_words
from tunetui.core.outlook import remaining_seconds
from tunetui.core.routes import LOCAL
from tunetui.core.snapshot import MEASURED, Notice, Race, Row, Run
from tunetui.core.text_fitting import fit
from tunetui_agent.messages import FAILURES, Value, reliability

HEARTBEAT_SECONDS = 10.0
"""A log without news gets a line this often."""

_EXAMINATIONS = {"energy": "energy of the leaders:", "counters": "hardware counters through ncu:"}
_BAR_CELLS = 20
_BEST_LINES = 3
_NS_PER_MS = 1e6


def board(run: Run, now: float, width: int, *, ascii_only: bool = False) -> list[str]:
    """The live display, at most eight lines, each at most ``width`` columns; ``now`` in Unix seconds."""
    lines = [_bar_line(run, now, ascii_only=ascii_only), _present_line(run)]
    if run.building or run.builds:
        lines.append(_build_line(run))
    lines.extend(_best_lines(run))
    shown = [fit(line, width) for line in lines]
    return [line.replace("±", "+-").replace("…", "~") for line in shown] if ascii_only else shown


def link_lines(links: Mapping[str, LinkState], now: float, width: int) -> list[str]:
    """One line for each host whose link is down, or that does not answer: what is measured there goes on."""
    lines = []
    for each in links.values():
        host = one_line(each.host)
        if each.state == "lost":
            lines.append(f"link  to {host} lost {clock(max(0.0, now - each.since))} ago; the run goes on there")
        elif each.asked:
            lines.append(f"wait  for {host} to {each.asked}, {clock(max(0.0, now - each.asked_at))}")
    return [fit(line, width) for line in lines]


def heartbeat(run: Run, now: float) -> str:
    """One line that says that work goes on."""
    return f"{_done(run)}  {_times(run, now)}{_cost(run, now)}  {_present_line(run)}"


def finished_line(run: Run, row: Row, place: int | None) -> str:
    """One line for the trial that was the ``place``-th to be measured or to fail; None: it had been before."""
    head = f"[{count(place)}/{count(run.counts.total)}]" if place is not None else "[again]"
    if row.stage == "finalists":
        head = "[race]"
    label = _label(run, row)
    if row.status == MEASURED:
        figure = latency_ms(row.median_ns, row.ci_low_ns, row.ci_high_ns)
        tags = f"  [{one_line(', '.join(row.tags))}]" if row.tags else ""
        return f"{head} {label}: {figure}, n={len(row.samples_ns)}{tags}"
    return f"{head} {label}: {row.status.replace('_', ' ')}: {one_line(row.cause)}"


@dataclass
class News:
    """What has happened between two snapshots; begins with what an earlier start had finished already."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    notices: int = 0

    @classmethod
    def since(cls, run: Run) -> News:
        """Only what comes after ``run`` is news."""
        return cls(run.rows, len(run.notices))

    def finished(self, run: Run) -> Iterator[tuple[int | None, Row]]:
        """Rows that were finished since the last call, each with its place among all that are done.

        None instead of a place for one that was among them already, and was raced or measured again.
        """
        if run.rows is self.rows:
            return
        known, self.rows = self.rows, run.rows
        fresh = [
            row
            for trial, row in run.rows.items()
            if known.get(trial) != row and _is_finished(row) and not _same_result(known.get(trial), row)
        ]
        fresh.sort(key=lambda row: row.measured_at or 0.0)
        places = iter(range(run.counts.done - sum(not _was_done(known, row) for row in fresh) + 1, run.counts.done + 1))
        for row in fresh:
            yield (None if _was_done(known, row) else next(places, None)), row

    def raised(self, run: Run) -> Iterator[Notice]:
        """Notices that were raised for the first time since the last call."""
        known, self.notices = self.notices, len(run.notices)
        yield from run.notices[known:]


def _was_done(known: Mapping[str, Row], row: Row) -> bool:
    before = known.get(row.trial)
    return before is not None and before.plan == row.plan and _is_finished(before)


def _is_finished(row: Row) -> bool:
    return row.status == MEASURED or row.status in FAILURES


def _same_result(before: Row | None, after: Row) -> bool:
    return before is not None and (before.status, before.times_measured, before.measured_at) == (
        after.status,
        after.times_measured,
        after.measured_at,
    )


def _label(run: Run, row: Row) -> str:
    """The whole configuration, and what tells its problem from the others."""
    return _told(run, row, row.configuration)


def _short_label(run: Run, row: Row) -> str:
    """As `_label`, without axes that have one value in this sweep: the board is narrow."""
    swept = run.plan.axes.get(row.implementation, {}) if run.plan else {}
    told = {axis: value for axis, value in row.configuration.items() if len(swept.get(axis, ())) != 1}
    return _told(run, row, told)


def _told(run: Run, row: Row, configuration: Mapping[str, Value]) -> str:
    fields = varying(run.plan.problems) if run.plan else []
    problem = short_problem(row.problem, fields)
    return trial_label(row.implementation, configuration) + (f" ({problem})" if problem else "")


def _bar_line(run: Run, now: float, *, ascii_only: bool) -> str:
    full, empty = ("#", ".") if ascii_only else ("▰", "▱")
    share = run.counts.done / run.counts.total if run.counts.total else 0.0
    filled = int(share * _BAR_CELLS)
    return f"{full * filled}{empty * (_BAR_CELLS - filled)} {_done(run)}  {_times(run, now)}{_cost(run, now)}"


def _done(run: Run) -> str:
    failed = f", {count(run.counts.failed)} failed" if run.counts.failed else ""
    return f"{count(run.counts.done)}/{count(run.counts.total)}{failed}"


def _cost(run: Run, now: float) -> str:
    words = outlook_words(run, now)
    lacking = f"cost n/a: no price of {', '.join(map(one_line, unpriced(run)))}" if _is_paid_for(run) else ""
    return "".join(f"  {text}" for text in (words, lacking if not words else "") if text)


def _is_paid_for(run: Run) -> bool:
    """Whether a host other than this machine is at work without a known price."""
    return any(host != LOCAL for host in unpriced(run))


def _times(run: Run, now: float) -> str:
    elapsed = clock(now - run.resumed) if run.resumed is not None else clock(0)
    remaining = remaining_seconds(run, now)
    return f"{elapsed} elapsed, " + ("time left not known yet" if remaining is None else f"~{clock(remaining)} left")


def _present_line(run: Run) -> str:
    if run.race is not None:
        return _race_line(run, run.race)
    if run.present is None or run.present.trial not in run.rows:
        return "now   waiting for a build" if any(run.building.values()) else "now   waiting"
    label = _short_label(run, run.rows[run.present.trial])
    if run.present.stage == reliability.RELIABILITY:
        return f"now   {load_words(run.loads, run.present.trial)}  {label}"
    if run.present.stage in _EXAMINATIONS:
        return f"now   {_EXAMINATIONS[run.present.stage]}  {label}"
    figures = f"n={run.present.samples}" if run.present.samples else "preparing"
    median, width = run.present.median_ns, run.present.half_width_percent
    if run.present.samples and median is not None:
        half_width = median * width / 100 / _NS_PER_MS if width is not None else None
        figures += f" {with_uncertainty(median / _NS_PER_MS, half_width)} ms"
        figures += f" ±{percent(width)} %" if width is not None else ""
    what = {"sentinel": "looking for drift: ", "revisit": "a second visit: "}.get(run.present.stage, "")
    return f"now   {what}{figures}  {label}"


def _race_line(run: Run, race: Race) -> str:
    """``now   racing 5 finalists, n=35 each, 3.1 of at most 10 s``."""
    problem = short_problem(race.problem, varying(run.plan.problems) if run.plan else [])
    how_far = f"n={race.samples} each, {race.seconds:.0f} of at most {race.limit_seconds:.0f} s"
    shown = how_far if race.samples else "preparing"
    return f"now   racing {count(len(race.trials))} finalists, {shown}" + (f" ({problem})" if problem else "")


def _build_line(run: Run) -> str:
    compiling = [f"{count(number)} {one_line(name)}" for name, number in run.building.items() if number]
    parts = [f"compiling {', '.join(compiling)}"] if compiling else []
    parts += [f"{count(run.builds[outcome])} {outcome}" for outcome in ("finished", "cached", "failed") if
              run.builds.get(outcome)]  # fmt: skip
    return "build " + ", ".join(parts)


def _best_lines(run: Run) -> list[str]:
    rows = [run.rows[trial] for trial in run.best.values() if trial in run.rows]
    lines = [f"best  {latency_ms(r.median_ns, r.ci_low_ns, r.ci_high_ns)}  {_short_label(run, r)}" for r in rows]
    if len(lines) > _BEST_LINES:
        return [*lines[-_BEST_LINES:], f"      and {len(lines) - _BEST_LINES} problems more"]
    return lines
