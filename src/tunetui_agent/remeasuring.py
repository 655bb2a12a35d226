"""The method of a trial that is measured once more, to a precision of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunetui_agent.messages import Method

MOST_SAMPLES = 100_000
"""Of one trial, whatever precision is asked for: its journal line stays below a megabyte."""


def to_precision(method: Method, precision_percent: float | None) -> Method:
    """``method`` with that precision, and with as many more samples and seconds as it takes; None: as it is.

    An interval narrows with the root of the number of samples.  The time stays well within the trial's timeout.
    """
    if precision_percent is None:
        return method
    more = max(1.0, (method.precision_percent / precision_percent) ** 2)
    return replace(
        method,
        precision_percent=precision_percent,
        max_samples=max(method.max_samples, min(MOST_SAMPLES, math.ceil(method.max_samples * more))),
        max_seconds=max(method.max_seconds, min(method.trial_timeout_seconds / 4, method.max_seconds * more)),
    )
