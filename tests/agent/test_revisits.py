"""Second visits by real agents on this CPU."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.agent.agent_runs import CLOSE, Host, children_of, enqueue, spec

KERNEL = """
import os
import numpy as np

def double(x, y, *, how):
    np.multiply(x, 2, out=y)
    if how.startswith("writes to "):
        with open(how.removeprefix("writes to "), "a") as file:
            print(os.getpid(), file=file)
    if how.startswith("is wrong beside ") and os.path.exists(how.removeprefix("is wrong beside ")):
        y[0] += 1
"""


def visiting(**method: Any) -> dict[str, Any]:
    run = spec("visits", **{"revisit_percent": 5.0, "min_samples": 6, **method})
    run["kernel"]["files"]["double.py"] = KERNEL
    return run


def stages(records: list[dict[str, Any]]) -> list[str]:
    return [each["stage"] for each in records if each["kind"] == "TrialMeasured"]


def test_rows_are_visited_again_after_the_sweep_by_another_process(host: Host) -> None:
    log = host.root / "pids"
    records = host.measure(visiting(), f"writes to {log}")
    assert stages(records) == ["sweep", *["revisit"] * 8]
    processes = [each["process"] for each in records if each["kind"] == "TrialMeasured"]
    assert processes[:2] == [0, 1], "a second visit says which fresh process made it"
    assert processes == sorted(processes)
    assert len(dict.fromkeys(log.read_text().split())) in {2, 3}, "one for the sweep, and one or two for what follows"
    assert not (host.root / "runs" / "visits" / "references").exists()
    assert records[-1]["reason"] == "done"


def test_finalists_are_raced_after_the_second_visits(host: Host) -> None:
    records = host.measure(visiting(finalists=4, finalists_seconds=0.5, max_samples=6), "a", "b")
    found = stages(records)
    assert found[:10] == ["sweep"] * 2 + ["revisit"] * 8
    assert set(found[10:]) <= {"finalists"}


def test_nothing_is_visited_again_where_nobody_asked_for_it(host: Host) -> None:
    assert stages(host.measure(visiting(revisit_percent=0.0), "a", "b")) == ["sweep", "sweep"]


def test_a_row_that_a_second_visit_finds_wrong_has_no_figure(host: Host) -> None:
    marker = host.root / "marker"
    host.start(visiting())
    follower = host.attach("visits")
    follower.send(enqueue(f"is wrong beside {marker}"))
    follower.until("TrialMeasured")
    marker.touch()
    follower.send(CLOSE)
    records = follower.records()
    (failed,) = [each for each in records if each["kind"] == "TrialFailed"]
    assert (failed["stage"], failed["status"]) == ("revisit", "wrong")
    assert stages(records) == []
    assert records[-1]["reason"] == "done"


def test_a_worker_killed_during_second_visits_costs_one_of_them(host: Host) -> None:
    pid = host.start(visiting(max_samples=6))["pid"]
    follower = host.attach("visits")
    follower.send(enqueue("a", "b", "c", "d"), CLOSE)
    follower.until(lambda line: line.get("kind") == "TrialStarted" and line["stage"] == "revisit")
    for worker in children_of(pid, "worker"):
        os.kill(worker, signal.SIGKILL)
    records = follower.records()
    assert stages(records).count("revisit") >= 7
    assert {each["stage"] for each in records if each["kind"] == "TrialFailed"} <= {"revisit"}
    assert records[-1]["reason"] == "done"


def test_a_run_whose_minutes_are_over_ends_though_nobody_asks_for_it(host: Host) -> None:
    assert host.start({**visiting(), "deadline_seconds": 0.5})["ok"]
    records = host.attach("visits").records()
    assert [each["code"] for each in records if each["kind"] == "NoticeRaised" and each["code"] == "deadline"] == [
        "deadline"
    ]
    assert records[-1]["reason"] == "stopped"
