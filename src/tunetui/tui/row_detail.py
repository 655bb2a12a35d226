"""Everything that is known of one row, from a live run or from a saved leaderboard, and what of it is said."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tunetui.core import figures
from tunetui.core.another_run import Outlook, in_words, outlook_of_entry, outlook_of_row
from tunetui.core.board_figures import INTERVAL, MEDIAN
from tunetui.core.labels import one_line, trial_label
from tunetui.core.leaderboard import Entry, Leaderboard
from tunetui.core.live_figures import figures_of_rows
from tunetui.core.snapshot import Row, Run
from tunetui.tui.board_columns import FAILED_MARK, STATE_MARKS, state_tone
from tunetui.tui.spans import Spans, plain, toned
from tunetui_agent.messages import Value

_NS_PER_MS = 1e6
_LIMITER = "occupancy_limiter"
_NOTHING = Outlook(None, None)


@dataclass(frozen=True, kw_only=True)
class RowDetail:
    """One row with its samples and where they come from."""

    trial: str
    implementation: str
    configuration: Mapping[str, Value]
    problem: Mapping[str, Value]
    status: str
    figures: Mapping[str, Value]
    samples_ns: Sequence[int] = ()
    cause: str = ""
    log: str = ""
    """What the compiler or the failure said, as far as it is known without the journal."""
    resources: Mapping[str, Value] = field(default_factory=dict)
    telemetry: Mapping[str, Value] = field(default_factory=dict)
    unavailable: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    outlook_ms: Outlook = _NOTHING
    """The median's interval, and where that of another run will lie."""
    confidence: str = "95"
    device: str = ""
    measured_at: str = ""
    stopped_by: str = ""
    stage: str = ""
    tags: Sequence[str] = ()
    rank: str = ""
    journal: Path | None = None

    @property
    def label(self) -> str:
        """``mojo row_block=4 threads=2``."""
        return trial_label(self.implementation, self.configuration)


def detail_of_row(run: Run, row: Row, journal: Path | None, rank: str = "") -> RowDetail:
    """A row of a run that goes on or was read from its journal."""
    outlook_ms = outlook_of_row(run, row).in_units_of(_NS_PER_MS)
    device = run.devices.get(row.device)
    stamp = datetime.fromtimestamp(row.measured_at).astimezone().isoformat(" ", "seconds") if row.measured_at else ""
    return RowDetail(
        trial=row.trial,
        implementation=row.implementation,
        configuration=row.configuration,
        problem=row.problem,
        status=row.status,
        figures=figures_of_rows(run, [row])[0] | _figures_of(outlook_ms, row.median_ns),
        samples_ns=row.samples_ns if len(row.samples_ns) else array("q"),
        cause=row.cause,
        log=row.detail,
        resources=row.resources,
        telemetry=row.telemetry,
        provenance=run.provenances.get(row.provenance, {}),
        outlook_ms=outlook_ms,
        confidence=figures.setting(round(run.confidence * 100, 3)),
        device=device.name if device else row.device,
        measured_at=stamp,
        stopped_by=row.stopped_by,
        stage=row.stage,
        tags=row.tags,
        rank=rank,
        journal=journal,
    )


def _figures_of(outlook_ms: Outlook, median_ns: float | None) -> dict[str, Value]:
    """The ends by the names that the row's leaderboard will give them; the second visits of a run may have moved them."""
    if outlook_ms.interval is None or median_ns is None:
        return {}
    low, high = outlook_ms.interval
    relative = figures.relative_half_width_percent(median_ns / _NS_PER_MS, low, high)
    found: dict[str, Value] = {} if relative is None else {INTERVAL: relative}
    found |= {"latency_ms.ci_low": low, "latency_ms.ci_high": high}
    if outlook_ms.repeat is not None:
        found |= zip(("latency_ms.repeat_low", "latency_ms.repeat_high"), outlook_ms.repeat, strict=True)
    return found


def detail_of_entry(
    board: Leaderboard, place: int, entry: Entry, known: Mapping[str, Value], journal: Path | None
) -> RowDetail:
    """A row of a saved leaderboard; ``place`` is its board's."""
    ident = board.boards[place].device
    device = next((part.name for part in board.devices if part.id == ident), ident)
    return RowDetail(
        trial=entry.trial,
        implementation=entry.implementation,
        configuration=entry.configuration,
        problem=board.boards[place].problem,
        status=entry.status,
        figures=known,
        samples_ns=entry.samples_ns,
        cause=entry.cause,
        resources=entry.resources,
        telemetry=entry.telemetry,
        unavailable=entry.unavailable,
        provenance=board.provenances.get(entry.provenance, {}),
        outlook_ms=outlook_of_entry(board.boards[place], entry),
        confidence=figures.setting(board.method.settings.get("confidence_percent", 95.0)),
        device=device,
        measured_at=entry.measured_at,
        stopped_by=entry.stopped_by,
        stage=entry.stage,
        tags=entry.tags,
        rank=entry.rank or "",
        journal=journal,
    )


# ---------------------------------------------------------------------------------- in words


def summary_lines(detail: RowDetail) -> list[Spans]:
    """Where the row stands, its figures, and why those that are missing are."""
    mark = STATE_MARKS.get(detail.status, FAILED_MARK)
    lines: list[Spans] = [
        (
            (f"{mark} {detail.status.replace('_', ' ')}", state_tone(detail.status)),
            ("  ", None),
            (detail.label, "strong"),
        )
    ]
    if detail.rank:
        shared = (
            ", shared: not told apart from the others there, or by less than 1 %" if detail.rank.endswith("=") else ""
        )
        lines.append(plain(f"rank {detail.rank}{shared}"))
    if detail.cause:
        lines.append(toned(one_line(detail.cause), state_tone(detail.status)))
    where = " · ".join(filter(None, [detail.device, detail.measured_at]))
    if where:
        lines.append(toned(one_line(where), "muted"))
    lines += [plain(""), *_latency_lines(detail)]
    return lines


def _latency_lines(detail: RowDetail) -> list[Spans]:
    median = detail.figures.get(MEDIAN)
    if not isinstance(median, int | float):
        return [toned(f"{name}: {one_line(why)}", "muted") for name, why in detail.unavailable.items()]
    outlook, half = detail.outlook_ms, None
    if outlook.interval is not None:
        half = max(outlook.interval[1] - median, median - outlook.interval[0])
    text = f"median {figures.with_uncertainty(median, half)} ms"
    if outlook.interval is not None:
        low, high = (figures.with_uncertainty(value, half) for value in outlook.interval)
        text += f", between {low} and {high} ms with {detail.confidence} % confidence"
    lines = [toned(text, "strong")]
    if outlook.repeat is not None:
        lines.append(plain(in_words(outlook.repeat, half, detail.confidence)))
    elif outlook.reason:
        lines.append(toned(f"another run: {one_line(outlook.reason)}", "muted"))
    others = [
        f"{name} {figures.with_uncertainty(float(value), half)}"
        for name in ("min", "p5", "p95", "p99")
        if isinstance(value := detail.figures.get(f"latency_ms.{name}"), int | float)
    ]
    lines.append(plain(f"{'  '.join(others)} ms  n={detail.figures.get('latency_ms.n', len(detail.samples_ns))}"))
    how = {"finalists": "measured in turns, in the race of the finalists", "remeasured": "measured again on request"}
    said = [
        how.get(detail.stage, "measured in the sweep"),
        f"ended by {detail.stopped_by}" if detail.stopped_by else "",
    ]
    lines.append(toned("; ".join(filter(None, [*said, *map(one_line, detail.tags)])), "muted"))
    return [*lines, *(toned(f"{name}: {one_line(why)}", "muted") for name, why in detail.unavailable.items())]


def resource_lines(detail: RowDetail) -> list[Spans]:
    """What the kernel takes of the device, and what limits its occupancy."""
    lines = []
    limiter = detail.resources.get(_LIMITER)
    if limiter is not None:
        lines.append(toned(f"occupancy is limited by {one_line(limiter)}", "strong"))
    lines += _table({**detail.resources})
    return lines or [toned("no resources are recorded for this row", "muted")]


def figure_lines(detail: RowDetail) -> list[Spans]:
    """Every figure by its name."""
    return _table(detail.figures)


def provenance_lines(detail: RowDetail) -> list[Spans]:
    """What the row was measured with: sources, compiler, driver, device, harness, method."""
    fields = {
        name: value if isinstance(value, str | int | float) else str(value) for name, value in detail.provenance.items()
    }
    return _table(fields) or [toned("where it came from is not recorded", "muted")]


def _table(values: Mapping[str, Value]) -> list[Spans]:
    width = max((len(one_line(name)) for name in values), default=0)
    return [
        ((f"{one_line(name):<{width}}  ", "muted"), (one_line(figures.setting(value)), None))
        for name, value in values.items()
    ]


def figure_as_text(detail: RowDetail, name: str) -> str:
    """One figure for the clipboard."""
    return str(detail.figures.get(name, figures.NOT_MEASURED))


def as_text(detail: RowDetail) -> str:
    """The row for the clipboard: every figure by its name, one a line."""
    return "\n".join([detail.label, *(f"{name} = {figures.setting(value)}" for name, value in detail.figures.items())])
