"""Builds trials for architectures that need not be here, and writes what was built into one bundle."""

from __future__ import annotations

import json
import os
import selectors
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunetui_agent import __version__
from tunetui_agent.backlog import Backlog
from tunetui_agent.build import Target
from tunetui_agent.build.cache import ArtifactCache
from tunetui_agent.build.cuda import traced_key
from tunetui_agent.build_pool import BuildPool, BuildReports
from tunetui_agent.bundle import BundleWriter, Manifest, one_line
from tunetui_agent.children import Child, Log, agent_command, agent_environment
from tunetui_agent.folder import FolderError, HostFolder, is_disk_full
from tunetui_agent.lifeline import read_trials
from tunetui_agent.messages import BuildFinished, RunSpec, Toolchain, Trial, decode_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunetui_agent.backlog import Entry
    from tunetui_agent.messages import BuildStarted

_LOOK_SECONDS = 0.2


def pack(host: HostFolder, output: Path, jobs: int, say: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Builds what the one line on stdin asks for; the answer, after progress through ``say``.

    The line is ``{"spec": RunSpec, "architectures": [...], "trials": [Trial, ...]}``; then stdin must stay open for as
    long as somebody wants the bundle.

    Raises:
        FolderError: "request", "builders", "abandoned", "disk-full", "folder".
    """
    host.prepare()
    spec, architectures, trials = _request(sys.stdin.buffer.readline())
    try:
        with tempfile.TemporaryDirectory(prefix="tunetui-pack-", ignore_cleanup_errors=True) as name:
            return Packing(host.root, Path(name), spec, trials, say).run(output, architectures, jobs)
    except OSError as error:
        code = "disk-full" if is_disk_full(error) else "folder"
        raise FolderError(code, f"{output}: {error.strerror or error}") from None


class Packing:
    """One bundle from its request to its file."""

    def __init__(
        self, root: Path, folder: Path, spec: RunSpec, trials: list[Trial], say: Callable[[dict[str, Any]], None]
    ) -> None:
        self._root, self._folder, self._spec, self._trials, self._say = root, folder, spec, trials, say
        self._cache = ArtifactCache(root)
        self._languages = {each.name: each.language for each in spec.kernel.implementations}
        self._versions: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._causes: dict[str, str] = {}
        self._failures: list[dict[str, str]] = []
        self._built = self._cached = 0
        (folder / "spec.json").write_text(json.dumps(asdict(spec)))

    def run(self, output: Path, architectures: list[str], jobs: int) -> dict[str, Any]:
        """Builds for one architecture after the other."""
        bundle = BundleWriter(output)
        try:
            for architecture in architectures:
                self._build(bundle, architecture, jobs)
            used = {self._languages[name] for name in self._counts}
            manifest = Manifest(
                kernel=self._spec.kernel.name,
                tunetui=__version__,
                languages={language: self._versions[language] for language in sorted(used)},
                architectures=architectures,
                counts=self._counts,
                failures=self._causes,
            )
            answer = {**asdict(manifest), "failures": self._failures, "built": self._built, "cached": self._cached}
            if not self._built:
                return {"ok": False, "error": "nothing-built", "text": "nothing could be built", **answer}
            bundle.close(manifest)
            return {"ok": True, **answer, "bytes": output.stat().st_size}
        finally:
            bundle.discard()

    def _build(self, bundle: BundleWriter, architecture: str, jobs: int) -> None:
        backlog, selector = Backlog(), selectors.DefaultSelector()
        backlog.add(self._trials)

        def on_toolchains(found: list[Toolchain]) -> None:
            self._versions.update({each.language: each.version for each in found if each.available})
            pool.set_target(asdict(Target("gpu", architecture)))

        pool = BuildPool(
            self._spec,
            jobs or os.cpu_count() or 1,
            backlog,
            lambda hear: self._spawn(selector, hear),
            BuildReports(toolchains=on_toolchains, happened=self._count_cached, unusable=_unusable),
        )
        selector.register(0, selectors.EVENT_READ, _end_if_abandoned)
        try:
            pool.ask_toolchains("gpu")
            pool.get_ready("gpu")
            while len(backlog):
                pool.advance()
                for key, _ in selector.select(_LOOK_SECONDS):
                    key.data()
                pool.look_at_children()
                pool.look_at_clock()
                self._take(bundle, architecture, backlog)
        finally:
            pool.end()
            pool.wait()
            selector.close()

    def _take(self, bundle: BundleWriter, architecture: str, backlog: Backlog) -> None:
        """What became of trials since the last look."""
        before = self._built + len(self._failures)
        while entry := backlog.take_ready(in_order=False):
            self._keep(bundle, architecture, entry)
        for entry in backlog.take_refused():
            _, cause, detail = entry.refusal or ("", "", "")
            self._failed(architecture, entry, cause, detail)
        if self._built + len(self._failures) > before:
            self._say({
                "say": "progress", "architecture": architecture,
                "built": self._built, "failed": len(self._failures),
            })  # fmt: skip

    def _count_cached(self, event: BuildStarted | BuildFinished) -> None:
        if isinstance(event, BuildFinished) and event.cached:
            self._cached += 1

    def _keep(self, bundle: BundleWriter, architecture: str, entry: Entry) -> None:
        if entry.artifact is None:  # nothing to build: a language that is not compiled
            return
        if not bundle.add(self._cache, entry.artifact):
            self._failed(architecture, entry, "the artifact was removed from the cache before it was bundled", "")
            return
        bundle.add(self._cache, traced_key(entry.artifact))
        name = entry.trial.implementation
        self._counts[name] = self._counts.get(name, 0) + 1
        self._built += 1

    def _failed(self, architecture: str, entry: Entry, cause: str, detail: str) -> None:
        self._failures.append({
            "trial": entry.trial.id, "architecture": architecture, "cause": one_line(cause), "detail": detail[-4000:],
        })  # fmt: skip
        if entry.artifact:
            self._causes[entry.artifact] = one_line(cause)

    def _spawn(self, selector: selectors.BaseSelector, hear: Callable[[dict[str, Any]], None]) -> Child:
        arguments = ["builder", "--root", str(self._root), "--spec", str(self._folder / "spec.json")]
        command = agent_command(*arguments, "--supervisor", str(os.getpid()))
        # What killed compilers leave goes with the folder.
        return Child(
            command,
            {**agent_environment(), "TMPDIR": str(self._folder)},
            selector,
            hear,
            Log(self._folder / "builders.log"),
        )


def _request(line: bytes) -> tuple[RunSpec, list[str], list[Trial]]:
    try:
        asked = json.loads(line)
        architectures = [str(each) for each in asked["architectures"]]
        return decode_spec(asked["spec"]), architectures, read_trials(asked["trials"])
    except (ValueError, KeyError, TypeError) as error:
        raise FolderError("request", f"the request cannot be understood: {type(error).__name__}: {error}") from None


def _unusable(why: str) -> None:
    raise FolderError("builders", why)


def _end_if_abandoned() -> None:
    if not os.read(0, 4096):
        raise FolderError("abandoned", "whoever asked is gone")
