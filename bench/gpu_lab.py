"""For benches on a GPU: trials planned, built and prepared by tunetui's own parts, in this process, so that others can time the same."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import random
import subprocess
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui.session.links import Links
from tunetui.session.opening import BatchOptions, connector, let_go, open_groups, run_spec
from tunetui_agent.build import Target, open_builder
from tunetui_agent.devices.cuda_driver import find_gpus
from tunetui_agent.devices.gpu import GpuDevice, open_device
from tunetui_agent.devices.gpu_execution import GpuExecution
from tunetui_agent.verify import GiB, Oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui_agent.devices.gpu_loading import LoadedLaunch
    from tunetui_agent.messages import Implementation, RunSpec, Trial

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
SEARCH = ROOT / "kernels" / "semantic-search"


@dataclass(frozen=True)
class Job:
    """A run's kernel, some of its trials, and where their builds lie; plain data, so that another process can have it."""

    spec: RunSpec
    trials: list[Trial]
    compute_capability: int
    cache: Path

    @property
    def target(self) -> Target:
        return Target(kind="gpu", architecture=f"sm_{self.compute_capability}")

    def implementation(self, trial: Trial) -> Implementation:
        return next(each for each in self.spec.kernel.implementations if each.name == trial.implementation)

    def folder(self, trial: Trial) -> str:
        """The folder of a trial's build."""
        own = self.implementation(trial)
        builder = open_builder(own.language, self.cache, "gpu")
        return str(builder.folder(str(builder.key(self.spec, own, trial, self.target))))


@dataclass
class Lab:
    """One job on an open device."""

    job: Job
    device: GpuDevice
    oracle: Oracle = field(init=False)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.job.spec, limit_bytes=2 * GiB)

    def prepare(self, trial: Trial) -> GpuExecution:
        """A trial's kernel, loaded, bound to the inputs it is timed on, and right.  Raises `TrialFault`."""
        job = self.job
        execution = GpuExecution(self.device, job.spec, job.implementation(trial), trial, job.folder(trial))
        inputs = self.oracle.timing_inputs(trial)
        execution.bind(inputs)
        execution.poison()
        execution.run()
        self.oracle.judge(trial, inputs, execution.outputs()[0])
        return execution


def plan(grid: str, folder: Path, pick: Callable[[list[Trial]], list[Trial]]) -> Job:
    """The trials that ``pick`` chooses from the plan of ``grid`` (the text of a grid file), built in parallel."""
    path = folder / f"{len(list(folder.iterdir()))}.toml"
    path.write_text(grid)
    job = asyncio.run(_job(BatchOptions(grid_path=path, output_stem=path.with_suffix("")), pick, folder / "cache"))
    chosen = job.trials
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1), multiprocessing.get_context("spawn")) as pool:
        failed = [log for log in pool.map(_build, [job] * len(chosen), chosen) if log]
    if failed:
        raise SystemExit(failed[0])
    return job


async def _job(options: BatchOptions, pick: Callable[[list[Trial]], list[Trial]], cache: Path) -> Job:
    links = Links()
    opened = await open_groups(options, links, connector(options, links))
    group = opened.groups[0]
    place = group.places[0]
    await let_go(opened.groups)
    capability = place.device.attributes.get("compute_capability", 0)
    return Job(run_spec(opened, group, place, "bench"), pick(list(group.plan.trials)), capability, cache)


def _build(job: Job, trial: Trial) -> str:
    own = job.implementation(trial)
    built = open_builder(own.language, job.cache, "gpu").build(job.spec, own, [trial], job.target)
    return "".join(f"{trial.configuration}: {each.log}" for each in built if not each.ok)


def open_gpu() -> GpuDevice:
    """The first GPU."""
    return open_device(find_gpus()[0].uuid)


def sample(trials: list[Trial], count: int) -> list[Trial]:
    """``count`` of the trials, the same ones every time."""
    ordered = sorted(trials, key=lambda trial: repr(sorted(trial.configuration.items())))
    return random.Random(0).sample(ordered, min(count, len(ordered)))


def call_of(execution: GpuExecution) -> Callable[[], None]:
    """The very call that a sample times: every launch, queued and not waited for."""
    return execution._call  # noqa: SLF001 - a bench looks inside so that what it compares is the same


def launches_of(execution: GpuExecution) -> list[tuple[LoadedLaunch, tuple[Any, ...]]]:
    """Each launch of an execution with its arguments."""
    return list(zip(execution._launches, execution._bound_arguments, strict=True))  # noqa: SLF001


def circumstances(device: GpuDevice) -> dict[str, Any]:
    """Device, driver, versions, date and commit."""
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip() or os.environ.get("TUNETUI_COMMIT", ""),
        "device": device.device.name,
        "driver": device.device.driver,
        "l2_bytes": device.device.attributes["l2_bytes"],
        "multiprocessors": device.device.attributes["multiprocessors"],
        "ceilings": device.ceilings(),
        "python": platform.python_version(),
        "cupy": device.cupy.__version__,
    }
