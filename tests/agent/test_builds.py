"""Compilers at work for a run: batches, shared artifacts, variants that do not compile, and builders that die."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.agent.agent_runs import CLOSE, Host, children_of
from tests.agent.kernel_folders import KERNELS, QUICK, folder_spec, folder_trial
from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.messages import CancelRun, EnqueueTrials, RunSpec, Trial, encode_command

FOLDER = KERNELS / "row-sum"

pytestmark = pytest.mark.skipif(
    not find_toolchain().available, reason=f"the mojo extra is missing: {find_toolchain().reason}"
)


def row_sum(run: str) -> dict[str, Any]:
    spec: RunSpec = replace(folder_spec(FOLDER), run=run, method=QUICK)
    return asdict(spec)


def row_sum_trial(unroll: int | str, threads: int = 1) -> Trial:
    trial = folder_trial(FOLDER, "mojo", {"rows": 37, "columns": 50}, {"unroll": unroll, "threads": threads})
    return replace(trial, id=f"{unroll} {threads}")


def outcomes(records: list[dict[str, Any]]) -> dict[tuple[Any, Any], dict[str, Any]]:
    kinds = ("TrialMeasured", "TrialFailed")
    found = [record for record in records if record["kind"] in kinds]
    return {
        (each["trial"]["configuration"]["unroll"], each["trial"]["configuration"]["threads"]): each for each in found
    }


def test_a_batch_is_built_once_and_a_bad_variant_costs_only_itself(host: Host) -> None:
    host.start(row_sum("r"))
    follower = host.attach("r")
    trials = [row_sum_trial(1), row_sum_trial("many"), row_sum_trial(1, threads=2)]
    follower.send(encode_command(EnqueueTrials(command="e", trials=trials)), CLOSE)
    records = follower.records()
    (batch,) = [record["artifacts"] for record in records if record["kind"] == "BuildStarted"]
    built = {record["artifact"]: record for record in records if record["kind"] == "BuildFinished"}
    assert set(built) == set(batch)
    assert len(batch) == 2, "threads share a build"
    found = outcomes(records)
    assert found[1, 1]["artifact"] == found[1, 2]["artifact"]
    assert found[1, 1]["build_seconds"] == built[found[1, 1]["artifact"]]["seconds"] > 0
    bad = found["many", 1]
    assert (bad["status"], bad["detail"]) == ("build_failed", built[bad["artifact"]]["log"])
    assert bad["detail"].strip().startswith(bad["cause"])


def test_when_a_builder_dies_its_batch_is_built_one_by_one(host: Host) -> None:
    pid = host.start(row_sum("r"))["pid"]
    follower = host.attach("r")
    follower.send(encode_command(EnqueueTrials(command="e", trials=[row_sum_trial(1), row_sum_trial(2)])))
    batch = follower.until("BuildStarted")["artifacts"]
    assert len(batch) == 2
    for alone in batch:
        for builder in children_of(pid, "builder"):
            os.kill(builder, signal.SIGKILL)
        assert follower.until("BuildStarted")["artifacts"] == [alone]
    follower.send(encode_command(CancelRun(command="c")))
    records = follower.records()
    assert records[-1]["reason"] == "cancelled"


def test_an_artifact_whose_builder_dies_fails_with_what_happened(host: Host) -> None:
    pid = host.start(row_sum("r"))["pid"]
    follower = host.attach("r")
    follower.send(encode_command(EnqueueTrials(command="e", trials=[row_sum_trial(1)])), CLOSE)
    follower.until("BuildStarted")
    for builder in children_of(pid, "builder"):
        os.kill(builder, signal.SIGKILL)
    records = follower.records()
    (failed,) = outcomes(records).values()
    assert failed["status"] == "build_failed"
    assert "killed by SIGKILL" in failed["cause"]
    assert records[-1]["reason"] == "done"
