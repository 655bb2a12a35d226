"""What the app and the agent say to each other: JSON lines, one object each, both ways.

Events flow down (agent to app), commands flow up.  Every event the agent writes is one journal line
``{"seq": n, "t": unix_seconds, "kind": "TrialStarted", ...fields}`` with ``seq`` dense from 0; the first
is `AgentStarted`, the last `RunEnded`.  Every command carries an id chosen by the app; sending one twice
is harmless.  The classes are plain dataclasses so that the agent needs nothing but the standard library.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any

PROTOCOL = 1

Value = bool | int | float | str
"""One value of an axis or of a problem field."""


# ---------------------------------------------------------------------------------- what is measured


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of the kernel; shapes and scalar values arrive resolved with each trial."""

    name: str
    role: str  # "input" | "output" | "scratch" | "counter" (zero before and after every execution) | "scalar"
    dtype: str  # a NumPy dtype name


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One entry point that an execution calls, in order; CPU implementations have exactly one."""

    entry: str
    arguments: list[str]


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """The kernel in one language, for one kind of device."""

    name: str
    language: str  # "python" | "mojo" | "cuda"
    source: str  # a key of KernelSpec.files
    parameters: list[str] = field(default_factory=list)  # axes and problem fields fixed at build time
    options: list[str] = field(default_factory=list)  # extra compiler options
    launches: list[Launch] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)  # Python modules that the host must have
    baseline: bool = False  # a library to measure the others against: its rows are tagged so


@dataclass(frozen=True, kw_only=True)
class KernelSpec:
    """A kernel folder as data; ``files`` maps relative names to their text."""

    name: str
    reference: str
    files: dict[str, str]
    arguments: list[Argument]
    implementations: list[Implementation]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a trial is measured; docs/measuring.md says why."""

    cache: str = "cold"  # "cold" | "hot"
    precision_percent: float = 1.0
    confidence_percent: float = 95.0
    min_samples: int = 10
    max_samples: int = 1000
    max_seconds: float = 2.0
    warmup_samples: int = 3
    warmup_seconds: float = 0.05
    trial_timeout_seconds: float = 60.0
    build_timeout_seconds: float = 300.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Resolved launch geometry of one launch on a GPU."""

    grid: list[int]
    block: list[int]
    shared_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration of one implementation on one problem, with everything resolved to numbers."""

    id: str  # content hash of implementation, problem and configuration: stable between runs
    implementation: str
    problem: dict[str, Value]
    configuration: dict[str, Value]
    provenance: str  # hash of source, options, compiler, device, driver, harness and method
    shapes: dict[str, list[int]] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, float | int] = field(default_factory=dict)
    geometry: list[Geometry] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """Everything an agent needs to start; trials follow as commands."""

    protocol: int
    run: str
    device: str  # "cpu" or a GPU's UUID
    kernel: KernelSpec
    method: Method
    build_jobs: int = 0  # 0: cores - 1, at least 1
    prefer_prebuilt: list[str] = field(default_factory=list)  # languages of bundles that were sent for this run


# ---------------------------------------------------------------------------------- what is found


@dataclass(frozen=True, kw_only=True)
class Device:
    """What trials run on.  ``attributes`` are whole numbers that constraints see as ``device_<name>``."""

    id: str
    kind: str  # "cpu" | "gpu"
    name: str
    attributes: dict[str, int]
    driver: str = ""
    details: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A compiler or runtime of one language, or a module that an implementation requires, as found on the host."""

    language: str  # "cuda", ...; "module:torch" for a Python module
    available: bool
    version: str = ""
    reason: str = ""  # why it is not available, and what to install


# ---------------------------------------------------------------------------------- events, agent to app


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class DeviceFound:
    """The device and the toolchains that this run uses, and how cold caches are made here."""

    device: Device
    toolchains: list[Toolchain]
    eviction: str = ""


@dataclass(frozen=True, kw_only=True)
class CommandAccepted:
    """A command is in the agent's hands; it will not be carried out twice."""

    command: str


@dataclass(frozen=True, kw_only=True)
class BuildStarted:
    """A compiler began on ``artifacts`` (hashes of source, parameters, options, compiler, target)."""

    implementation: str
    artifacts: list[str]


@dataclass(frozen=True, kw_only=True)
class BuildFinished:
    """One artifact is ready or failed; ``seconds`` is this artifact's share of its batch."""

    implementation: str
    artifact: str
    ok: bool
    seconds: float
    cached: bool
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class TrialRef:
    """Which trial an event speaks of; carried whole so that every record explains itself."""

    id: str
    implementation: str
    problem: dict[str, Value]
    configuration: dict[str, Value]
    provenance: str


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """The device began on this trial."""

    trial: TrialRef


@dataclass(frozen=True, kw_only=True)
class TrialProgressed:
    """Samples so far; at most a few a second, for live display only."""

    trial: str
    samples: int
    median_ns: float
    half_width_percent: float | None


@dataclass(frozen=True, kw_only=True)
class TrialMeasured:
    """Raw samples of a trial whose output was verified."""

    trial: TrialRef
    samples_ns: list[int]
    stopped_by: str  # "precision" | "max_samples" | "max_seconds"
    warmups: int
    quality: dict[str, float]
    build_seconds: float | None
    seconds: float  # wall time of the whole trial on the device, building not included
    sampling_seconds: float  # of which: warm-up, cache eviction and timed executions
    verify_seconds: float  # of which: inputs, reference and checks
    stage: str = "sweep"  # "sweep" | "finalists" | "sentinel"
    artifact: str = ""
    resources: dict[str, Value] = field(default_factory=dict)
    telemetry: dict[str, Value] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


FAILURES = ("build_failed", "unsupported", "wrong", "timed_out", "crashed", "errored")
"""Every status that a failed trial can have."""


@dataclass(frozen=True, kw_only=True)
class TrialFailed:
    """A trial without a figure, and why; ``cause`` is one line, ``detail`` may be a compiler's output."""

    trial: TrialRef
    status: str  # one of FAILURES
    cause: str
    detail: str = ""
    quality: dict[str, float] = field(default_factory=dict)
    build_seconds: float | None = None
    seconds: float = 0.0
    artifact: str = ""


@dataclass(frozen=True, kw_only=True)
class TelemetrySampled:
    """The device's and the host's state, about once a second."""

    figures: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class NoticeRaised:
    """Something the operator should know; ``code`` is stable, ``text`` is for people."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """Last record of every agent journal that ended in order."""

    reason: str  # "done" | "stopped" | "cancelled" | "failed"
    detail: str = ""


# ---------------------------------------------------------------------------------- commands, app to agent


@dataclass(frozen=True, kw_only=True)
class EnqueueTrials:
    """Measure these, in this order, after what is queued already; a known id is not measured twice."""

    command: str
    trials: list[Trial]


@dataclass(frozen=True, kw_only=True)
class CloseQueue:
    """No more trials will come: end the run when the queue is empty."""

    command: str


@dataclass(frozen=True, kw_only=True)
class StopRun:
    """Finish the present trial, then end."""

    command: str


@dataclass(frozen=True, kw_only=True)
class CancelRun:
    """End at once; the present trial is lost."""

    command: str


# ---------------------------------------------------------------------------------- the wire

EVENTS: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        AgentStarted, DeviceFound, CommandAccepted, BuildStarted, BuildFinished, TrialStarted,
        TrialProgressed, TrialMeasured, TrialFailed, TelemetrySampled, NoticeRaised, RunEnded,
    )
}  # fmt: skip
COMMANDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (EnqueueTrials, CloseQueue, StopRun, CancelRun)}


def encode_event(seq: int, t: float, event: Any) -> bytes:
    """One journal line, newline included."""
    return _line({"seq": seq, "t": round(t, 6), "kind": type(event).__name__, **asdict(event)})


def encode_command(command: Any) -> bytes:
    """One command line, newline included."""
    return _line({"kind": type(command).__name__, **asdict(command)})


def decode_command(line: bytes) -> Any:
    """The command in one line.

    Raises:
        ValueError: not JSON, an unknown kind, or fields that do not fit.
    """
    return _decode(json.loads(line), COMMANDS)


def decode_spec(data: dict[str, Any]) -> RunSpec:
    """A `RunSpec` from parsed JSON.  Raises ValueError where the fields do not fit."""
    spec: RunSpec = _build(RunSpec, data)
    return spec


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _decode(record: Any, kinds: dict[str, type[Any]]) -> Any:
    if not isinstance(record, dict) or record.get("kind") not in kinds:
        raise ValueError(f"unknown message: {str(record)[:200]}")
    return _build(kinds[record["kind"]], record)


_NESTED: dict[tuple[str, str], type[Any]] = {
    ("RunSpec", "kernel"): KernelSpec,
    ("RunSpec", "method"): Method,
    ("KernelSpec", "arguments"): Argument,
    ("KernelSpec", "implementations"): Implementation,
    ("Implementation", "launches"): Launch,
    ("EnqueueTrials", "trials"): Trial,
    ("Trial", "geometry"): Geometry,
}


def _build(cls: type[Any], data: Any) -> Any:
    """A dataclass from a dict; unknown fields are ignored so that a newer app can talk to an older agent."""
    if not is_dataclass(cls) or not isinstance(data, dict):
        raise ValueError(f"{cls.__name__} must be an object, found {type(data).__name__}")
    values: dict[str, Any] = {}
    for item in fields(cls):
        if item.name not in data:
            continue
        value, nested = data[item.name], _NESTED.get((cls.__name__, item.name))
        if nested and isinstance(value, list):
            value = [_build(nested, part) for part in value]
        elif nested:
            value = _build(nested, value)
        values[item.name] = value
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{cls.__name__}: {error}") from None
