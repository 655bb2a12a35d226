"""Artifacts that were built on another machine: which compiler made them, and the builder that only finds them.

``<cache>/prebuilt.json`` remembers, for each language, the one compiler version whose artifacts were brought here last,
and the architectures that they are for.  Such a builder names artifacts as that compiler would, and never compiles.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui_agent.build.cache import ArtifactCache
from tunetui_agent.folder import read_object, write_object
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial

if TYPE_CHECKING:
    from collections.abc import Collection

    from tunetui_agent.build import Builder, Target

FILE = "prebuilt.json"
NOTE = "built elsewhere"
"""What an available toolchain gives as its ``reason`` when its artifacts were brought here."""

_MOST_FAILURES = 20_000


@dataclass(frozen=True)
class Origin:
    """Where a language's artifacts come from."""

    compiler: str  # its version, as it said on the machine that built
    architectures: list[str]
    failures: dict[str, str] = field(default_factory=dict)  # key of what could not be built there -> cause, one line

    def joined(self, later: Origin) -> Origin:
        """Both together where one compiler made both; else the later one alone."""
        if later.compiler != self.compiler:
            return later
        failures = {**self.failures, **later.failures}
        return replace(
            later,
            architectures=sorted({*self.architectures, *later.architectures}),
            failures=dict(list(failures.items())[-_MOST_FAILURES:]),
        )


def read_origins(cache: Path) -> dict[str, Origin]:
    """By language; empty where nothing was brought here, or what says so is damaged."""
    found = {}
    for language, about in (read_object(cache / FILE) or {}).items():
        try:
            found[language] = Origin(**about)
        except TypeError:
            continue
    return found


def record_origins(cache: Path, arrived: dict[str, Origin]) -> None:
    """Add what a bundle brought.  Raises OSError."""
    known = read_origins(cache)
    for language, origin in arrived.items():
        known[language] = known[language].joined(origin) if language in known else origin
    write_object(cache / FILE, {language: asdict(origin) for language, origin in known.items()})


class PrebuiltBuilder:
    """Stands in for a compiler that this host does not have; see the module's docstring."""

    def __init__(self, namer: Builder, language: str, cache: Path, origin: Origin, why: str) -> None:
        """``namer`` makes keys with the origin's compiler; ``why`` says why nothing is compiled here."""
        self.batch = namer.batch
        self._namer, self._language, self._origin, self._why = namer, language, origin, why
        self._cache = ArtifactCache(cache)

    def toolchain(self) -> Toolchain:
        """The compiler that built what is here."""
        return Toolchain(language=self._language, available=True, version=self._origin.compiler, reason=NOTE)

    def toolchain_for(self, architectures: Collection[str]) -> Toolchain:
        """`toolchain`, not available where none of the host's architectures was built for."""
        if set(architectures) & set(self._origin.architectures):
            return self.toolchain()
        built, here = ", ".join(self._origin.architectures), ", ".join(sorted(architectures)) or "no GPU"
        reason = f"built elsewhere for {built} only, this host has {here}; {self._why}"
        return Toolchain(language=self._language, available=False, reason=reason)

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str | None:
        """As the compiler that built would have named it."""
        return self._namer.key(spec, implementation, trial, target)

    def folder(self, key: str) -> Path:
        """Where the artifact lies if it was brought here."""
        return self._cache.folder(key)

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """Finds what is there; what is not there fails."""
        finished: dict[str, BuildFinished] = {}
        for trial in trials:
            begun = time.perf_counter()
            key = self._namer.key(spec, implementation, trial, target) or ""
            if key in finished:
                continue
            here = self._cache.find(key) is not None
            finished[key] = BuildFinished(
                implementation=implementation.name, artifact=key, ok=here, cached=here,
                seconds=time.perf_counter() - begun, log="" if here else self._lacking(key, target),
            )  # fmt: skip
        return list(finished.values())

    def _lacking(self, key: str, target: Target) -> str:
        failed = self._origin.failures.get(key)
        if failed:
            return f"{failed} (where the bundle was built, by {self._origin.compiler})"
        if target.architecture not in self._origin.architectures:
            return f"the bundle is for {', '.join(self._origin.architectures)}, not {target.architecture}; {self._why}"
        return f"not in the bundle, or built there from other sources; {self._why}"
