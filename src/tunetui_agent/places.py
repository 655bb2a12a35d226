"""What the places of a trial's inputs did to its samples, which took turns over them; pure.

Each place is to a row what a visit is to an implementation: its samples share where their inputs lie.  So the same estimate is
made of them (`tunetui_agent.visits`), and since a row's median is over all its places, it is that over the root of their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from tunetui_agent.messages import Method, Value, Visit, spread_of
from tunetui_agent.stopping import median_interval
from tunetui_agent.visits import PLACE_SD

PLACES = "placements"
"""Telemetry of a row: how many places there were."""


def place_figures(samples_ns: Sequence[int], places: int, method: Method) -> dict[str, Value]:
    """Both, of samples whose i-th was taken at place i modulo ``places``, whichever of them is called the first.

    The latter is a standard deviation in percent, an upper bound like that between visits; it is left out where the places are
    too few, or have too few samples for an interval.
    """
    figures: dict[str, Value] = {PLACES: places}
    visits = []
    for first in range(places):
        found = median_interval(samples_ns[first::places], method.confidence_percent)
        if found is None:
            return figures
        visits.append(Visit(found.median, found.low, found.high))
    spread = spread_of([visits], method.confidence_percent)
    if spread is None or not spread.is_enough:
        return figures
    return {**figures, PLACE_SD: round(100.0 * spread.relative_sd_bound / sqrt(places), 4)}
