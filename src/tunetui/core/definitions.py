"""What grid and kernel files say, as typed immutable structs; no reading and no checking here.

`tunetui.core.decoding` makes them from text, `tunetui.store.definitions` reads that text from disk.
"""

from __future__ import annotations

import msgspec

from tunetui_agent.messages import Method, Value
from tunetui_agent.messages import reliability as agent

DEVICE_KINDS = ("cpu", "gpu")
LANGUAGES = ("python", "mojo", "cuda")
ARGUMENT_ROLES = ("input", "output", "scratch", "counter", "scalar")


# ---------------------------------------------------------------------------------- grid.toml


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run ends even if the sweep has not; None means no limit."""

    minutes: float | None = None
    trials: int | None = None
    usd: float | None = None


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier figure to show beside the winner, as the grid's author states it; never ranked.

    ``facts`` holds every further scalar of the table, such as the problem it was taken on.
    """

    label: str
    simulated: bool = False
    latency_ms: float | None = None
    facts: dict[str, Value] = {}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A production requirement: the winner's ``metric`` must stand in relation ``op`` to ``bound``."""

    metric: str  # "latency_ms.p95", a metric of the kernel, a quality name, ...
    op: str  # one of "<", "<=", ">", ">=", "=="
    bound: float


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """What to sweep.  Scalars under ``[problem]`` have become one-element lists, ranges are spelled out."""

    name: str
    kernel: str  # a shipped kernel's name, or a path relative to the grid file
    implementations: list[str] | None = None  # None: every implementation for the device kind but baselines
    baselines: bool = True  # whether the kernel's baselines join, where the host can run them
    device: str | None = None  # one of DEVICE_KINDS; None: the only kind the implementations share
    axes: dict[str, list[Value]] = {}  # for every chosen implementation that declares the axis
    implementation_axes: dict[str, dict[str, list[Value]]] = {}  # [axes.<implementation>]: for that one alone
    where: list[str] = []  # constraints beside the kernel's own
    problem: dict[str, list[Value]] = {}  # swept outermost; an absent field takes the kernel's default
    method: Method = Method()
    reliability: agent.Reliability = agent.Reliability()  # of the winners, once all is measured
    targets: dict[str, str] = {}  # metric -> "< 50"; core.targeting.parse_target reads one
    budget: Budget = Budget()
    compare: Compare | None = None
    hosts: list[str] = []  # where to measure, unless the command line says; none: this machine


# ---------------------------------------------------------------------------------- kernel.toml


class ProblemField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the shape of the work."""

    type: str  # "int" | "float" | "bool" | "str"
    default: Value
    min: float | int | None = None
    max: float | int | None = None
    choices: list[Value] | None = None
    summary: str = ""


class ArgumentDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One buffer or scalar that an execution reads or writes; shapes and values are expressions."""

    role: str  # one of ARGUMENT_ROLES
    dtype: str | dict[str, str]  # a NumPy dtype name, or one for each value of the problem's `dtype`
    shape: list[str] = []  # of everything but a scalar
    value: str = ""  # scalar


class LaunchDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One entry point that an execution calls; the geometry expressions are empty on a CPU."""

    entry: str
    arguments: list[str]
    grid: list[str] = []
    block: list[str] = []
    shared_bytes: str = "0"


class ImplementationDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel in one language for one kind of device."""

    language: str  # one of LANGUAGES
    source: str  # a key of Kernel.files
    launches: list[LaunchDefinition]  # in order; exactly one on a CPU (from the file's `entry` and `arguments`)
    parameters: list[str] = []  # axes and problem fields fixed at build time
    options: list[str] = []  # extra compiler options
    where: list[str] = []
    axes: dict[str, list[Value]] = {}  # with their default values
    requires: list[str] = []  # Python modules that the host must have
    baseline: bool = False  # a library to measure the others against; joins runs that do not name it


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel folder as data."""

    name: str
    summary: str = ""
    reference: str = "reference.py"  # a key of files
    files: dict[str, str] = {}  # relative name -> text
    problem: dict[str, ProblemField] = {}
    where: list[str] = []
    arguments: dict[str, ArgumentDefinition] = {}
    metrics: dict[str, str] = {}  # name -> expression over problem, axes and `seconds`
    implementations: dict[str, dict[str, ImplementationDefinition]] = {}  # name -> device kind -> definition


# ---------------------------------------------------------------------------------- both together


def chosen_implementations(grid: Grid, kernel: Kernel, device_kind: str) -> dict[str, ImplementationDefinition]:
    """The implementations that ``grid`` races on ``device_kind``, in the grid's order (else the kernel's).

    A baseline is among them only where the grid names it; `joining_baselines` has the others.
    """
    names = list(kernel.implementations) if grid.implementations is None else grid.implementations
    found = {name: kernel.implementations.get(name, {}).get(device_kind) for name in names}
    return {
        name: definition
        for name, definition in found.items()
        if definition is not None and (grid.implementations is not None or not definition.baseline)
    }


def joining_baselines(grid: Grid, kernel: Kernel, device_kind: str) -> dict[str, ImplementationDefinition]:
    """The baselines that join a run on ``device_kind`` without being named."""
    found = {name: kinds.get(device_kind) for name, kinds in kernel.implementations.items() if grid.baselines}
    return {
        name: definition
        for name, definition in found.items()
        if definition is not None and definition.baseline and name not in (grid.implementations or [])
    }


def chosen_axes(grid: Grid, implementation: str, definition: ImplementationDefinition) -> dict[str, list[Value]]:
    """Axis values of one implementation: ``[axes.<implementation>]``, else ``[axes]``, else the kernel's own."""
    own = grid.implementation_axes.get(implementation, {})
    return {axis: own.get(axis, grid.axes.get(axis, values)) for axis, values in definition.axes.items()}


def chosen_problem(grid: Grid, kernel: Kernel) -> dict[str, list[Value]]:
    """Values of every problem field, in the kernel's order; what the grid leaves out takes its default."""
    return {name: grid.problem.get(name, [field.default]) for name, field in kernel.problem.items()}
