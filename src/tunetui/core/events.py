"""What the app itself writes into a run's journal, beside what the agent reports."""

from __future__ import annotations

from typing import Any

import msgspec

from tunetui_agent.messages import (
    AgentStarted,
    BuildFinished,
    BuildStarted,
    CeilingsMeasured,
    CommandAccepted,
    DeviceFound,
    DriftNoticed,
    MeasuringPaused,
    MeasuringResumed,
    NoticeRaised,
    RaceEnded,
    RaceProgressed,
    RaceStarted,
    RunEnded,
    TelemetrySampled,
    TrialFailed,
    TrialMeasured,
    TrialProgressed,
    TrialRef,
    TrialsRequeued,
    TrialsSkipped,
    TrialStarted,
    TrialsWithdrawn,
    Value,
    reliability,
)

FINISH_REASONS = ("done", "interrupted", "budget", "failed")
"""Every reason that a run can finish with."""


class PlannedKernel(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel as it stood when the run was planned; ``source_hashes`` is file name to SHA-256."""

    name: str
    source_hashes: dict[str, str] = {}
    metrics: dict[str, str] = {}
    """Metric name to its expression, kept so that a leaderboard can be built from the journal alone."""


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """How many configurations of one implementation a constraint took away."""

    implementation: str
    constraint: str
    configurations: int


class RunPlanned(msgspec.Struct, frozen=True, kw_only=True):
    """A plan was made; the rows of the plan before it are kept but are no longer current."""

    run: str
    name: str
    tunetui_version: str
    command: str
    started: float
    """Unix seconds, by the app's clock."""
    seed: int
    grid: dict[str, Any]
    """The grid as resolved: defaults and overrides filled in."""
    kernel: PlannedKernel
    problems: list[dict[str, Value]]
    axes: dict[str, dict[str, list[Value]]]
    """Implementation to axis to its values."""
    trials: int
    """Trials in the plan; 0 where a strategy decides as it goes."""
    excluded: list[Exclusion] = []
    method: dict[str, Any] = {}
    device_kind: str = "cpu"
    models: dict[str, str] = {}
    """Device model (`core.models`) to what its trial ids end with; empty for the first model that this run was planned on."""
    stem: str = ""
    """Absolute path of the outputs, without their suffixes."""


class ProvenanceRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """The fields behind one provenance hash, so that a stale row can say what changed."""

    id: str
    fields: dict[str, Any]


class TrialsQueued(msgspec.Struct, frozen=True, kw_only=True):
    """These trials belong to the present plan.

    ``trials`` are to be measured (again, where a row exists); ``kept`` names rows measured before, which stand.
    ``models`` is as in `RunPlanned`, of devices that joined the run after it was planned.
    """

    trials: list[TrialRef] = []
    kept: list[str] = []
    models: dict[str, str] = {}


class TrialsStaled(msgspec.Struct, frozen=True, kw_only=True):
    """These rows no longer hold; trial id to the reason ("compiler changed: 1.0 -> 1.1")."""

    reasons: dict[str, str]


class AgentPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """An agent is about to be started on a device; written before it is, so that it can be found again."""

    agent: str
    """The ``from`` of its records."""
    host: str
    """As the user named it; "local" for this machine."""
    device: str
    """Id that is unique in this run."""
    model: str
    alone: bool = True
    """No other device shares its queue: it was told to end by itself."""


class TrialsDealt(msgspec.Struct, frozen=True, kw_only=True):
    """These trials are in the hands of an agent, from the moment that it accepts the command."""

    agent: str
    command: str
    trials: list[str]


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What an hour of a host costs, all its devices together, and who says so."""

    usd_per_hour: float
    source: str


class HostsPriced(msgspec.Struct, frozen=True, kw_only=True):
    """What the hosts of the run cost from here on; those that are not named have no known price."""

    prices: dict[str, Price]


class RunResumed(msgspec.Struct, frozen=True, kw_only=True):
    """A later start of tunetui took the run up again under the plan that it had."""

    tunetui_version: str
    command: str
    attached: bool = False
    """The agent was still at work and was re-attached; nothing had to be queued again."""


class RunFinished(msgspec.Struct, frozen=True, kw_only=True):
    """The app's last record of a start: ``reason`` is one of `FINISH_REASONS`."""

    reason: str
    detail: str = ""


class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a kind that this version does not know; it is kept in the journal and counted."""

    kind: str


AppEvent = (
    RunPlanned
    | ProvenanceRecorded
    | TrialsQueued
    | TrialsStaled
    | AgentPlaced
    | TrialsDealt
    | TrialsSkipped
    | HostsPriced
    | RunResumed
    | RunFinished
)
AgentEvent = (
    AgentStarted
    | DeviceFound
    | CeilingsMeasured
    | CommandAccepted
    | BuildStarted
    | BuildFinished
    | TrialStarted
    | TrialProgressed
    | TrialMeasured
    | TrialFailed
    | RaceStarted
    | RaceProgressed
    | RaceEnded
    | DriftNoticed
    | TelemetrySampled
    | NoticeRaised
    | RunEnded
    | MeasuringPaused
    | MeasuringResumed
    | TrialsSkipped
    | TrialsRequeued
    | TrialsWithdrawn
    | reliability.ReliabilitySampled
    | reliability.ReliabilityEnded
)
Event = AppEvent | AgentEvent | UnknownEvent

APP_EVENTS: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        RunPlanned, ProvenanceRecorded, TrialsQueued, TrialsStaled, AgentPlaced, TrialsDealt, TrialsSkipped, RunResumed,
        RunFinished, NoticeRaised, HostsPriced,
    )
}  # fmt: skip
"""Kinds the app may write; it raises notices of its own, too, and says what it skipped before any agent had it."""

APP_SOURCE = "app"
"""The ``from`` of the app's own records; every other source is an agent's run id."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One journal record, decoded: who wrote it, its place and time by that writer, and what happened."""

    source: str
    seq: int
    t: float
    event: Event
    at: int = -1
    """Where its line begins in the app's journal, in bytes; -1: that is not known."""
