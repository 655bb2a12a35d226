"""What a run already holds of a plan: which rows stand, which are stale and why, which are missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui.core.identity import content_hash
from tunetui.core.snapshot import MEASURED, SKIPPED, problem_key
from tunetui_agent.messages import FAILURES, Contender

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tunetui.core.snapshot import Row, Run
    from tunetui_agent.messages import Trial


@dataclass(frozen=True)
class Standing:
    """The trials of a plan, sorted by what the run's journal says of them."""

    kept: list[str] = field(default_factory=list)  # ids of rows that stand
    stale: dict[str, str] = field(default_factory=dict)  # id to the reason
    missing: list[Trial] = field(default_factory=list)  # to be measured: stale ones included

    @property
    def stale_counts(self) -> dict[str, int]:
        """Reason to how many rows it made stale."""
        counts: dict[str, int] = {}
        for reason in self.stale.values():
            counts[reason] = counts.get(reason, 0) + 1
        return counts


def agents_name(folder: str, run: Run) -> str:
    """What the names of all agents of one journal begin with: an app that dies before it hears of one finds it by this.

    Every journal of a run folder has its own, so that one begun with ``--fresh`` takes nothing of the one before.
    """
    return f"{folder}-{content_hash(run.started)[:8]}-"


def died(source: str) -> str:
    """The notice of an agent whose records were taken to the last, without one that says so."""
    return f"agent {source} died without a last record"


def agents_to_take_over(folder: str, run: Run, states: Iterable[str]) -> list[str]:
    """Agents that may have records which are not in the journal, out of all whose state the host tells."""
    buried = {notice.text for notice in run.notices}
    known = [agent.source for agent in run.agents.values() if not agent.ended and died(agent.source) not in buried]
    unheard = [name for name in states if name.startswith(agents_name(folder, run)) and name not in run.agents]
    return known + unheard


def stand(
    trials: Iterable[Trial],
    provenances: Mapping[str, Mapping[str, Any]],
    run: Run,
    *,
    retry_failed: bool = False,
    accepted: Mapping[str, Collection[str]] | None = None,
) -> Standing:
    """Sort ``trials`` by the rows of ``run``.  ``provenances`` holds the plan's fields by provenance id.

    A failed row stands too (measuring it again would fail again), and a skipped one, unless ``retry_failed``.
    ``accepted`` holds, for the provenance of a trial, the others under which its row stands: of another device of the
    same model, say.
    """
    standing = Standing()
    others = accepted or {}
    for trial in trials:
        row = run.rows.get(trial.id)
        if row is None or not _has_outcome(row, retry_failed=retry_failed):
            standing.missing.append(trial)
        elif row.provenance == trial.provenance or row.provenance in others.get(trial.provenance, ()):
            standing.kept.append(trial.id)
        else:
            before, now = run.provenances.get(row.provenance, {}), provenances.get(trial.provenance, {})
            standing.stale[trial.id] = changed(before, now)
            standing.missing.append(trial)
    return standing


def joined(standings: Iterable[Standing]) -> Standing:
    """What several parts of a plan hold, together."""
    whole = Standing()
    for each in standings:
        whole.kept.extend(each.kept)
        whole.stale.update(each.stale)
        whole.missing.extend(each.missing)
    return whole


def contenders(
    standing: Standing, trials: Iterable[Trial], run: Run, finalists: int, renewed: Collection[str] = ()
) -> list[Contender]:
    """Rows that stand and may be among the best: old leaders are raced with the new ones, on the same day's device.

    Of each problem the ``finalists`` fastest; none of a problem that gets no new row and was raced when it got its last.
    ``renewed`` are keys of problems that got new rows since they were raced.
    """
    kept = set(standing.kept)
    fields: dict[str, list[tuple[float, str, Row, Trial]]] = {}
    for trial in trials:
        row = run.rows[trial.id] if trial.id in kept else None
        if row is not None and row.status == MEASURED and row.median_ns is not None:
            fields.setdefault(row.problem_key, []).append((row.median_ns, row.trial, row, trial))
    awaited = {problem_key(trial.problem) for trial in standing.missing} | set(renewed)
    found = []
    for problem, field_ in fields.items():
        best = sorted(field_, key=lambda each: each[:2])[:finalists]
        if problem in awaited or any(row.stage != "finalists" for _, _, row, _ in best[:1]):
            found += [contender_of(row, trial, raced=row.stage == "finalists") for _, _, row, trial in best]
    return found


def undecided(rivals: Iterable[Contender]) -> list[Contender]:
    """Those of problems whose leader has a rival that it overlaps with, unless all of these were raced already."""
    fields: dict[str, list[Contender]] = {}
    for rival in rivals:
        fields.setdefault(problem_key(rival.trial.problem), []).append(rival)
    found: list[Contender] = []
    for field_ in fields.values():
        leader = min(field_, key=lambda each: (each.median_ns, each.trial.id))
        close = [each for each in field_ if each.low_ns <= leader.high_ns]
        if len(close) > 1 and not all(each.raced for each in close):
            found += field_
    return found


def contender_of(row: Row, trial: Trial, *, raced: bool) -> Contender:
    """A row that stands, as an agent is told of it."""
    low, high = row.ci_low_ns, row.ci_high_ns
    return Contender(
        trial=trial,
        median_ns=row.median_ns or 0.0,
        low_ns=float(min(row.samples_ns)) if low is None else low,
        high_ns=float(max(row.samples_ns)) if high is None else high,
        raced=raced,
    )


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which provenance fields differ, in words: "compiler changed: 1.1.0 -> 1.2.0"."""
    if not before:
        return "where it came from is not recorded"
    parts = []
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        words = name.replace("_", " ")
        short = all(isinstance(value, str | int | float) and len(str(value)) <= 60 for value in (old, new))
        parts.append(f"{words} changed: {old} -> {new}" if short and not _is_hash(old, new) else f"{words} changed")
    return "; ".join(parts) or "its provenance changed"


def _is_hash(*values: object) -> bool:
    return any(isinstance(v, str) and len(v) >= 16 and all(c in "0123456789abcdef" for c in v) for v in values)


def _has_outcome(row: Row, *, retry_failed: bool) -> bool:
    return row.status == MEASURED or ((row.status in FAILURES or row.status == SKIPPED) and not retry_failed)
