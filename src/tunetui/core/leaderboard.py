"""What came out of a run: the leaderboard file as typed structs, the same in TOML and in JSON.

`docs/files.md` explains the fields, `docs/leaderboard.schema.json` is generated from these structs.  A figure
that does not exist is left out, and ``unavailable`` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tunetui.core.targets import Verdict
from tunetui_agent.messages import Value

SCHEMA_VERSION = 4
"""Raised whenever a field is added or changes its meaning; a reader refuses what is newer than itself."""

FIRST_VERSION, SECOND_VERSION, THIRD_VERSION = 1, 2, 3
"""What a file says that has none of the fields of 2 (several devices, hosts), of 3, or of 4, so that older readers take it."""

SUFFIXES = {".toml": ".leaderboard.toml", ".json": ".leaderboard.json"}
"""What the names of the files end with."""

CLAIM_NOTE = "a claim by the grid's author: not measured by tunetui, never ranked"


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Every part of the file refuses fields that it does not know: silently dropping them would lose data."""


class RunPart(_Part, frozen=True, kw_only=True):
    """The sweep; times are UTC in ISO 8601."""

    id: str
    name: str
    started: str
    finished: str
    ended: str
    """"done", "interrupted", "budget", "failed", or "unfinished" while it goes on."""
    detail: str = ""
    tunetui_version: str
    command: str
    seed: int
    grid: dict[str, Any]
    """As resolved: defaults and overrides filled in."""
    axes: dict[str, dict[str, list[Value]]]
    """Implementation to axis to the values swept."""
    trials_planned: int
    trials_measured: int
    trials_failed: int


class KernelPart(_Part, frozen=True, kw_only=True):
    """What was computed; ``source_hashes`` is file name to SHA-256, ``metrics`` name to formula."""

    name: str
    source_hashes: dict[str, str] = {}
    metrics: dict[str, str] = {}


class MethodPart(_Part, frozen=True, kw_only=True):
    """How it was measured and compared, by name; ``docs/measuring.md`` explains."""

    settings: dict[str, Any] = {}
    eviction: str = ""
    """How cold caches were made on this device; empty where caches were left hot."""
    percentiles: str
    interval: str
    test: str
    ranking: str
    race: str = ""
    """How the finalists were raced; empty where none were."""
    visits: str = ""
    """What the intervals contain of the variation between visits; empty where they contain that within one visit alone."""
    repeat: str = ""
    """What `Latency.repeat_low` and ``repeat_high`` are; empty where no row has them.  Since version 4."""
    drift: str = ""
    """What looking for drift showed; empty where nobody looked."""


class DevicePart(_Part, frozen=True, kw_only=True):
    """What trials ran on, and the host around it."""

    id: str
    name: str
    kind: str
    attributes: dict[str, int] = {}
    """Whole numbers: cores or multiprocessors, memory_bytes, ..."""
    driver: str = ""
    details: dict[str, Value] = {}
    host: str = ""
    reached_as: str = ""
    """The host as the user named it; empty for this machine.  Since version 2."""
    platform: str = ""
    compilers: dict[str, str] = {}
    """Language to version."""


class Latency(_Part, frozen=True, kw_only=True, gc=False):
    """One execution's time in milliseconds; ``ci_low`` and ``ci_high`` bound the median."""

    median: float
    ci_low: float | None = None
    ci_high: float | None = None
    visit_low: float | None = None
    """The interval of this visit's samples alone, where `Board.visits` made the other one wider."""
    visit_high: float | None = None
    p5: float
    p95: float
    p99: float
    min: float
    n: int
    repeat_low: float | None = None
    """``repeat_low`` to ``repeat_high`` holds the median of another run on the same device.  Since version 4.

    Absent where `ci_low` lacks the variation between visits; `Board.visits` says why.
    """
    repeat_high: float | None = None


class Entry(_Part, frozen=True, kw_only=True, gc=False):
    """One trial.  ``rank`` and ``tie_group`` are there for ranked rows alone."""

    rank: str | None = None
    """Competition rank within the board; "1=" where it is shared."""
    tie_group: int | None = None
    implementation: str
    configuration: dict[str, Value]
    status: str
    """"measured", "stale", or how it failed."""
    cause: str = ""
    latency_ms: Latency | None = None
    metrics: dict[str, float] = {}
    """The kernel's own figures, computed from the median."""
    quality: dict[str, float] = {}
    resources: dict[str, Value] = {}
    telemetry: dict[str, Value] = {}
    build_seconds: float | None = None
    stopped_by: str = ""
    stage: str = ""
    tags: list[str] = []
    trial: str
    provenance: str
    device: str = ""
    """Which of the board's devices measured it, where there are several.  Since version 2."""
    measured_at: str = ""
    unavailable: dict[str, str] = {}
    """Field to the reason why it is not here."""
    samples_ns: list[int] = []
    """Raw samples in nanoseconds, in the order they were taken."""

    @property
    def figures(self) -> dict[str, Value]:
        """Every figure and setting of the row by its flat name (``latency_ms.p95``, ``tile_rows``, ``recall``)."""
        found: dict[str, Value] = {"implementation": self.implementation, "status": self.status}
        if self.rank is not None and self.tie_group is not None:
            found |= {"rank": self.rank, "tie_group": self.tie_group}
        found |= {f"quality.{name}": value for name, value in self.quality.items()}
        if self.latency_ms is not None:
            latency = {name: getattr(self.latency_ms, name) for name in Latency.__struct_fields__}
            found |= {f"latency_ms.{name}": value for name, value in latency.items() if value is not None}
        if self.build_seconds is not None:
            found["build_seconds"] = self.build_seconds
        return found | {**self.telemetry, **self.resources, **self.metrics, **self.configuration}


class VisitsPart(_Part, frozen=True, kw_only=True):
    """What second visits to an implementation's rows showed; every interval of these rows contains it."""

    implementation: str
    sd_percent: float | None = None
    """Standard deviation of a visit's median beyond what its own samples explain; absent where too few visits tell."""
    half_width_percent: float | None = None
    """What that adds to an interval, in quadrature; from the upper bound of the standard deviation."""
    rows: int
    """Visited more than once, within the scope."""
    revisits: int
    scope: str = "problem"
    """"problem", or "implementation" where this problem alone has too few and those of all problems are taken together."""
    reason: str = ""
    """Why there are no figures: then intervals are of one visit's samples alone."""


class LoadPoint(_Part, frozen=True, kw_only=True, gc=False):
    """A stretch of a run under load: what happened since the point before.  Since version 3, as all of this."""

    seconds: float
    """Since the run under load began."""
    executions: int
    p50_ms: float | None = None
    p99_ms: float | None = None
    worst_ms: float | None = None
    wrong: int = 0
    errors: int = 0
    clock_mhz: float | None = None
    """Mean; of a GPU its SM clock."""
    temperature_c: float | None = None
    """The highest."""
    power_w: float | None = None


class ReliabilityPart(_Part, frozen=True, kw_only=True):
    """One row that was run without a break.  `docs/deciding.md` says how."""

    trial: str
    complete: bool
    """Whether it went on for the time asked."""
    reason: str = ""
    """Why not."""
    asked_seconds: float
    seconds: float
    executions: int
    timed: int
    """Executions whose own time is known."""
    executing_percent: float
    """Of the time; the rest is verification and looking at the device."""
    verified: int
    wrong: int
    errors: int
    causes: list[str] = []
    p50_ms: float | None = None
    p50_low_ms: float | None = None
    p50_high_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    p99_low_ms: float | None = None
    p99_high_ms: float | None = None
    worst_ms: float | None = None
    series: list[LoadPoint] = []
    unavailable: dict[str, str] = {}


class Board(_Part, frozen=True, kw_only=True):
    """One problem on one device, or on several of one model: ranked rows first, then those without a rank."""

    problem: dict[str, Value]
    device: str = ""
    """Id of one of `Leaderboard.devices`; empty where nothing was measured."""
    devices: list[str] = []
    """Ids of all that measured its rows, where there are several, all of one model.  Since version 2."""
    winner: list[str] = []
    """Trial ids of the first tie group, by median."""
    success_rate: float | None = None
    targets: list[Verdict] = []
    """Judged on the row with the smallest median, or where others are tied with it on `judged`."""
    judged: str = ""
    """Trial id of the row that the verdicts are about, where several lead.  Since version 3."""
    reliability: list[ReliabilityPart] = []
    """Rows that were run under load.  Since version 3."""
    visits: list[VisitsPart] = []
    """Absent where no row was visited twice: then, too, intervals are of one visit's samples alone."""
    rows: list[Entry] = []


class NoticePart(_Part, frozen=True, kw_only=True):
    """Something the operator was told, ``times`` times."""

    code: str
    text: str
    times: int = 1


class HostCostPart(_Part, frozen=True, kw_only=True):
    """One host's part of the cost: the hours in which agents of the run were at work there."""

    host: str
    """As the user named it; "local" for the machine that tunetui ran on."""
    hours: float
    usd: float | None = None
    usd_per_hour: float | None = None
    """Of the whole host, whatever the run used of it; the latest price where it changed."""
    price_source: str = ""


class CostPart(_Part, frozen=True, kw_only=True):
    """What the run cost, all its starts together.  Since version 3."""

    usd: float | None = None
    """Of the hosts whose price is known."""
    usd_per_trial: float | None = None
    hosts: list[HostCostPart] = []
    unavailable: dict[str, str] = {}


class Claim(_Part, frozen=True, kw_only=True):
    """A figure from elsewhere, shown beside the winner and labelled as what it is."""

    label: str
    simulated: bool = False
    latency_ms: float | None = None
    facts: dict[str, Value] = {}
    note: str = CLAIM_NOTE


class Leaderboard(_Part, frozen=True, kw_only=True):
    """The whole file."""

    schema_version: int
    generator: str
    success_rate: float | None = None
    """Trials that measured correctly over trials tried; absent where none was tried."""
    run: RunPart
    kernel: KernelPart
    method: MethodPart
    devices: list[DevicePart] = []
    cost: CostPart | None = None
    compare: list[Claim] = []
    notices: list[NoticePart] = []
    boards: list[Board] = []
    provenances: dict[str, dict[str, Any]] = {}
    """Provenance id to its fields."""

    def verdicts(self) -> list[Verdict]:
        """Every judged target of every board."""
        return [verdict for board in self.boards for verdict in board.targets]


def without_none(value: Any) -> Any:
    """Plain data with None left out of every table: TOML has no word for it, and both files are to be equal."""
    if isinstance(value, Mapping):
        return {str(key): without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value if item is not None]
    return value
