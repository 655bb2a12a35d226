"""What the places in memory that a trial's samples took turns over did to them; pure.

Each place is to a row what a visit is to an implementation: its samples share where their arrays lie.  So the same estimate is
made of their medians (`tunetui_agent.visits`), and since a row's median is over all its places, it is that over the root of
their number.  A place has too few samples for an interval of its own: how far they scatter is taken from those of all places,
each about the median of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, pi, sqrt
from statistics import NormalDist, median

from tunetui_agent.messages import Method, Value, Visit, spread_of
from tunetui_agent.visits import PLACE_SD

PLACES = "placements"
"""Telemetry of a row: how many places there were."""
_LEAST_SAMPLES = 3  # at each place
_SD_OF_MAD = 1.4826  # of normally distributed values


def place_figures(samples_ns: Sequence[int], places: int, method: Method) -> dict[str, Value]:
    """Both, of samples whose i-th was taken at place i modulo ``places``, whichever of them is called the first.

    The latter is a standard deviation in percent, an upper bound like that between visits; it is left out where the places are
    too few, or have too few samples.
    """
    figures: dict[str, Value] = {PLACES: places}
    if places < 2 or len(samples_ns) < _LEAST_SAMPLES * places or min(samples_ns) <= 0:
        return figures
    groups = [samples_ns[first::places] for first in range(places)]
    medians = [float(median(group)) for group in groups]
    z, sd = NormalDist().inv_cdf(0.5 + method.confidence_percent / 200.0), _sd_within(groups, medians)
    visits = []
    for group, middle in zip(groups, medians, strict=True):
        half = z * sd * middle * sqrt(pi / 2.0 / len(group))
        visits.append(Visit(middle, middle - half, middle + half))
    spread = spread_of([visits], method.confidence_percent)
    if spread is None or not spread.is_enough:
        return figures
    return {**figures, PLACE_SD: round(100.0 * spread.relative_sd_bound / sqrt(places), 4)}


def _sd_within(groups: Sequence[Sequence[int]], medians: Sequence[float]) -> float:
    """The standard deviation of a sample about its place, as a share, by the median of distances: a few late samples do not count.

    A median of few samples lies closer to them than what they are samples of; n / (n - 1) makes up for that as for a mean.
    """
    away = []
    for group, middle in zip(groups, medians, strict=True):
        more = sqrt(len(group) / (len(group) - 1.0))
        away += [more * abs(log(each / middle)) for each in group]
    return _SD_OF_MAD * float(median(away))
