"""Targets held against everybody who leads a board: the fastest of the tied winners that meets them all is the one to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tunetui.core.cost_publishing import cost_figures
from tunetui.core.definitions import Target
from tunetui.core.load_publishing import load_figures
from tunetui.core.snapshot import Row, Run
from tunetui.core.targeting import RELIABILITY_METRICS
from tunetui.core.targets import MET, MISSED, Figure, Verdict, exact, figures_of, find, judge
from tunetui.core.visiting import Known


@dataclass(frozen=True)
class Case:
    """What a board's rows are judged by."""

    run: Run
    metrics: Mapping[str, str]
    visits: Mapping[str, Known]
    success_rate: float | None

    def figures(self, row: Row, confidence: float) -> dict[str, Figure]:
        """Everything that a target can name of this row."""
        known = self.visits.get(row.implementation)
        share = known.share(confidence) if known is not None else 0.0
        found = figures_of(
            row,
            self.metrics,
            self.run.devices.get(row.device),
            success_rate=self.success_rate,
            confidence=confidence,
            visit_share=share,
        )
        cost = cost_figures(self.run, row, found["latency_ms.median"])
        return found | cost | load_figures(self.run, row, confidence, share)


def judged(case: Case, winners: Sequence[Row], targets: Sequence[Target]) -> tuple[list[Verdict], str]:
    """The verdicts, and the trial id of the row that they are about where several lead; ``winners`` by median.

    The fastest is judged as it is.  Where it does not meet every target, the others are, at a confidence that allows for
    choosing among so many (Bonferroni): the fastest that then meets every one is the one to take.
    """
    if not winners:
        return [_of_nobody(case, target) for target in targets], ""
    confidence = case.run.confidence
    first = _verdicts(case, winners[0], targets, confidence)
    if len(winners) == 1 or not targets:
        return first, ""
    found = [first, *(_verdicts(case, row, targets, confidence) for row in winners[1:])]
    chosen, verdicts = 0, first
    if not _all_met(first):
        strict = 1.0 - (1.0 - confidence) / len(winners)
        hopeful = (place for place, own in enumerate(found) if _all_met(own))
        surely = ((place, _verdicts(case, winners[place], targets, strict)) for place in hopeful)
        chosen, verdicts = next(((place, own) for place, own in surely if _all_met(own)), (0, first))
    return [_counted(verdict, [own[n] for own in found]) for n, verdict in enumerate(verdicts)], winners[chosen].trial


def _counted(verdict: Verdict, of_all: Sequence[Verdict]) -> Verdict:
    """The verdict with how many of the tied winners come to the same; only one of them was run under load."""
    if verdict.metric in RELIABILITY_METRICS:
        return msgspec.structs.replace(verdict, rows=len(of_all))
    return msgspec.structs.replace(
        verdict,
        rows=len(of_all),
        met_by=sum(each.verdict == MET for each in of_all),
        missed_by=sum(each.verdict == MISSED for each in of_all),
    )


def _all_met(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict.verdict == MET for verdict in verdicts)


def _verdicts(case: Case, row: Row, targets: Sequence[Target], confidence: float) -> list[Verdict]:
    figures = case.figures(row, confidence)
    return [judge(target, find(figures, target.metric)) for target in targets]


def _of_nobody(case: Case, target: Target) -> Verdict:
    if target.metric == "success_rate":
        return judge(target, exact(case.success_rate, "no trial was tried"))
    return judge(target, exact(None, "nothing was measured for this problem"))
