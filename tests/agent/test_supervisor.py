"""Kernels that misbehave, commands that end runs, and what the journal says of both: real processes throughout."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import CLOSE, Host, children_of, enqueue, spec, trial, wait_for_death
from tunetui_agent.messages import CancelRun, EnqueueTrials, StopRun, encode_command

HOWS = (
    "works", "segfaults", "exits", "raises", "prints", "reads", "gives nan", "writes nothing", "hangs",
    "breaks the next", "is the next",
)  # fmt: skip


HANGS = 'while how == "hangs":'
LATER = """
import os, runpy, time
clock = time.monotonic
time.monotonic = lambda: clock() + 10_000.0 * os.path.exists({mark!r})
runpy.run_module("tunetui_agent", run_name="__main__", alter_sys=True)
"""
"""The agent's command line, whose clock is hours ahead from when a kernel makes a mark."""


@pytest.fixture(scope="module")
def records(shared_host: Host) -> list[dict[str, Any]]:
    """One run of all sorts of kernels, one after the other in the same worker as long as it lives.

    Its limit is one that only the kernel that hangs exceeds, on whatever machine: hours pass once that one does.
    """
    run, mark = spec("all", ceilings="measured", trial_timeout_seconds=3600.0), str(shared_host.root.parent / "mark")
    source = run["kernel"]["files"]["double.py"]
    assert HANGS in source
    run["kernel"]["files"]["double.py"] = source.replace(
        HANGS, f'if how == "hangs":\n        open({mark!r}, "w").close()\n    {HANGS}'
    )
    assert Host(shared_host.root, (sys.executable, "-c", LATER.format(mark=mark))).start(run)["ok"]
    follower = shared_host.attach(run["run"])
    follower.send(enqueue(*HOWS), CLOSE)
    return follower.records()


def outcome(records: list[dict[str, Any]], how: str) -> dict[str, Any]:
    kinds = ("TrialMeasured", "TrialFailed")
    (found,) = [each for each in records if each["kind"] in kinds and each["trial"]["configuration"]["how"] == how]
    return found


def started(records: list[dict[str, Any]], how: str) -> int:
    return sum(each["kind"] == "TrialStarted" and each["trial"]["configuration"]["how"] == how for each in records)


def test_every_trial_has_one_outcome_and_the_run_ends_in_order(records: list[dict[str, Any]]) -> None:
    assert [outcome(records, how)["trial"]["id"] for how in HOWS] == [f"numpy {how}" for how in HOWS]
    assert (records[-1]["kind"], records[-1]["reason"]) == ("RunEnded", "done")
    assert [record["seq"] for record in records] == list(range(len(records)))


@pytest.mark.parametrize("how", ["works", "prints", "breaks the next"])
def test_a_kernel_that_computes_the_right_thing_is_measured(records: list[dict[str, Any]], how: str) -> None:
    found = outcome(records, how)
    assert found["kind"] == "TrialMeasured"
    assert len(found["samples_ns"]) >= 5
    assert min(found["samples_ns"]) > 0


@pytest.mark.parametrize(
    ("how", "status", "cause"),
    [
        ("segfaults", "crashed", "killed by SIGSEGV"),
        ("exits", "crashed", "exited with status 7"),
        ("raises", "errored", "not today"),
        ("gives nan", "wrong", ""),
        ("writes nothing", "wrong", ""),
        ("hangs", "timed_out", "took longer than 3600 s"),
    ],
)
def test_a_kernel_that_misbehaves_costs_its_own_trial(
    records: list[dict[str, Any]], how: str, status: str, cause: str
) -> None:
    found = outcome(records, how)
    assert (found["kind"], found["status"]) == ("TrialFailed", status)
    assert cause in found["cause"]
    assert found["cause"]


def test_a_crash_leaves_its_stack(records: list[dict[str, Any]]) -> None:
    assert "in double" in outcome(records, "segfaults")["detail"]


def test_what_a_kernel_prints_is_in_the_log_and_not_in_the_journal(
    records: list[dict[str, Any]], shared_host: Host
) -> None:
    assert outcome(records, "prints")["kind"] == "TrialMeasured"
    run = shared_host.folder.run("all")
    assert b"some noise" in run.stderr.read_bytes()
    assert b"some noise" not in run.journal.read_bytes()


def test_a_kernel_that_reads_standard_input_finds_it_empty(records: list[dict[str, Any]]) -> None:
    assert outcome(records, "reads")["kind"] == "TrialMeasured"


def test_a_crash_in_a_worker_that_another_kernel_may_have_broken_is_tried_once_more(
    records: list[dict[str, Any]],
) -> None:
    assert started(records, "is the next") == 2
    assert outcome(records, "is the next")["kind"] == "TrialMeasured"


def test_a_crash_in_a_fresh_worker_is_the_kernels_own(records: list[dict[str, Any]]) -> None:
    assert started(records, "exits") == 1, "the worker before it had just been replaced"


def test_the_device_is_described_before_the_first_trial(records: list[dict[str, Any]]) -> None:
    kinds = [record["kind"] for record in records]
    assert kinds.index("DeviceFound") < kinds.index("TrialStarted")
    found = records[kinds.index("DeviceFound")]
    assert found["device"]["id"] == "cpu"
    assert [(each["language"], each["available"]) for each in found["toolchains"]] == [("python", True)]


def test_what_the_device_can_do_is_measured_once_and_said_before_the_first_figure(
    records: list[dict[str, Any]],
) -> None:
    kinds = [record["kind"] for record in records]
    assert kinds.count("CeilingsMeasured") == 1, "though several workers followed each other"
    said = kinds.index("CeilingsMeasured")
    assert kinds.index("TrialStarted") < said < kinds.index("TrialMeasured")
    assert records[said]["figures"]["ceiling_read_gb_per_s"] > 0


def test_what_the_device_can_do_is_not_measured_where_nobody_asks_for_it(host: Host) -> None:
    (found,) = [each for each in host.measure(spec("r"), "works") if each["kind"] == "CeilingsMeasured"]
    assert found["figures"] == {"ceiling_reason": "n/a: method.ceilings is none"}


def test_the_host_is_watched_while_trials_run(records: list[dict[str, Any]]) -> None:
    sampled = [record["figures"] for record in records if record["kind"] == "TelemetrySampled"]
    assert sampled
    assert all(figures["load_average_1m"] >= 0 for figures in sampled)


def test_a_worker_killed_from_outside_costs_one_trial(host: Host) -> None:
    pid = host.start(spec("r"))["pid"]
    follower = host.attach("r")
    follower.send(enqueue("hangs", "works"), CLOSE)
    follower.until("TrialStarted")
    (worker,) = children_of(pid, "worker")
    os.kill(worker, signal.SIGKILL)
    records = follower.records()
    assert outcome(records, "hangs")["status"] == "crashed"
    assert "killed by SIGKILL" in outcome(records, "hangs")["cause"]
    assert outcome(records, "works")["kind"] == "TrialMeasured"


def test_a_stop_finishes_the_present_trial(host: Host) -> None:
    host.start(spec("r", max_samples=20, max_seconds=60.0))
    follower = host.attach("r")
    follower.send(enqueue("is slow", "works"))
    follower.until("TrialStarted")
    follower.send(encode_command(StopRun(command="stop")))
    records = follower.records()
    assert outcome(records, "is slow")["kind"] == "TrialMeasured"
    assert started(records, "works") == 0
    assert records[-1]["reason"] == "stopped"


def test_a_term_signal_is_a_stop(host: Host) -> None:
    pid = host.start(spec("r"))["pid"]
    os.kill(pid, signal.SIGTERM)
    assert host.attach("r").until("RunEnded")["reason"] == "stopped"


def test_a_cancel_ends_a_hanging_kernel_at_once(host: Host) -> None:
    pid = host.start(spec("r", trial_timeout_seconds=600.0))["pid"]
    follower = host.attach("r")
    follower.send(enqueue("hangs"))
    follower.until("TrialStarted")
    (worker,) = children_of(pid, "worker")
    follower.send(encode_command(CancelRun(command="cancel")))
    records = follower.records()
    wait_for_death(worker)
    assert records[-1]["reason"] == "cancelled"
    assert [record["kind"] for record in records if record["kind"].startswith("Trial")] == []


def test_a_run_can_be_stopped_without_following_it(host: Host) -> None:
    host.start(spec("r"))
    assert host.ask("stop", "--run", "r") == {"ok": True, "run": "r", "state": "running"}
    assert host.attach("r").until("RunEnded")["reason"] == "stopped"
    assert host.ask("stop", "--run", "r")["state"] == "done"
    assert host.ask("stop", "--run", "nowhere")["error"] == "no-such-run"


def test_an_implementation_that_the_kernel_lacks_is_unsupported(host: Host) -> None:
    host.start(spec("r"))
    follower = host.attach("r")
    unknown = EnqueueTrials(command="e", trials=[trial("works", implementation="fortran"), trial("works")])
    follower.send(encode_command(unknown), CLOSE)
    records = follower.records()
    (failed,) = [record for record in records if record["kind"] == "TrialFailed"]
    assert failed["status"] == "unsupported"
    assert "fortran" in failed["cause"]
    assert sum(record["kind"] == "TrialMeasured" for record in records) == 1


def test_an_unknown_device_ends_the_run_with_its_reason(host: Host) -> None:
    host.start({**spec("r"), "device": "GPU-none"})
    end = host.attach("r").until("RunEnded")
    assert end["reason"] == "failed"
    assert "GPU-none" in end["detail"]


def test_a_host_without_numpy_is_told_what_to_install(tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "src"
    bare = Host(tmp_path / "host", (sys.executable, "-S", "-m", "tunetui_agent"))
    try:
        assert bare.start(spec("r"), env={**os.environ, "PYTHONPATH": str(source)}, cwd=source)["ok"]
        end = bare.attach("r", cwd=source).until("RunEnded")
    finally:
        bare.end()
    assert (end["reason"], end["detail"]) == ("failed", "numpy is missing: pip install numpy")


def test_a_journal_that_cannot_grow_ends_the_run_and_says_so(host: Host) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))

    assert host.start(spec("r"), preexec_fn=limit)["ok"]
    follower = host.attach("r")
    follower.send(*(encode_command(EnqueueTrials(command=f"c{number}", trials=[])) for number in range(1000)))
    records = follower.records()
    assert [record["seq"] for record in records] == list(range(len(records))), "a torn line is left out"
    assert records[-1]["reason"] == "failed"
    assert records[-1]["detail"].startswith("disk full")
    assert host.folder.run("r").journal.stat().st_size < 21_000
    assert host.state("r") == "done"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(folder)]
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True).returncode == 0:
            yield folder
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
            return
    pytest.skip("mounting a small disk is not allowed here")


def test_a_full_disk_ends_the_run_and_can_still_be_followed_and_commanded(small_disk: Path) -> None:
    host = Host(small_disk / "host")
    try:
        host.start(spec("r"))
        follower = host.attach("r")
        follower.until("DeviceFound")
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        follower.send(*(enqueue("works", command=f"c{number}") for number in range(200)))
        records = follower.records()
        assert sum(record["kind"] == "CommandAccepted" for record in records) > 1, "the doorbell took them"
        assert records[-1]["reason"] == "failed"
        assert records[-1]["detail"].startswith("disk full")
        assert host.state("r") == "done"
        assert host.start(spec("next"))["error"] == "disk-full"
    finally:
        host.end()


def test_a_kernel_that_no_compiler_takes_fails_to_build_and_others_go_on(host: Host) -> None:
    run = spec("r")
    run["kernel"]["implementations"].append({
        "name": "broken",
        "language": "mojo",
        "source": "broken.mojo",
        "launches": [{"entry": "double", "arguments": ["x", "y"]}],
    })  # fmt: skip
    run["kernel"]["files"]["broken.mojo"] = "def double(:\n"
    host.start(run)
    follower = host.attach("r")
    both = EnqueueTrials(command="e", trials=[trial("works", implementation="broken"), trial("works")])
    follower.send(encode_command(both), CLOSE)
    records = follower.records()
    (failed,) = [record for record in records if record["kind"] == "TrialFailed"]
    (found,) = [record for record in records if record["kind"] == "DeviceFound"]
    (mojo,) = [each for each in found["toolchains"] if each["language"] == "mojo"]
    if mojo["available"]:
        assert failed["status"] == "build_failed"
        assert failed["artifact"]
        assert [r["artifact"] for r in records if r["kind"] == "BuildFinished" and not r["ok"]] == [failed["artifact"]]
    else:
        assert (failed["status"], failed["cause"]) == ("unsupported", mojo["reason"])
    kinds = [record["kind"] for record in records]
    measuring = kinds[kinds.index("TrialStarted") : kinds.index("TrialMeasured")]
    assert not {"BuildStarted", "BuildFinished"} & set(measuring), "a compiler beside a CPU measurement is noise"
    assert sum(record["kind"] == "TrialMeasured" for record in records) == 1
