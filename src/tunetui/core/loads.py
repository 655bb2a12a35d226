"""What is known of a trial's run under load: its stretches, all its times in fine bins, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, sqrt
from statistics import NormalDist

import msgspec

from tunetui.core.figures import counted, with_uncertainty
from tunetui_agent.messages import Value
from tunetui_agent.messages import reliability as agent

DONE, STOPPED, FAILED = "done", "stopped", "failed"

_EXACT_UP_TO = 100_000
"""Executions up to which ranks come from the binomial distribution itself; beyond, from its normal approximation."""
_CAUSES_KEPT = 8
_NS_PER_MS = 1e6


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of a run under load; times of its timed executions in nanoseconds, None where none was timed."""

    seconds: float
    """Since the run under load began, at the stretch's end."""
    executions: int
    timed: int
    p50_ns: float | None
    p99_ns: float | None
    worst_ns: int
    verified: int
    wrong: int
    errors: int
    telemetry: dict[str, Value] = {}


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A run under load as far as it is known."""

    trial: str
    source: str
    """The agent that makes it."""
    asked_seconds: float = 0.0
    seconds: float = 0.0
    executions: int = 0
    executing_seconds: float = 0.0
    verified: int = 0
    wrong: int = 0
    errors: int = 0
    causes: tuple[str, ...] = ()
    bins: dict[int, int] = {}
    """Bin of `tunetui_agent.reliability` to timed executions."""
    worst_ns: int = 0
    stretches: tuple[Stretch, ...] = ()
    reason: str = ""
    """`DONE`, `STOPPED` or `FAILED`; empty while it goes on, or where its agent was gone before it ended."""
    cause: str = ""

    @property
    def timed(self) -> int:
        """Executions whose time is known."""
        return sum(self.bins.values())

    @property
    def failures(self) -> int:
        """Wrong results and errors."""
        return self.wrong + self.errors

    @property
    def is_complete(self) -> bool:
        """Whether it went on for the time asked."""
        return self.reason == DONE


def load_words(loads: Mapping[str, Load], trial: str) -> str:
    """How far a trial's present run under load is: ``under load: 37 of 300 s, 12,345 executions, p99 0.019 ms, no failure``."""
    load = loads.get(trial)
    if load is None or load.reason:
        return "under load: preparing"
    p99 = quantile_ns(load.bins, 0.99)
    tail = f"p99 {with_uncertainty(p99 / _NS_PER_MS, None)} ms, " if p99 is not None else ""
    failures = counted(load.failures, "failure") if load.failures else "no failure"
    how_far = f"{load.seconds:.0f} of {load.asked_seconds:.0f} s, {counted(load.executions, 'execution')}"
    return f"under load: {how_far}, {tail}{failures}"


def with_stretch(known: Load | None, source: str, event: agent.ReliabilitySampled) -> Load:
    """The run under load after one more stretch; one of another agent, or from the beginning, begins anew."""
    if known is None or known.source != source or known.reason or event.seconds <= known.seconds:
        known = Load(trial=event.trial, source=source)
    here = dict(zip(event.bins, event.counts, strict=False))
    stretch = Stretch(
        seconds=event.seconds,
        executions=event.executions,
        timed=sum(here.values()),
        p50_ns=quantile_ns(here, 0.5),
        p99_ns=quantile_ns(here, 0.99),
        worst_ns=event.worst_ns,
        verified=event.verified,
        wrong=event.wrong,
        errors=event.errors,
        telemetry=event.telemetry,
    )
    bins = dict(known.bins)
    for number, count in here.items():
        bins[number] = bins.get(number, 0) + count
    return msgspec.structs.replace(
        known,
        asked_seconds=event.asked_seconds,
        seconds=event.seconds,
        executions=known.executions + event.executions,
        executing_seconds=known.executing_seconds + event.executing_seconds,
        verified=known.verified + event.verified,
        wrong=known.wrong + event.wrong,
        errors=known.errors + event.errors,
        causes=(*known.causes, *(c for c in event.causes if c not in known.causes))[:_CAUSES_KEPT],
        bins=bins,
        worst_ns=max(known.worst_ns, event.worst_ns),
        stretches=(*known.stretches, stretch),
    )


def ended(known: Load | None, source: str, event: agent.ReliabilityEnded) -> Load:
    """The run under load at its end."""
    if known is None or known.source != source or known.reason:
        known = Load(trial=event.trial, source=source)
    errors = known.errors + event.errors
    return msgspec.structs.replace(known, reason=event.reason, cause=event.cause, errors=errors)


def quantile_ns(bins: Mapping[int, int], q: float) -> float | None:
    """The middle of the bin that holds the ``q``-quantile; None where nothing was timed."""
    total = sum(bins.values())
    return _at(bins, floor(q * (total - 1) + 0.5)) if total else None


def interval_ns(bins: Mapping[int, int], q: float, confidence: float) -> tuple[float | None, float | None]:
    """The order-statistic interval of the ``q``-quantile, widened to the ends of its bins; an end that does not exist is None."""
    total = sum(bins.values())
    if not total:
        return None, None
    low, high = _ranks(total, q, confidence)
    return (None if low is None else _at(bins, low, 0)), (None if high is None else _at(bins, high, 1))


def _ranks(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    if n <= _EXACT_UP_TO:
        from tunetui.core.statistics import interval_ranks  # NumPy, which whoever only shows a run need not wait for

        return interval_ranks(n, q, confidence)
    half = NormalDist().inv_cdf(0.5 + confidence / 2.0) * sqrt(n * q * (1.0 - q)) + 1.0
    return max(0, floor(n * q - half)), min(n - 1, ceil(n * q + half))


def _at(bins: Mapping[int, int], rank: int, end: int | None = None) -> float:
    """The time at a zero-based rank: the middle of its bin, or its low (0) or high (1) end."""
    seen = 0
    number = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen > rank:
            break
    ends = agent.bin_ends_ns(number)
    return sqrt(ends[0] * ends[1]) if end is None else ends[end]
