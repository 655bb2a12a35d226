"""What the app and the agent say to each other: JSON lines, one object each, both ways.

Events flow down (agent to app), commands flow up.  Every event the agent writes is one journal line ``{"seq": n, "t":
unix_seconds, "kind": "TrialStarted", ...fields}`` with ``seq`` dense from 0; the first is `AgentStarted`, the last `RunEnded`.
Commands carry ids chosen by the app; one sent twice is harmless.  The classes are plain dataclasses: agents have no packages.
"""

from __future__ import annotations

import json
from dataclasses import field
from typing import Any

# ruff: noqa: PLC0414 - what messages carry is offered here, in the one module that the app knows
from tunetui_agent import reliability as reliability
from tunetui_agent.examined import TrialExamined as TrialExamined
from tunetui_agent.kernel_spec import Argument as Argument
from tunetui_agent.kernel_spec import Implementation as Implementation
from tunetui_agent.kernel_spec import KernelSpec as KernelSpec
from tunetui_agent.kernel_spec import Launch as Launch
from tunetui_agent.kernel_spec import Value as Value
from tunetui_agent.message import message
from tunetui_agent.protocol import PROTOCOL as PROTOCOL
from tunetui_agent.steering import MeasuringPaused as MeasuringPaused
from tunetui_agent.steering import MeasuringResumed as MeasuringResumed
from tunetui_agent.steering import PauseRun as PauseRun
from tunetui_agent.steering import PinTrials as PinTrials
from tunetui_agent.steering import RaceFinalistsNow as RaceFinalistsNow
from tunetui_agent.steering import RemeasureTrial as RemeasureTrial
from tunetui_agent.steering import RequeueTrials as RequeueTrials
from tunetui_agent.steering import ResumeRun as ResumeRun
from tunetui_agent.steering import SkipTrials as SkipTrials
from tunetui_agent.steering import TrialsRequeued as TrialsRequeued
from tunetui_agent.steering import TrialsSkipped as TrialsSkipped
from tunetui_agent.steering import TrialsWithdrawn as TrialsWithdrawn
from tunetui_agent.steering import WithdrawTrials as WithdrawTrials
from tunetui_agent.trial_spec import Geometry as Geometry
from tunetui_agent.trial_spec import Trial as Trial
from tunetui_agent.trial_spec import TrialRef as TrialRef
from tunetui_agent.trial_spec import reference_to as reference_to
from tunetui_agent.visits import LEAST_FREEDOM as LEAST_FREEDOM
from tunetui_agent.visits import PLACE_SD as PLACE_SD
from tunetui_agent.visits import Spread as Spread
from tunetui_agent.visits import Visit as Visit
from tunetui_agent.visits import best_known as best_known
from tunetui_agent.visits import spread_of as spread_of
from tunetui_agent.visits import widened as widened
from tunetui_agent.wire import build, event_of, line_of

# ---------------------------------------------------------------------------------- what is measured


@message(frozen=True, kw_only=True)
class Method:
    """How a trial is measured; docs/measuring.md says why."""

    cache: str = "cold"  # "cold" | "hot"
    precision_percent: float = 1.0
    confidence_percent: float = 95.0
    min_samples: int = 10
    max_samples: int = 1000
    max_seconds: float = 2.0
    placements: int = 16  # places in memory that cold samples work at in turn; 1: one, as allocated
    warmup_samples: int = 3
    warmup_seconds: float = 0.05
    trial_timeout_seconds: float = 60.0
    build_timeout_seconds: float = 300.0
    finalists: int = 8  # of each problem, raced at the end; 0: no race
    finalists_seconds: float = 10.0  # of sampling, for each problem's race
    occupancy: str = "traced"  # "traced" (GPU kernels are built twice) | "theoretical" (achieved occupancy is n/a)
    revisit_percent: float = 5.0  # of each implementation's rows that are visited again after the sweep; 0: none
    sentinel_seconds: float = 30.0  # of measuring between two looks for drift; 0: never
    throttle_retries: int = 2  # of a trial whose samples were taken while the device was throttled
    energy: str = "leaders"  # whose energy is measured once times stand: "leaders" | "all" | "none"
    energy_seconds: float = 1.0  # of executions back to back, for each of them
    ceilings: str = "measured"  # what the device can do at most, once a start: "measured" | "none" (n/a)
    seed: int = 0


@message(frozen=True, kw_only=True)
class RunSpec:
    """Everything an agent needs to start; trials follow as commands."""

    protocol: int
    run: str
    device: str  # "cpu" or a GPU's UUID
    kernel: KernelSpec
    method: Method
    build_jobs: int = 0  # 0: cores - 1, at least 1, shared with the run's other agents there
    agents_on_host: int = 1  # of this run, one for each device
    prefer_prebuilt: list[str] = field(default_factory=list)  # languages of bundles that were sent for this run
    architecture: str = ""  # what to build for, where the app knows: building then begins before the device is open
    deadline_seconds: float = 0.0  # after which the run is stopped though nobody asks; 0: never
    profile: str = ""  # whose hardware counters are read at the end: "leaders" | "all"; empty: nobody's
    dealer: str = ""  # the follower whose commands are taken, until it is gone and another claims the run
    about: dict[str, Any] = field(default_factory=dict)  # kept for an app on another machine; no matter of the agent's
    reliability: reliability.Reliability = field(default_factory=reliability.Reliability)


# ---------------------------------------------------------------------------------- what is found


@message(frozen=True, kw_only=True)
class Device:
    """What trials run on.  ``attributes`` are whole numbers that constraints see as ``device_<name>``."""

    id: str
    kind: str  # "cpu" | "gpu"
    name: str
    attributes: dict[str, int]
    driver: str = ""
    details: dict[str, Value] = field(default_factory=dict)


@message(frozen=True, kw_only=True)
class Toolchain:
    """A compiler or runtime of one language, or a module that an implementation requires, as found on the host."""

    language: str  # "cuda", ...; "module:torch" for a Python module
    available: bool
    version: str = ""
    reason: str = ""  # why it is not available, and what to install
    assembler: str = ""  # what turns its PTX into machine code; "": nothing does, or the driver when it loads


# ---------------------------------------------------------------------------------- events, agent to app


@message(frozen=True, kw_only=True)
class AgentStarted:
    """First record of every agent journal."""

    protocol: int
    version: str
    run: str
    epoch: str
    pid: int
    boot_id: str
    host: str
    platform: str
    python: str


@message(frozen=True, kw_only=True)
class DeviceFound:
    """The device and the toolchains that this run uses, and how cold caches are made here."""

    device: Device
    toolchains: list[Toolchain]
    eviction: str = ""


@message(frozen=True, kw_only=True)
class CeilingsMeasured:
    """What this very device can do at most, by the names of ``Device.details``; before the first figure that is held against it."""

    figures: dict[str, Value]


@message(frozen=True, kw_only=True)
class CommandAccepted:
    """A command is in the agent's hands; it will not be carried out twice."""

    command: str


@message(frozen=True, kw_only=True)
class BuildStarted:
    """A compiler began on ``artifacts`` (hashes of source, parameters, options, compiler, target)."""

    implementation: str
    artifacts: list[str]


@message(frozen=True, kw_only=True)
class BuildFinished:
    """One artifact is ready or failed; ``seconds`` is this artifact's share of its batch."""

    implementation: str
    artifact: str
    ok: bool
    seconds: float
    cached: bool
    log: str = ""


@message(frozen=True, kw_only=True)
class TrialStarted:
    """The device began on this trial."""

    trial: TrialRef
    stage: str = "sweep"  # "sweep" | "sentinel" | "remeasured" | "revisit"


@message(frozen=True, kw_only=True)
class TrialProgressed:
    """Samples so far; at most a few a second, for live display only."""

    trial: str
    samples: int
    median_ns: float
    half_width_percent: float | None


@message(frozen=True, kw_only=True)
class TrialMeasured:
    """Raw samples of a trial whose output was verified."""

    trial: TrialRef
    samples_ns: list[int]
    stopped_by: str  # "precision" | "max_samples" | "max_seconds" | "order": of a race, settled
    warmups: int
    quality: dict[str, float]
    build_seconds: float | None
    seconds: float  # wall time of the whole trial on the device, building not included
    sampling_seconds: float  # of which: warm-up, cache eviction and timed executions
    verify_seconds: float  # of which: inputs, reference and checks
    stage: str = "sweep"  # "sweep" | "finalists" | "sentinel" | "remeasured" | "revisit"
    process: int = 0  # of a second visit: which fresh process made it, from 1
    artifact: str = ""
    resources: dict[str, Value] = field(default_factory=dict)
    telemetry: dict[str, Value] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


FAILURES = ("build_failed", "unsupported", "wrong", "timed_out", "crashed", "errored")
"""Every status that a failed trial can have."""


@message(frozen=True, kw_only=True)
class TrialFailed:
    """A trial without a figure, and why; ``cause`` is one line, ``detail`` may be a compiler's output.

    After the sweep's stage only "wrong" speaks against the row: otherwise the figure that it has stands.
    """

    trial: TrialRef
    status: str  # one of FAILURES
    cause: str
    detail: str = ""
    quality: dict[str, float] = field(default_factory=dict)
    build_seconds: float | None = None
    seconds: float = 0.0
    stage: str = "sweep"
    artifact: str = ""


@message(frozen=True, kw_only=True)
class RaceStarted:
    """The finalists of one problem are prepared, then measured in turns; `TrialMeasured` of each follows the race."""

    problem: dict[str, Value]
    trials: list[str]  # ids, best median first
    seconds: float  # of sampling at most


@message(frozen=True, kw_only=True)
class RaceProgressed:
    """How far the present race is; at most a few a second, for live display only."""

    samples: int  # of the finalist that has the fewest; 0 while they are prepared
    seconds: float  # of sampling so far


@message(frozen=True, kw_only=True)
class RaceEnded:
    """A race is over; ``settled_by`` is how it was decided, or "nothing": then the sweep's figures stand."""

    settled_by: str  # "order" | "precision" | "max_samples" | "max_seconds" | "nothing"
    raced: list[str]  # ids of the trials with figures from this race
    rounds: int = 0
    seconds: float = 0.0  # preparation included


@message(frozen=True, kw_only=True)
class DriftNoticed:
    """The problem's sentinel is no longer as fast, or as slow, as it was; the rows measured since it was are marked."""

    trial: TrialRef  # the sentinel
    reference_ns: float  # its median before
    median_ns: float
    since: float  # Unix seconds of the last look at which all was well
    trials: list[str]  # ids of the rows measured since


@message(frozen=True, kw_only=True)
class TelemetrySampled:
    """The device's and the host's state, about once a second."""

    figures: dict[str, float]
    throttle_reasons: str | None = None  # of the device, in words, now; empty: nothing slows it; None: nobody tells


@message(frozen=True, kw_only=True)
class NoticeRaised:
    """Something the operator should know; ``code`` is stable, ``text`` is for people."""

    code: str
    text: str


@message(frozen=True, kw_only=True)
class RunEnded:
    """Last record of every agent journal that ended in order."""

    reason: str  # "done" | "stopped" | "cancelled" | "failed" | "idle": no work, and nobody who could bring any
    detail: str = ""


# ---------------------------------------------------------------------------------- commands, app to agent


@message(frozen=True, kw_only=True)
class EnqueueTrials:
    """Measure these, in this order, after what is queued already; a known id is not measured twice."""

    command: str
    trials: list[Trial]


@message(frozen=True, kw_only=True)
class Contender:
    """A row measured before this agent began, which may be among the best of its problem."""

    trial: Trial
    median_ns: float
    low_ns: float  # of its median's interval, or its smallest sample where there are too few for one
    high_ns: float
    raced: bool = False  # its figures come from a race
    loaded: bool = False  # it was run under load, to the end


@message(frozen=True, kw_only=True)
class ConsiderFinalists:
    """These rows stand; race them with the new ones where they could be the best."""

    command: str
    contenders: list[Contender]


@message(frozen=True, kw_only=True)
class CloseQueue:
    """No more trials will come: end the run when the queue is empty."""

    command: str
    races: list[dict[str, Value]] | None = None  # problems whose finalists are raced before; None: of every problem


@message(frozen=True, kw_only=True)
class StopRun:
    """Finish the present trial, then end."""

    command: str


@message(frozen=True, kw_only=True)
class CancelRun:
    """End at once; the present trial is lost."""

    command: str


# ---------------------------------------------------------------------------------- the wire

EVENTS: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        AgentStarted, DeviceFound, CeilingsMeasured, CommandAccepted, BuildStarted, BuildFinished, TrialStarted,
        TrialProgressed, TrialMeasured, TrialFailed, TrialExamined, RaceStarted, RaceProgressed, RaceEnded, DriftNoticed,
        TelemetrySampled, NoticeRaised, RunEnded, MeasuringPaused, MeasuringResumed, TrialsSkipped, TrialsRequeued,
        TrialsWithdrawn, reliability.ReliabilitySampled, reliability.ReliabilityEnded,
    )
}  # fmt: skip
COMMANDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (
    EnqueueTrials, ConsiderFinalists, CloseQueue, StopRun, CancelRun, PauseRun, ResumeRun, SkipTrials, RequeueTrials,
    PinTrials, RemeasureTrial, RaceFinalistsNow, WithdrawTrials,
)}  # fmt: skip


def encode_event(seq: int, t: float, event: Any) -> bytes:
    """One journal line, newline included."""
    return line_of(event, seq=seq, t=round(t, 6))


def encode_command(command: Any) -> bytes:
    """One command line, newline included."""
    return line_of(command)


def decode_command(line: bytes) -> Any:
    """The command in one line.  Raises ValueError: not JSON, an unknown kind, or fields that do not fit."""
    return event_of(json.loads(line), COMMANDS)


def decode_spec(data: dict[str, Any]) -> RunSpec:
    """A `RunSpec` from parsed JSON.  Raises ValueError where the fields do not fit."""
    spec: RunSpec = build(RunSpec, data)
    return spec
