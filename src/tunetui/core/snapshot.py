"""The state of a run as one immutable snapshot; `tunetui.core.run` makes it from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tunetui.core.costs import Shift
from tunetui.core.events import Price, RunFinished, RunPlanned
from tunetui.core.loads import Load
from tunetui.core.models import model_of
from tunetui.core.packing import MEASURED, QUEUED, RUNNING, SKIPPED, STALE, STATUSES
from tunetui.core.row import Row, problem_key
from tunetui.core.row_table import RowTable
from tunetui_agent.messages import Device, Toolchain, Value, Visit

__all__ = [
    "MEASURED", "QUEUED", "RUNNING", "SKIPPED", "STALE", "STATUSES", "Agent", "Counts", "Happening", "Look", "Notice",
    "Placed", "Progress", "Race", "Row", "Run", "Telemetry", "problem_key",
]  # fmt: skip

TELEMETRY_KEPT = 120
LOG_KEPT = 200
PUTS_KEPT = 1000
NOTICES_KEPT = 500
LOOKS_KEPT = 500


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the present plan by status; ``total`` is their sum."""

    total: int = 0
    queued: int = 0
    running: int = 0
    measured: int = 0
    failed: int = 0
    stale: int = 0
    skipped: int = 0

    @property
    def done(self) -> int:
        """Rows that need no more work: measured, failed, or skipped because somebody asked for that."""
        return self.measured + self.failed + self.skipped


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The trial on the device now, and how far its samples are."""

    trial: str
    started: float
    samples: int = 0
    median_ns: float | None = None
    half_width_percent: float | None = None
    stage: str = "sweep"
    """"sweep", "sentinel" while a row is looked at again for drift, "remeasured" where somebody asked for that, "revisit"."""


class Race(msgspec.Struct, frozen=True, kw_only=True):
    """The finalists of one problem, measured in turns now."""

    problem: dict[str, Value]
    trials: list[str]
    limit_seconds: float
    """Of sampling; preparing and verifying come on top."""
    started: float
    samples: int = 0
    """Of the finalist that has the fewest; 0 while they are prepared."""
    seconds: float = 0.0
    """Of sampling so far."""


class Look(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One look at a problem's sentinel: a trial measured again to see whether the device has changed."""

    t: float
    trial: str
    median_ns: float
    ci_low_ns: float | None
    ci_high_ns: float | None
    drifted: bool = False
    """Apart from what it was before; from here on this is the reference."""


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent that worked for this run; ``source`` is its run id."""

    source: str
    epoch: str
    host: str
    platform: str
    python: str
    version: str
    started: float
    device: str = ""
    eviction: str = ""
    ended: str = ""
    """Reason of its `RunEnded`; empty while it is alive, or if it was lost."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where the app put an agent to work."""

    host: str
    """As the user named it; "local" for this machine."""
    device: str
    """Id of its device, unique in the run."""
    model: str
    alone: bool = True
    """No other device shares its queue."""
    t: float = 0.0
    """When, in Unix seconds by the app's clock."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Something the operator should know; said ``times`` times, last at ``t``."""

    code: str
    text: str
    source: str
    t: float
    times: int = 1


class Happening(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of the log: what happened, for people."""

    t: float
    kind: str
    text: str
    trial: str = ""


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """The device's and the host's state at one time."""

    t: float
    source: str
    figures: dict[str, float]
    throttle_reasons: str | None = None
    """In words; empty: nothing slows the device down; None: nobody tells."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a run.  Never changed in place: `apply` and `fold` make the next one."""

    plan: RunPlanned | None = None
    plan_number: int = 0
    started: float | None = None
    """Unix seconds of the first plan."""
    resumed: float | None = None
    """Unix seconds of the latest start of the app: the latest plan or `RunResumed`."""
    updated: float | None = None
    """Unix seconds of the latest record."""
    rows: Mapping[str, Row] = {}
    """By trial id, in the order first heard of; also rows of earlier plans."""
    counts: Counts = Counts()
    finished_since_resumed: int = 0
    """Trials measured or failed since ``resumed``; with it and the time, an estimate of what remains."""
    first_finished_at: float | None = None
    """Unix seconds of the first of these: what came before was the start and the first builds."""
    best: dict[tuple[str, str], str] = {}
    """(problem key, id of the first device of a model) to the trial with the smallest median of the present plan: no claim of a win."""
    running: dict[str, Progress] = {}
    """Source to the trial on its device now."""
    races: dict[str, Race] = {}
    """Source to the race on its device now."""
    raced: dict[str, str] = {}
    """Problem key to how its race was settled, since the latest plan."""
    sentinels: dict[tuple[str, str], tuple[Look, ...]] = {}
    """(problem key, device id) to the looks at its sentinel, oldest first, at most `LOOKS_KEPT`."""
    visits: dict[str, tuple[Visit, ...]] = {}
    """Trial to its measurement by the sweep and the later visits to it, in nanoseconds, where there were any."""
    loads: dict[str, Load] = {}
    """Trial to its latest run under load."""
    building: dict[str, int] = {}
    """Implementation to artifacts that its compiler has in hand."""
    builds: dict[str, int] = {}
    """"finished", "cached", "failed" to how many artifacts."""
    devices: dict[str, Device] = {}
    toolchains: dict[str, Toolchain] = {}
    """By language, as last reported."""
    agents: dict[str, Agent] = {}
    placed: dict[str, Placed] = {}
    """Source to where the app put that agent to work; agents of older journals are not here."""
    prices: dict[str, Price] = {}
    """Host to what it costs, as last said."""
    shifts: dict[str, Shift] = {}
    """Source to when that agent was at work, and at what price."""
    paused: tuple[str, ...] = ()
    """Sources of the agents that begin nothing because somebody asked for that."""
    models: dict[str, str] = {}
    """Device model to the id of its first device in this run, whose boards are those of the model."""
    suffixes: dict[str, str] = {}
    """Device model to what the ids of its trials end with; empty for the first model of the run."""
    provenances: dict[str, dict[str, Any]] = {}
    telemetry: tuple[Telemetry, ...] = ()
    """The latest samples, oldest first, at most `TELEMETRY_KEPT`."""
    notices: tuple[Notice, ...] = ()
    log: tuple[Happening, ...] = ()
    """The latest happenings, oldest first, at most `LOG_KEPT`."""
    puts: int = 0
    """How often a row was set so far, and below: the trials of the latest times, oldest first, at most `PUTS_KEPT`."""
    latest_puts: tuple[str, ...] = ()
    unknown: int = 0
    """Records of kinds that this version does not know."""
    ended: RunFinished | None = None
    ended_at: float | None = None

    @property
    def present(self) -> Progress | None:
        """The trial on the device now; the one begun last where several devices work."""
        return next(reversed(self.running.values()), None)

    @property
    def race(self) -> Race | None:
        """The race that goes on now; the one begun last where several devices work."""
        return next(reversed(self.races.values()), None)

    def current(self, row: Row) -> bool:
        """Whether the present plan asks for this row."""
        return row.plan == self.plan_number

    def changed_since(self, before: Run) -> list[Row]:
        """The rows that were set after ``before``, an earlier state of this run; few of many are found without a search."""
        puts = self.puts - before.puts
        if 0 <= puts <= len(self.latest_puts):
            latest = dict.fromkeys(self.latest_puts[len(self.latest_puts) - puts :])
            return [self.rows[trial] for trial in latest]
        if isinstance(self.rows, RowTable) and isinstance(before.rows, RowTable):
            return self.rows.different_from(before.rows)
        return [row for trial, row in self.rows.items() if before.rows.get(trial) != row]

    def current_rows(self) -> list[Row]:
        """The rows of the present plan, in the order first heard of."""
        return [row for row in self.rows.values() if row.plan == self.plan_number]

    def best_row(self, problem: dict[str, Value], device: str) -> Row | None:
        """The current row with the smallest median for this problem on devices of this one's model."""
        trial = self.best.get((problem_key(problem), self.board_of(device)))
        return self.rows[trial] if trial is not None else None

    def model_of(self, device: str) -> str:
        """The model of a device of this run; empty where it is not known."""
        return model_of(self.devices[device]) if device in self.devices else ""

    def board_of(self, device: str) -> str:
        """The device whose boards this one's rows stand on: the first of its model."""
        return self.models.get(self.model_of(device), device)

    @property
    def state(self) -> str:
        """How the run ended, or "paused", "running", "planned"; empty where there is no plan."""
        if self.ended is not None:
            return self.ended.reason
        alive = [agent.source for agent in self.agents.values() if not agent.ended]
        if self.paused and set(alive) <= set(self.paused):
            return "paused"
        return "running" if alive else "planned" if self.plan else ""

    @property
    def confidence(self) -> float:
        """The method's confidence as a fraction; 0.95 before there is a plan."""
        percent = self.plan.method.get("confidence_percent", 95.0) if self.plan else 95.0
        return float(percent) / 100.0
