"""A builder child: names the artifacts that trials need and builds them, as its supervisor says."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunetui_agent.build import Target, open_builder
from tunetui_agent.lifeline import Lifeline, live_and_die_with, read_spec, read_trials
from tunetui_agent.messages import Toolchain
from tunetui_agent.modules import find_module

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui_agent.build import Builder
    from tunetui_agent.messages import Implementation, RunSpec, Trial


def main(spec_path: Path, cache: Path, supervisor: int) -> int:
    """Serve until the supervisor closes the pipe."""
    live_and_die_with(supervisor, runs_foreign_code=False)
    os.nice(5)  # the worker comes first: it is one process beside many compilers
    line = Lifeline()
    desk = BuilderDesk(read_spec(spec_path), cache)
    for message in line.messages():
        if message["ask"] == "get ready":
            desk.get_ready(message["languages"], message["kind"])
        else:
            line.send(desk.answer(message))
    return 0


class BuilderDesk:
    """Answers one request at a time; builders are opened when first needed."""

    def __init__(self, spec: RunSpec, cache: Path) -> None:
        self._spec, self._cache = spec, cache
        self._implementations = {found.name: found for found in spec.kernel.implementations}
        self._builders: dict[tuple[str, str], Builder] = {}

    def get_ready(self, languages: list[str], kind: str) -> None:
        """Load what the first build would have to wait for; what is wrong with it is said then."""
        for language in languages:
            with contextlib.suppress(LookupError):
                self._builder(language, kind).toolchain()

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request, as `BuildPool` expects it."""
        if message["ask"] == "toolchains":
            return self._toolchains(message["kind"])
        implementation = self._implementations[message["implementation"]]
        target = Target(**message["target"])
        builder = self._builder(implementation.language, target.kind)
        trials = read_trials(message["trials"])
        if message["ask"] == "keys":
            return self._keys(builder, implementation, trials, target)
        results = builder.build(self._spec, implementation, trials, target)
        return {"say": "built", "results": [asdict(result) for result in results]}

    def _keys(
        self, builder: Builder, implementation: Implementation, trials: list[Trial], target: Target
    ) -> dict[str, Any]:
        keys: dict[str, str | None] = {}
        refused: dict[str, str] = {}
        for trial in trials:
            try:
                keys[trial.id] = builder.key(self._spec, implementation, trial, target)
            except (ValueError, LookupError) as error:  # a trial that does not fit its kernel costs only itself
                refused[trial.id] = f"{type(error).__name__}: {error}"
        folders = {key: str(builder.folder(key)) for key in set(keys.values()) if key is not None}
        return {"say": "keys", "keys": keys, "folders": folders, "refused": refused}

    def _toolchains(self, kind: str) -> dict[str, Any]:
        found, batches = [], {}
        for language in sorted({each.language for each in self._spec.kernel.implementations}):
            try:
                builder = self._builder(language, kind)
            except LookupError as error:
                found.append(Toolchain(language=language, available=False, reason=str(error.args[0])))
                continue
            found.append(builder.toolchain())
            batches[language] = builder.batch
        modules = sorted({name for each in self._spec.kernel.implementations for name in each.requires})
        found += [find_module(name) for name in modules]
        return {"say": "toolchains", "toolchains": [asdict(each) for each in found], "batches": batches}

    def _builder(self, language: str, kind: str) -> Builder:
        if (language, kind) not in self._builders:
            found = open_builder(language, self._cache, kind, self._spec.prefer_prebuilt)
            if kind == "gpu":
                from tunetui_agent.build.assembling import with_assembler

                found = with_assembler(found, language, kind, self._cache)
            self._builders[language, kind] = found
        return self._builders[language, kind]
