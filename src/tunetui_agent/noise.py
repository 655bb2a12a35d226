"""Judges from figures alone whether a stretch of sampling was disturbed; docs/measuring.md states the same limits."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

STEAL_LIMIT_PERCENT = 2.0
"""Time that the hypervisor gave to others, as a share of the usable cores' time."""

OTHER_LOAD_LIMIT_PERCENT = 5.0
"""Work of other processes on the usable cores, as a share of those cores' time."""

GROUP_SHARE = 0.2
GROUP_SPREADS = 5.0
GROUP_GAP_PERCENT = 2.0
"""Two groups of samples, each at least this share of all, whose means lie this many spreads and percent apart, are bimodal."""

JUDGED_SAMPLES = 10
"""Fewer samples than this are never called bimodal."""


def is_bimodal(samples: Sequence[float]) -> bool:
    """Whether the samples fall into two groups, as after a change of clock or of core.

    The samples are split where the two parts' summed squared deviations are least (one-dimensional 2-means, exact); the
    split counts when Ashman's D = sqrt(2) |m1 - m2| / sqrt(s1^2 + s2^2) exceeds `GROUP_SPREADS` and the gap is worth
    speaking of.  For one normal or one uniform heap D stays at 2.7 and 3.5.  Source: Ashman, Bird and Zepf,
    Astronomical Journal 108 (1994) 2348.
    """
    ordered = sorted(float(sample) for sample in samples)
    n = len(ordered)
    smallest = max(2, int(n * GROUP_SHARE))
    if n < JUDGED_SAMPLES:
        return False
    centre = ordered[n // 2]
    sums, squares = [0.0], [0.0]
    for value in ordered:
        sums.append(sums[-1] + (value - centre))
        squares.append(squares[-1] + (value - centre) ** 2)

    def part(first: int, last: int) -> tuple[float, float]:
        """Mean and summed squared deviation of ordered[first:last]."""
        count, total = last - first, sums[last] - sums[first]
        return total / count, max(0.0, squares[last] - squares[first] - total * total / count)

    split = min(range(smallest, n - smallest + 1), key=lambda i: part(0, i)[1] + part(i, n)[1])
    (low_mean, low_dev), (high_mean, high_dev) = part(0, split), part(split, n)
    gap, spread = high_mean - low_mean, sqrt(low_dev / split + high_dev / (n - split))
    return gap > GROUP_GAP_PERCENT / 100.0 * (centre + low_mean) and sqrt(2.0) * gap > GROUP_SPREADS * spread


def noise_reasons(steal_percent: float | None, other_load_percent: float | None, samples: Sequence[float]) -> list[str]:
    """Why the stretch counts as noisy: ``steal``, ``other_load``, ``bimodal``; empty where it does not."""
    reasons = []
    if steal_percent is not None and steal_percent > STEAL_LIMIT_PERCENT:
        reasons.append("steal")
    if other_load_percent is not None and other_load_percent > OTHER_LOAD_LIMIT_PERCENT:
        reasons.append("other_load")
    return reasons + (["bimodal"] if is_bimodal(samples) else [])
