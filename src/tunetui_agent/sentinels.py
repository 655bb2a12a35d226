"""One trial of each problem is measured again now and then: has the device changed meanwhile?; performs no I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tunetui_agent.stopping import Interval, median_interval

if TYPE_CHECKING:
    from tunetui_agent.backlog import Entry
    from tunetui_agent.messages import Method, Trial, TrialMeasured, Value

MOST_SAMPLES = 30
"""Of one look: enough to see a drift that matters, over in a moment."""


def brief(method: Method) -> Method:
    """The method of one look at a sentinel."""
    most = min(method.max_samples, max(MOST_SAMPLES, method.min_samples))
    return replace(method, max_samples=most, throttle_retries=0)


@dataclass
class Sentinel:
    """The first measured trial of a problem, and what it was like when all was well."""

    entry: Entry
    reference: Interval
    since: float  # Unix seconds of the last look at which all was well
    seconds: float = 0.0  # of measuring since the last look
    measured: list[Entry] = field(default_factory=list)  # since all was well


@dataclass(frozen=True)
class Drift:
    """A sentinel that is not what it was."""

    reference: Interval
    found: Interval
    since: float
    entries: list[Entry]  # measured since


class Sentinels:
    """Those of one run, by problem."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._known: dict[str, Sentinel] = {}

    def saw(self, entry: Entry, event: TrialMeasured, now: float) -> None:
        """A trial of the sweep was measured; ``now`` in Unix seconds."""
        if not self._method.sentinel_seconds:
            return
        key = problem_key(entry.trial.problem)
        sentinel = self._known.get(key)
        if sentinel is not None:
            sentinel.seconds += event.seconds
            sentinel.measured.append(entry)
            return
        interval = median_interval(event.samples_ns, self._method.confidence_percent)
        if interval is not None:
            self._known[key] = Sentinel(entry, interval, now)

    def due(self, trial: Trial) -> Entry | None:
        """The sentinel that should be looked at before ``trial`` is measured."""
        sentinel = self._known.get(problem_key(trial.problem))
        if sentinel is None or sentinel.seconds < self._method.sentinel_seconds:
            return None
        return sentinel.entry

    def looked(self, entry: Entry, event: TrialMeasured, now: float) -> Drift | None:
        """What a look says: None where all is well, or where too few samples say nothing.

        A drift is an interval apart from the reference, and medians further apart than the precision that the run
        asks for.  What was found becomes the new reference.
        """
        sentinel = self._known[problem_key(entry.trial.problem)]
        sentinel.seconds = 0.0
        found, reference = median_interval(event.samples_ns, self._method.confidence_percent), sentinel.reference
        if found is None:
            return None
        apart = found.low > reference.high or found.high < reference.low
        percent = 100.0 * abs(found.median - reference.median) / reference.median
        drift = None
        if apart and percent > self._method.precision_percent:
            drift = Drift(reference, found, sentinel.since, sentinel.measured)
            sentinel.reference = found
        sentinel.since, sentinel.measured = now, []
        return drift

    def forget(self, trial: Trial) -> None:
        """It can no longer be measured: the next measured trial of its problem takes its place."""
        self._known.pop(problem_key(trial.problem), None)


def problem_key(problem: dict[str, Value]) -> str:
    """One text per problem."""
    return json.dumps(problem, sort_keys=True)
