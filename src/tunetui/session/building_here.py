"""Builds on this machine what hosts have no compiler for, each architecture once, while the hosts are being reached."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.applying import problems_of
from tunetui.core.definitions import chosen_implementations
from tunetui.core.errors import TunetuiError
from tunetui.core.variants import make_variants
from tunetui.session.bundling import BuildOptions, BuildPlan, Bundled, build_bundle
from tunetui.session.preparing import Preparation
from tunetui.settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tunetui.core.definitions import Grid, Kernel
    from tunetui_agent.messages import Device, Toolchain

BUILT_ELSEWHERE = "built elsewhere"
"""The ``reason`` of a toolchain that is only artifacts that were brought to the host."""
EARLY = "mojo"
"""The language that is built before a host is reached: CUDA C++ is compiled there, by NVRTC of its environment."""


@dataclass(frozen=True)
class Built:
    """A bundle for one architecture, or why there is none."""

    path: Path | None
    why: str = ""


@dataclass
class BuildingHere:
    """What one start of a run builds on this machine for all its hosts."""

    grid: Grid
    kernel: Kernel
    grid_path: Path
    on_progress: Callable[[Preparation], None]
    jobs: int = 0
    _tasks: dict[tuple[str, tuple[str, ...]], asyncio.Task[Built]] = field(default_factory=dict)

    def begin(self, host: str, architecture: str) -> None:
        """Build Mojo for a host whose architecture is known before it is reached."""
        if architecture and self._names({EARLY}):
            self._task(host, architecture, {EARLY})

    def lacking(self, toolchains: Collection[Toolchain], sent: Collection[str]) -> set[str]:
        """Languages that the run compiles for GPUs and this host cannot, or has only what was built some other time."""
        known = {each.language: each for each in toolchains}
        chosen = chosen_implementations(self.grid, self.kernel, "gpu")
        languages = {each.language for each in chosen.values() if each.language in ("cuda", "mojo")} - set(sent)
        return {
            language
            for language in languages
            if language not in known or not known[language].available or known[language].reason == BUILT_ELSEWHERE
        }

    async def bundles(self, host: str, devices: Collection[Device], languages: Collection[str]) -> list[Built]:
        """One bundle for each architecture among a host's GPUs."""
        capabilities = {device.attributes.get("compute_capability") for device in devices if device.kind == "gpu"}
        tasks = [self._task(host, f"sm_{one}", languages) for one in sorted(filter(None, capabilities))]
        return [await asyncio.shield(task) for task in tasks]

    async def close(self) -> None:
        """End what is still being built, and remove the bundles: what they hold stays in the artifact cache."""
        tasks, self._tasks = list(self._tasks.values()), {}  # a host that comes later has it all begun anew
        for task in tasks:
            task.cancel()
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(done, Built) and done.path is not None:
                with contextlib.suppress(OSError):
                    done.path.unlink(missing_ok=True)

    def _names(self, languages: Collection[str]) -> list[str]:
        chosen = chosen_implementations(self.grid, self.kernel, "gpu")
        return [name for name, definition in chosen.items() if definition.language in languages]

    def _task(self, host: str, architecture: str, languages: Collection[str]) -> asyncio.Task[Built]:
        key = (architecture, tuple(sorted(languages)))
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._build(host, architecture, self._names(languages)))
        return self._tasks[key]

    async def _build(self, host: str, architecture: str, names: list[str]) -> Built:
        try:
            variants = make_variants(self.grid, self.kernel, names)
            plan = BuildPlan(self.grid, self.kernel, variants, [architecture], len(problems_of(self.grid, self.kernel)))
            folder = cache_folder() / "bundles"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / f"{os.getpid()}-{architecture}-{'-'.join(names)[:40]}.zip"
            options = BuildOptions(self.grid_path, [architecture], names, output=path, jobs=self.jobs)

            def tell(_: str, built: int, failed: int) -> None:
                text = f"{', '.join(names)} for {architecture}"
                self.on_progress(Preparation(host, "build", text, built + failed, plan.artifacts))

            tell(architecture, 0, 0)
            done = await build_bundle(options, plan, tell)
        except TunetuiError as error:
            return Built(None, error.message)
        except OSError as error:
            return Built(None, f"{cache_folder()}: {error.strerror or error}")
        return Built(path) if done.built else Built(None, _cause(done))


def _cause(done: Bundled) -> str:
    return done.failures[0].cause if done.failures else "nothing could be built"


def explained(toolchains: list[Toolchain], why: dict[str, str]) -> list[Toolchain]:
    """Toolchains of a host, those that it lacks with the reason why this machine could not build either."""
    return [
        replace(each, available=False, reason=f"{each.reason}; nor could it be built here: {why[each.language]}")
        if each.language in why and not each.available
        else each
        for each in toolchains
    ]
