"""Builds what a grid can need on this machine, without a device, into a bundle for the host that measures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.applying import problems_of
from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.variants import make_variants
from tunetui.engines.channel import LineFramer
from tunetui.engines.local import LocalLink
from tunetui.session.delivery import understood
from tunetui.session.telling import kernel_spec
from tunetui.settings import cache_folder
from tunetui.store.atomic import check_writable
from tunetui.store.definitions import load_definitions
from tunetui_agent.messages import PROTOCOL, RunSpec, Trial, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tunetui.core.definitions import Grid, Kernel
    from tunetui.engines.channel import Link

SUFFIX = ".tunetui-bundle.zip"


@dataclass(frozen=True)
class BuildOptions:
    """What ``tunetui build`` was asked for."""

    grid_path: Path
    architectures: list[str]
    implementations: list[str] | None = None  # None: all of the grid's that are compiled
    overrides: list[str] = field(default_factory=list)
    output: Path | None = None  # None: the grid file's name, in the working directory
    jobs: int = 0  # 0: one compiler for each core

    @property
    def path(self) -> Path:
        """Absolute path of the bundle."""
        return (self.output or Path(self.grid_path.name.removesuffix(".toml") + SUFFIX)).absolute()


@dataclass(frozen=True)
class BuildPlan:
    """What is to be built, for every architecture alike."""

    grid: Grid
    kernel: Kernel
    variants: list[Trial]
    architectures: list[str]
    problems: int

    @property
    def artifacts(self) -> int:
        return len(self.variants) * len(self.architectures)


class BuildFailure(msgspec.Struct, frozen=True):
    """One variant that could not be built for one architecture."""

    architecture: str
    cause: str  # one line
    detail: str = ""  # the end of what the compiler said
    trial: str = ""


class Bundled(msgspec.Struct, frozen=True):
    """What became of a build; ``bytes`` is the bundle's size, 0 where none was written."""

    built: int
    cached: int = 0
    counts: dict[str, int] = {}  # by implementation
    languages: dict[str, str] = {}  # to the compiler's version
    failures: list[BuildFailure] = []
    bytes: int = 0


def plan_build(options: BuildOptions) -> BuildPlan:
    """What a grid can need of the architectures.  Raises InputError."""
    definitions = load_definitions(options.grid_path, options.overrides)
    grid, kernel = definitions.grid, definitions.kernel
    if grid.device != "gpu":
        raise InputError(
            f"{options.grid_path}: this grid is for a {grid.device}, and only kernels for GPUs are built ahead of a run",
            hint='name implementations for GPUs, or set device = "gpu"',
        )
    with definitions.named():
        variants = make_variants(grid, kernel, options.implementations)
    return BuildPlan(grid, kernel, variants, list(dict.fromkeys(options.architectures)), len(problems_of(grid, kernel)))


async def build_bundle(
    options: BuildOptions, plan: BuildPlan, on_progress: Callable[[str, int, int], None], link: Link | None = None
) -> Bundled:
    """Build everything of a plan and write the bundle; nothing is written where nothing could be built.

    ``on_progress`` gets the architecture at work and how many artifacts are built, and how many failed, so far.

    Raises:
        TunetuiError: the builders do not start, or the file cannot be written.
    """
    check_writable(options.path)
    used = dict.fromkeys(trial.implementation for trial in plan.variants)
    spec = RunSpec(
        protocol=PROTOCOL,
        run="build",
        device="",
        kernel=kernel_spec(plan.kernel, "gpu", used),
        method=plan.grid.method,
        build_jobs=options.jobs,
    )
    trials = [asdict(trial) for trial in plan.variants]
    request = {"spec": asdict(spec), "architectures": plan.architectures, "trials": trials}
    link = link or LocalLink(cache_folder())
    arguments = ["pack", "--output", str(options.path), "--jobs", str(options.jobs)]
    answer = await _followed(link, arguments, json.dumps(request).encode() + b"\n", on_progress)
    if not answer.get("ok") and answer.get("error") != "nothing-built":
        raise TunetuiError(clean(f"the builders on {link.host} cannot work: {answer.get('text', answer)}"))
    return understood(answer, Bundled, link)


async def _followed(
    link: Link, arguments: Sequence[str], request: bytes, on_progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    stream = await link.open(arguments)
    framer, answer = LineFramer(), None
    try:
        await stream.write(request)
        while answer is None and (data := await stream.read()):
            for line in framer.feed(data):
                said = json.loads(line)
                if said.get("say") == "progress":
                    on_progress(clean(str(said["architecture"])), int(said["built"]), int(said["failed"]))
                else:
                    answer = said
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TunetuiError(f"the agent on {link.host} answered with something else than expected: {error}") from None
    except ConnectionError:  # it ended before it had read everything: stderr says why
        answer = None
    finally:
        said_last = await stream.close()
    if answer is None:
        raise TunetuiError(clean(f"the agent on {link.host} ended before the build did: {said_last[-2000:]}"))
    return dict(answer)


def fixed_values(plan: BuildPlan, trial: str) -> dict[str, Value]:
    """The implementation of a variant and what its build fixes, for a message."""
    found = next((each for each in plan.variants if each.id == trial), None)
    if found is None:
        return {}
    known = {**found.problem, **found.configuration}
    definition = plan.kernel.implementations[found.implementation]["gpu"]
    return {"implementation": found.implementation, **{name: known[name] for name in definition.parameters}}
