"""Builders that wait for a compiler to be found use the time: real builder processes, no GPU."""

from __future__ import annotations

import json
import os
import selectors
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import PATIENCE_SECONDS, spec, trial
from tunetui_agent.backlog import Backlog
from tunetui_agent.build_pool import BuildPool, BuildReports, jobs_of
from tunetui_agent.children import Child, Log, agent_command, agent_environment
from tunetui_agent.messages import Toolchain, decode_spec


class Pool:
    """A pool with all that it needs of a supervisor."""

    def __init__(self, folder: Path, language: str, architecture: str, trials: int) -> None:
        document = spec("r")
        for implementation in document["kernel"]["implementations"]:
            implementation["language"] = language
        document["architecture"] = architecture
        (folder / "spec.json").write_text(json.dumps(document))
        self.folder, self.selector = folder, selectors.DefaultSelector()
        self.children: list[Child] = []
        self.found: list[Toolchain] = []
        backlog = Backlog()
        backlog.add(trial(f"way {number}") for number in range(trials))
        reports = BuildReports(self.found.extend, lambda _: None, pytest.fail)
        self.pool = BuildPool(decode_spec(document), 4, backlog, self._spawn, reports)

    def _spawn(self, hear: Callable[[dict[str, Any]], None]) -> Child:
        command = agent_command(
            "builder", "--root", str(self.folder / "root"), "--spec", str(self.folder / "spec.json"),
            "--supervisor", str(os.getpid()),
        )  # fmt: skip
        self.children.append(Child(command, agent_environment(), self.selector, hear, Log(self.folder / "log")))
        return self.children[-1]

    def ask(self) -> None:
        self.pool.ask_toolchains("gpu")
        self.pool.get_ready("gpu")
        while not self.found:
            ready = self.selector.select(PATIENCE_SECONDS)
            assert ready, "no builder answered"
            for key, _ in ready:
                key.data()


@pytest.mark.parametrize(
    ("language", "architecture", "trials", "processes"),
    [("cuda", "sm_90", 3, 3), ("cuda", "sm_90", 99, 4), ("cuda", "sm_90", 0, 1), ("cuda", "", 3, 1), ("mojo", "sm_90", 3, 1)],
)  # fmt: skip
def test_as_many_builders_get_ready_as_will_compile_side_by_side(
    tmp_path: Path, language: str, architecture: str, trials: int, processes: int
) -> None:
    pool = Pool(tmp_path, language, architecture, trials)
    try:
        pool.ask()
        assert len(pool.children) == processes
        assert not pool.pool.busy  # getting ready is no job
        assert [child.exit_status() for child in pool.children] == [None] * processes
    finally:
        pool.pool.end()
        pool.pool.wait()


def test_a_builder_that_was_made_ready_answers_what_it_is_asked_next(tmp_path: Path) -> None:
    pool = Pool(tmp_path, "cuda", "sm_90", 2)
    try:
        pool.ask()
        asked = pool.children[1]
        told: list[dict[str, Any]] = []
        asked._on_message = told.append
        asked.send({"ask": "toolchains", "kind": "gpu"})
        while not told:
            for key, _ in pool.selector.select(PATIENCE_SECONDS):
                key.data()
        assert told[0]["say"] == "toolchains"
    finally:
        pool.pool.end()
        pool.pool.wait()


@pytest.mark.parametrize(("asked", "agents", "jobs"), [(0, 1, 15), (0, 2, 7), (0, 40, 1), (3, 2, 3)])
def test_the_agents_of_one_hosts_devices_share_its_cores(asked: int, agents: int, jobs: int) -> None:
    assert jobs_of(decode_spec({**spec("r"), "build_jobs": asked, "agents_on_host": agents}), cores=16) == jobs
