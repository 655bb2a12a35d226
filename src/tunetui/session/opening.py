"""From a command line to a plan: files loaded, the device found, the trials resolved."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.planning import Plan, make_plan
from tunetui.core.routes import LOCAL
from tunetui.engines.channel import ask_json
from tunetui.session.delivery import languages_of, send_bundles
from tunetui.session.linking import LinkOptions, open_link
from tunetui.store.atomic import check_writable
from tunetui.store.definitions import load_definitions
from tunetui_agent.messages import PROTOCOL, Argument, Device, Implementation, KernelSpec, Launch, RunSpec, Toolchain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tunetui.core.asking import Asker
    from tunetui.core.definitions import Grid, Kernel
    from tunetui.engines.channel import Link
    from tunetui.session.delivery import Arrived


DEADLINE_GRACE_SECONDS = 10.0
"""The app stops a run when its minutes are over; this much later an agent that nobody is left to ask does it by itself."""


@dataclass(frozen=True)
class BatchOptions:
    """What the command line asked for."""

    grid_path: Path
    overrides: list[str] = field(default_factory=list)  # "axes.tile_size=16,32"
    output_stem: Path | None = None  # None: the grid file's name, in the working directory
    fresh: bool = False  # start over; the old journal is kept under another name
    retry_failed: bool = False  # rows that failed before are measured again
    build_jobs: int = 0  # 0: the agent decides
    command: str = ""  # as typed, for the record
    profile: str = ""  # whose hardware counters are read at the end: "leaders" | "all"; empty: nobody's
    artifacts: list[Path] = field(default_factory=list)  # bundles that `tunetui build` wrote
    hosts: list[str] = field(default_factory=list)  # where to measure, as named; none: this machine
    links: LinkOptions = field(default_factory=LinkOptions)
    asker: Asker | None = None  # who answers what hosts and keys ask

    @property
    def stem(self) -> Path:
        """Absolute path of the outputs, without their suffixes."""
        return (self.output_stem or Path(self.grid_path.name.removesuffix(".toml"))).absolute()


@dataclass(frozen=True)
class Found:
    """What a host offers, as its agent tells."""

    devices: list[Device]
    toolchains: dict[str, list[Toolchain]]  # by kind of device
    host: str


@dataclass(frozen=True)
class Opened:
    """Everything that a run needs before its first record."""

    options: BatchOptions
    grid: Grid
    kernel: Kernel
    link: Link
    device: Device
    toolchains: list[Toolchain]
    plan: Plan
    arrived: list[Arrived] = field(default_factory=list)  # what the bundles brought


async def open_plan(options: BatchOptions) -> Opened:
    """Load, probe and plan; nothing is written but the agent's own archive.

    Raises:
        InputError: a file or an option is wrong.
        TunetuiError: the host has no such device, or its agent does not answer.
    """
    definitions = load_definitions(options.grid_path, options.overrides)
    check_writable(options.stem)
    link = await open_link(options.hosts[0] if options.hosts else LOCAL, options.links, options.asker)
    arrived = await send_bundles(link, options.artifacts, definitions.kernel)
    found = await probe(link, required_modules(definitions.kernel), languages_of(arrived))
    kind = definitions.grid.device or "cpu"
    device = choose_device(found, kind)
    toolchains = found.toolchains.get(kind, [])
    with definitions.named():
        plan = make_plan(definitions.grid, definitions.kernel, device, toolchains)
    return Opened(options, definitions.grid, definitions.kernel, link, device, toolchains, plan, arrived)


def required_modules(kernel: Kernel) -> list[str]:
    """Every Python module that an implementation needs on the host."""
    return sorted(
        {name for kinds in kernel.implementations.values() for own in kinds.values() for name in own.requires}
    )


async def probe(link: Link, modules: Sequence[str] = (), prefer_prebuilt: Sequence[str] = ()) -> Found:
    """The devices, compilers and asked modules of a host; ``prefer_prebuilt`` are languages that a bundle was sent for.

    Raises TunetuiError where the answer cannot be understood.
    """
    arguments = [*(f"--module={name}" for name in modules), *(f"--prefer-prebuilt={name}" for name in prefer_prebuilt)]
    answer = await ask_json(link, ["probe", *arguments])
    if not answer.get("ok"):
        raise TunetuiError(f"the agent on {link.host} cannot work: {clean(str(answer.get('text', answer)))}")
    try:
        devices = msgspec.convert(answer.get("devices"), list[Device])
        toolchains: dict[str, list[Toolchain]] = {}
        for each in msgspec.convert(answer.get("toolchains"), list[dict[str, Any]]):
            toolchains.setdefault(str(each.get("kind", "")), []).append(msgspec.convert(each, Toolchain))
    except msgspec.ValidationError as error:
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected: {error}") from None
    return Found(devices, toolchains, clean(str(answer.get("host", link.host))))


def choose_device(found: Found, kind: str) -> Device:
    """The first device of a kind.  Raises TunetuiError where there is none."""
    for device in found.devices:
        if device.kind == kind:
            return device
    there = ", ".join(clean(device.name) for device in found.devices) or "nothing"
    raise TunetuiError(
        f"no {kind.upper()} that could be used on {found.host}; found {there}",
        hint="tunetui doctor says why" if kind == "gpu" else "",
    )


def run_spec(opened: Opened, run: str) -> RunSpec:
    """What the agent is told of the run; the trials follow as commands."""
    return RunSpec(
        protocol=PROTOCOL,
        run=run,
        device=opened.device.id,
        kernel=kernel_spec(opened.kernel, opened.device.kind, opened.plan.axes),
        method=opened.grid.method,
        build_jobs=opened.options.build_jobs,
        prefer_prebuilt=languages_of(opened.arrived),
        profile=opened.options.profile,
        architecture=architecture_of(opened.device),
        deadline_seconds=60 * minutes + DEADLINE_GRACE_SECONDS if (minutes := opened.grid.budget.minutes) else 0.0,
    )


def architecture_of(device: Device) -> str:
    """What kernels for a GPU are built for; empty for a CPU, which only its own worker can describe."""
    return f"sm_{device.attributes['compute_capability']}" if device.kind == "gpu" else ""


def source_hashes(kernel: Kernel) -> dict[str, str]:
    """SHA-256 of every file of the kernel, by name."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(kernel.files.items())}


def kernel_spec(kernel: Kernel, kind: str, names: Iterable[str]) -> KernelSpec:
    """The kernel as the agent knows it, with these implementations for one kind of device."""
    arguments = [
        # A table of dtypes is resolved for each trial's problem; the plain one here is what the rest falls back to.
        Argument(name=name, role=a.role, dtype=a.dtype if isinstance(a.dtype, str) else next(iter(a.dtype.values())))
        for name, a in kernel.arguments.items()
    ]
    implementations = [
        Implementation(
            name=name,
            language=definition.language,
            source=definition.source,
            parameters=list(definition.parameters),
            options=list(definition.options),
            launches=[Launch(entry=launch.entry, arguments=list(launch.arguments)) for launch in definition.launches],
            requires=list(definition.requires),
            baseline=definition.baseline,
        )
        for name in names
        if (definition := kernel.implementations[name].get(kind)) is not None
    ]
    if not implementations:
        raise InputError(f"kernel {kernel.name} has no implementation for a {kind}")
    return KernelSpec(
        name=kernel.name,
        reference=kernel.reference,
        files=dict(kernel.files),
        arguments=arguments,
        implementations=implementations,
    )
