"""Builders turn an implementation's source into artifacts that a device can load, one builder per language and kind.

A new builder is one module with ``open_builder(cache) -> Builder``, named in `_MODULES`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Toolchain, Trial

_MODULES = {
    ("python", "cpu"): "tunetui_agent.build.python",
    ("python", "gpu"): "tunetui_agent.build.python",
    ("mojo", "cpu"): "tunetui_agent.build.mojo",
    ("mojo", "gpu"): "tunetui_agent.build.mojo_gpu",
    ("cuda", "gpu"): "tunetui_agent.build.cuda",
}


@dataclass(frozen=True)
class Target:
    """What the artifact must run on."""

    kind: str  # "cpu" | "gpu"
    architecture: str  # "sm_90"; for a CPU its machine, model and a hash of its features


class Builder(Protocol):
    """Compiles trials of one implementation; runs in a builder child, one call at a time."""

    batch: int  # most artifacts that one call of `build` should be given

    def toolchain(self) -> Toolchain:
        """The compiler as found here, or the reason why there is none."""

    def key(self, spec: RunSpec, implementation: Implementation, trial: Trial, target: Target) -> str | None:
        """The artifact's name: a hash of source, parameters, options, compiler and target.  None: nothing to build."""

    def folder(self, key: str) -> Path:
        """Where the artifact lies once built; what `Evaluator.evaluate` takes as ``artifact`` (as a string)."""

    def build(
        self, spec: RunSpec, implementation: Implementation, trials: list[Trial], target: Target
    ) -> list[BuildFinished]:
        """One record per different key among the trials, in order of first appearance; cached ones are not built.

        A failure's ``log`` begins with one line in the user's words, then the compiler's output.
        """


def open_builder(language: str, cache: Path, kind: str = "cpu", prefer_prebuilt: Collection[str] = ()) -> Builder:
    """The builder of a language for a kind of device; artifacts go below ``cache``/builds.

    Where this host has no compiler for a GPU's language but artifacts that were built elsewhere, the builder finds those.
    For the languages in ``prefer_prebuilt`` it does so even where there is a compiler, if that is of another version.

    Raises:
        LookupError: no builder for this language on this kind of device.
    """
    name = _MODULES.get((language, kind))
    if name is None:
        known = ", ".join(f"{language} on {kind}" for language, kind in _MODULES)
        raise LookupError(f"no builder for {language} on {kind}; known: {known}")
    module = import_module(name)
    builder: Builder = module.open_builder(cache)
    if kind == "cpu" or language == "python":  # what is built for a CPU is for this very one
        return builder
    from tunetui_agent.build.prebuilt import PrebuiltBuilder, read_origins

    origin = read_origins(cache).get(language)
    if origin is None:
        return builder
    own = builder.toolchain()
    if own.available and (own.version == origin.compiler or language not in prefer_prebuilt):
        return builder
    why = f"this host has {own.version}" if own.available else f"no {language.capitalize()} compiler on this host"
    return PrebuiltBuilder(module.open_builder(cache, origin.compiler), language, cache, origin, why)
