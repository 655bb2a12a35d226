"""What was measured more than once, and what that showed, in one sentence each: races, and looks for drift."""

from __future__ import annotations

from collections import Counter

from tunetui.core.snapshot import LOOKS_KEPT, Run

_SETTLED = {
    "order": "settled when every interval was apart from the leader's",
    "precision": "ended when every interval was as narrow as asked",
    "max_samples": "ended at the most samples",
    "max_seconds": "ended when its time was up",
    "nothing": "given up: the sweep's figures stand",
}


def races_in_words(run: Run) -> str:
    """How many rows were raced, and how the races ended; empty where there was none."""
    raced = sum(row.stage == "finalists" for row in run.current_rows())
    if not raced:
        return ""
    text = f"{raced} finalists measured again in turns, in one race for each problem; those samples alone are theirs"
    ends = Counter(run.raced.values())
    return "; ".join([text, *(f"{number} {_SETTLED.get(end, end)}" for end, number in ends.items())])


def drift_in_words(run: Run) -> str:
    """How often a sentinel was measured again, and how far its medians lay apart; empty where there was none."""
    looks = [each for history in run.sentinels.values() for each in history]
    if not looks:
        return ""
    # A resumed run may look at another trial than before: only looks at one and the same can be compared.
    same: dict[tuple[tuple[str, str], str], list[float]] = {}
    for board, history in run.sentinels.items():
        for each in history:
            same.setdefault((board, each.trial), []).append(each.median_ns)
    spread = max(map(_spread_percent, same.values()))
    drifts = sum(each.drifted for each in looks)
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    if any(len(history) == LOOKS_KEPT for history in run.sentinels.values()):
        times = f"at least {times}"
    seen = f"{drifts} drift{'s' * (drifts != 1)} noticed" if drifts else "no drift noticed"
    return f"sentinels measured again {times}, medians within {_short(spread)} % of each other; {seen}"


def _short(percent: float) -> str:
    """Two digits below ten, whole numbers above."""
    return f"{percent:.2g}" if percent < 10 else f"{percent:.0f}"


def _spread_percent(medians: list[float]) -> float:
    return 100.0 * (max(medians) - min(medians)) / min(medians)
