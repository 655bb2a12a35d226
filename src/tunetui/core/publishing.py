"""From the state of a run to its leaderboard: ranked, judged, with everything that a reader needs to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from tunetui.core.another_run import NOTHING_KNOWN, REPEAT_METHOD, Outlook, between_visits, outlook_of_measured
from tunetui.core.cost_publishing import cost_part
from tunetui.core.decoding import grid_from_dict
from tunetui.core.definitions import Compare, Target
from tunetui.core.errors import InputError
from tunetui.core.events import RunPlanned
from tunetui.core.judging import Case, judged
from tunetui.core.leaderboard import (
    FIRST_VERSION,
    SCHEMA_VERSION,
    SECOND_VERSION,
    THIRD_VERSION,
    Board,
    Claim,
    CostPart,
    DevicePart,
    Entry,
    KernelPart,
    Latency,
    Leaderboard,
    MethodPart,
    NoticePart,
    RunPart,
    without_none,
)
from tunetui.core.load_publishing import load_parts
from tunetui.core.metrics import evaluate
from tunetui.core.ranking import RANKING_METHOD, Contender, Place, rank
from tunetui.core.routes import LOCAL
from tunetui.core.row import Evidence
from tunetui.core.second_looks import drift_in_words, races_in_words
from tunetui.core.snapshot import MEASURED, QUEUED, RUNNING, SKIPPED, STALE, Row, Run, problem_key
from tunetui.core.statistics import INTERVAL_METHOD, PERCENTILE_METHOD, TEST_METHOD, percentile, samples_needed
from tunetui.core.targeting import NO_FAILURES, parse_target
from tunetui.core.targets import NS_PER_MS, NS_PER_S
from tunetui.core.visiting import Pools, interval, known, pools, visits_in_words, visits_part


def build_leaderboard(
    run: Run, *, targets: Sequence[Target] | None = None, compare: Sequence[Compare] | None = None
) -> Leaderboard:
    """The leaderboard of the run's present plan; pure, so the same journal always gives the same file.

    Targets and comparisons are those of the grid as planned, unless given.

    Raises:
        InputError: the run has no plan, or its grid's targets cannot be read.
    """
    plan = run.plan
    if plan is None:
        raise InputError("this run has no plan, so there is nothing to make a leaderboard of")
    asked = _targets(plan) if targets is None else list(targets)
    grouped = _boards(run, plan)
    visited = pools(run, ((device, rows) for _, device, rows in grouped))
    boards = [_board(run, plan, problem, device, rows, asked, visited) for problem, device, rows in grouped]
    devices = _devices(run)
    cost = cost_part(run)
    method = _method(run, plan, visited, boards)
    return Leaderboard(
        schema_version=_version(boards, devices, method, cost),
        generator=f"tunetui {plan.tunetui_version}",
        success_rate=_success_rate(run.current_rows()),
        run=_run(run, plan),
        kernel=KernelPart(name=plan.kernel.name, source_hashes=plan.kernel.source_hashes, metrics=plan.kernel.metrics),
        method=method,
        devices=devices,
        cost=cost,
        compare=_claims(plan, compare),
        notices=[NoticePart(code=n.code, text=n.text, times=n.times) for n in run.notices],
        boards=boards,
        provenances=_provenances(run),
    )


def _version(boards: list[Board], devices: list[DevicePart], method: MethodPart, cost: CostPart | None) -> int:
    """The lowest that has all fields which are there."""
    if method.repeat:
        return SCHEMA_VERSION
    if cost is not None or any(board.judged or board.reliability for board in boards):
        return THIRD_VERSION
    is_second = any(board.devices or board.visits for board in boards) or any(device.reached_as for device in devices)
    return SECOND_VERSION if is_second else FIRST_VERSION


# ---------------------------------------------------------------------------------- boards


def _boards(run: Run, plan: RunPlanned) -> list[tuple[dict[str, Any], str, list[Row]]]:
    """(problem, first device of a model, rows with an outcome), in the plan's order; failures stand where they failed."""
    found: dict[tuple[str, str], list[Row]] = {}
    stale = []
    for row in run.current_rows():
        if row.status == STALE:
            stale.append(row)
        elif row.status not in {QUEUED, RUNNING}:
            found.setdefault((row.problem_key, run.board_of(row.device)), []).append(row)
    first = {key[0]: key for key in reversed(found)}
    for row in stale:  # perhaps of a device that is gone: they stand below what replaces them
        found.setdefault(first.setdefault(row.problem_key, (row.problem_key, run.board_of(row.device))), []).append(row)
    for problem in plan.problems:
        if problem_key(problem) not in first:
            found[problem_key(problem), ""] = []
    problems = {problem_key(problem): problem for problem in plan.problems}
    problems |= {rows[0].problem_key: rows[0].problem for rows in found.values() if rows}
    place = {key: index for index, key in enumerate(problems)}
    ordered = sorted(found.items(), key=lambda item: place[item[0][0]])
    return [(problems[key], device, rows) for (key, device), rows in ordered]


def _board(
    run: Run,
    plan: RunPlanned,
    problem: dict[str, Any],
    device_id: str,
    rows: list[Row],
    targets: list[Target],
    visited: Pools,
) -> Board:
    measured = [row for row in rows if row.status == MEASURED and row.median_ns is not None]
    measured.sort(key=lambda row: row.trial)  # which settles equal medians, as it does for whoever chooses a leader
    others = sorted((row for row in rows if row.status != MEASURED), key=lambda row: (row.status, row.trial))
    visits = known(run, device_id, measured, visited)
    between = {name: between_visits(each, run.confidence) for name, each in visits.items()}
    outlooks = [
        outlook_of_measured(row, *between.get(row.implementation, NOTHING_KNOWN), run.confidence) for row in measured
    ]
    places = rank([_contender(row, each, run.confidence) for row, each in zip(measured, outlooks, strict=True)])
    devices = sorted({row.device for row in rows} - {""}, key=lambda each: (each != device_id, each))
    metrics, missing = _metrics(run, plan, measured)
    entries = [
        _measured(measured[p.index], p, outlooks[p.index], metrics[p.index], missing[p.index], run.confidence)
        for p in places
    ]
    unranked = [_unranked(row) for row in others]
    if len(devices) > 1:
        by_trial = {row.trial: row.device for row in rows}
        entries = [msgspec.structs.replace(entry, device=by_trial[entry.trial]) for entry in entries]
        unranked = [msgspec.structs.replace(entry, device=by_trial[entry.trial]) for entry in unranked]
    success = _success_rate(rows)
    leaders = sorted(
        (measured[place.index] for place in places if place.tie_group == 1),
        key=lambda row: (row.median_ns or 0.0, row.trial),
    )
    verdicts, judged_row = judged(Case(run, plan.kernel.metrics, visits, success), leaders, targets)
    return Board(
        problem=problem,
        device=device_id,
        devices=devices if len(devices) > 1 else [],
        winner=[entry.trial for entry in entries if entry.tie_group == 1],
        success_rate=success,
        targets=verdicts,
        judged=judged_row,
        reliability=load_parts(run, rows),
        visits=[visits_part(name, each, run.confidence) for name, each in sorted(visits.items())],
        rows=entries + unranked,
    )


def _contender(row: Row, outlook: Outlook, confidence: float) -> Contender:
    """A raced row stands beside others that the same process measured in the same minute: what second visits show is not in its interval."""
    low, high = interval(row, 0.0, confidence) if row.stage == "finalists" else (outlook.low, outlook.high)
    return Contender(row.samples_ns, row.median_ns or 0.0, low, high)


def _metrics(
    run: Run, plan: RunPlanned, rows: Sequence[Row]
) -> tuple[dict[int, dict[str, float]], dict[int, dict[str, str]]]:
    """Every row's own figures by its index, with the ceilings of the very device that measured it, and why some miss."""
    metrics: dict[int, dict[str, float]] = {}
    missing: dict[int, dict[str, str]] = {}
    by_device: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        by_device.setdefault(row.device, []).append(index)
    for device, members in by_device.items():
        own = [rows[index] for index in members]
        seconds = np.array([row.median_ns or 0.0 for row in own]) / NS_PER_S
        found, lacking = evaluate(plan.kernel.metrics, own, seconds, run.devices.get(device))
        metrics |= dict(zip(members, found, strict=True))
        missing |= dict(zip(members, lacking, strict=True))
    return metrics, missing


def _measured(
    row: Row,
    place: Place,
    outlook: Outlook,
    metrics: dict[str, float],
    missing: dict[str, str],
    confidence: float,
) -> Entry:
    evidence = row.evidence
    ordered = sorted(evidence.samples_ns)
    unavailable = {f"metrics.{name}": f"n/a: {reason}" for name, reason in missing.items()}
    if row.ci_low_ns is None or row.ci_high_ns is None:
        few = f"n/a: an interval needs at least {samples_needed(0.5, confidence)} samples, has {len(ordered)}"
        unavailable |= {"latency_ms.ci_low": few, "latency_ms.ci_high": few}
    ends, own = (outlook.low, outlook.high), (row.ci_low_ns, row.ci_high_ns)
    visit = own if ends != own else (None, None)
    repeat = outlook.repeat or (None, None)
    return Entry(
        rank=place.rank,
        tie_group=place.tie_group,
        **_shared(row, evidence),
        latency_ms=Latency(
            median=_ms(row.median_ns or 0.0),
            ci_low=_ms_or_none(ends[0]),
            ci_high=_ms_or_none(ends[1]),
            visit_low=_ms_or_none(visit[0]),
            visit_high=_ms_or_none(visit[1]),
            p5=_ms(percentile(ordered, 0.05)),
            p95=_ms(percentile(ordered, 0.95)),
            p99=_ms(percentile(ordered, 0.99)),
            min=_ms(ordered[0]),
            n=len(ordered),
            repeat_low=_ms_or_none(repeat[0]),
            repeat_high=_ms_or_none(repeat[1]),
        ),
        metrics=metrics,
        unavailable=unavailable,
        samples_ns=evidence.samples_ns.tolist(),
    )


def _ms(nanoseconds: float) -> float:
    """Milliseconds, without the digits that only the division made."""
    return round(nanoseconds / NS_PER_MS, 9)


def _ms_or_none(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else _ms(nanoseconds)


def _unranked(row: Row) -> Entry:
    why = f"n/a: {row.cause}" if row.cause else f"n/a: {row.status}"
    unavailable = {"latency_ms": why.splitlines()[0]}
    evidence = row.evidence
    samples = evidence.samples_ns.tolist() if row.status == STALE else []
    return Entry(**_shared(row, evidence), unavailable=unavailable, samples_ns=samples)


def _shared(row: Row, evidence: Evidence) -> dict[str, Any]:
    return {
        "implementation": row.implementation,
        "configuration": row.configuration,
        "status": row.status,
        "cause": row.cause,
        "quality": evidence.quality,
        "resources": evidence.resources,
        "telemetry": evidence.telemetry,
        "build_seconds": row.build_seconds,
        "stopped_by": row.stopped_by,
        "stage": row.stage,
        "tags": row.tags,
        "trial": row.trial,
        "provenance": row.provenance,
        "measured_at": "" if row.measured_at is None else iso_utc(row.measured_at),
    }


def _success_rate(rows: Sequence[Row]) -> float | None:
    measured = sum(row.status == MEASURED for row in rows)
    tried = measured + sum(row.status not in {MEASURED, STALE, QUEUED, RUNNING, SKIPPED} for row in rows)
    return measured / tried if tried else None


# ---------------------------------------------------------------------------------- the parts around them


def iso_utc(t: float) -> str:
    """Unix seconds as ``2026-11-22T12:44:47.250Z``."""
    return datetime.fromtimestamp(t, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _run(run: Run, plan: RunPlanned) -> RunPart:
    ended_at = run.ended_at if run.ended_at is not None else run.updated
    return RunPart(
        id=plan.run,
        name=plan.name,
        started=iso_utc(run.started if run.started is not None else plan.started),
        finished=iso_utc(ended_at if ended_at is not None else plan.started),
        ended=run.ended.reason if run.ended else "unfinished",
        detail=run.ended.detail if run.ended else "",
        tunetui_version=plan.tunetui_version,
        command=plan.command,
        seed=plan.seed,
        grid=without_none(plan.grid),
        axes=plan.axes,
        trials_planned=max(plan.trials, run.counts.total),
        trials_measured=run.counts.measured,
        trials_failed=run.counts.failed,
    )


def _method(run: Run, plan: RunPlanned, visited: Pools, boards: Sequence[Board]) -> MethodPart:
    eviction = next((agent.eviction for agent in reversed(run.agents.values()) if agent.eviction), "")
    return MethodPart(
        settings=without_none(plan.method),
        eviction=eviction,
        percentiles=PERCENTILE_METHOD,
        interval=INTERVAL_METHOD,
        test=TEST_METHOD,
        ranking=RANKING_METHOD,
        race=races_in_words(run),
        visits=visits_in_words(visited),
        repeat=REPEAT_METHOD if _has_repeats(boards) else "",
        drift=drift_in_words(run),
    )


def _has_repeats(boards: Sequence[Board]) -> bool:
    latencies = (row.latency_ms for board in boards if board.visits for row in board.rows)
    return any(latency is not None and latency.repeat_low is not None for latency in latencies)


def _devices(run: Run) -> list[DevicePart]:
    compilers = {t.language: t.version for t in run.toolchains.values() if t.available}
    used = {row.device for row in run.current_rows()}
    parts = []
    for device in run.devices.values():
        if used - {""} and device.id not in used:
            continue  # of an earlier plan
        agent = next((a for a in reversed(run.agents.values()) if a.device == device.id), None)
        parts.append(
            DevicePart(
                id=device.id,
                name=device.name,
                kind=device.kind,
                attributes=device.attributes,
                driver=device.driver,
                details=device.details,
                host=agent.host if agent else "",
                reached_as=_reached_as(run, agent.source) if agent else "",
                platform=agent.platform if agent else "",
                compilers=compilers,
            )
        )
    return parts


def _reached_as(run: Run, source: str) -> str:
    placed = run.placed.get(source)
    return placed.host if placed is not None and placed.host != LOCAL else ""


def _provenances(run: Run) -> dict[str, dict[str, Any]]:
    used = {row.provenance for row in run.current_rows()}
    return {name: without_none(fields) for name, fields in run.provenances.items() if name in used}


def _targets(plan: RunPlanned) -> list[Target]:
    try:
        asked = [parse_target(metric, text) for metric, text in plan.grid.get("targets", {}).items()]
        is_loaded = plan.grid.get("reliability", {}).get("seconds", 0) > 0
        return [*asked, *([NO_FAILURES] if is_loaded and NO_FAILURES not in asked else [])]
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"the grid's targets cannot be read: {error}") from None


def _claims(plan: RunPlanned, compare: Sequence[Compare] | None) -> list[Claim]:
    if compare is None:
        given = grid_from_dict(plan.grid, "the grid in the journal").compare if plan.grid.get("compare") else None
        compare = [given] if given is not None else []
    return [Claim(label=c.label, simulated=c.simulated, latency_ms=c.latency_ms, facts=c.facts) for c in compare]
