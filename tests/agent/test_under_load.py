"""Kernels run without a break: what is counted, what is found wrong, and what becomes of it; on this CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import CLOSE, Host, enqueue, spec, trial
from tests.agent.kernel_folders import double_spec, double_trial
from tunetui_agent.backlog import Entry
from tunetui_agent.devices import OpenDevice, open_device
from tunetui_agent.devices.host_load import temperature_c
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.finalists import Standing
from tunetui_agent.leaders import WINNERS, Leaders
from tunetui_agent.messages import StopRun, encode_command
from tunetui_agent.reliability import (
    BIN_WIDTH,
    RELIABILITY,
    Reliability,
    ReliabilityEnded,
    ReliabilitySampled,
    bin_ends_ns,
    bin_of,
)
from tunetui_agent.under_load import ENOUGH_WRONG, FAILURES_IN_A_ROW, UnderLoad

COUNTING = """
import itertools
import numpy as np

calls = itertools.count()

def double(x, y, *, unroll):
    number = next(calls)
    np.multiply(x, 2, out=y)
"""


@pytest.fixture(scope="module")
def device() -> OpenDevice:
    return open_device("cpu")


def load(
    device: OpenDevice,
    more: str = "",
    *,
    seconds: float = 300.0,
    verify_every: int = 0,
    asked_to_end: Callable[[], bool] = lambda: False,
) -> tuple[list[ReliabilitySampled], ReliabilityEnded]:
    """A run under load of the doubling kernel with further lines at its end."""
    source = COUNTING + "".join(f"    {line}\n" for line in more.splitlines())
    run = replace(double_spec(source), reliability=Reliability(seconds=seconds, verify_every=verify_every))
    said: list[Any] = []
    UnderLoad(run, device, Evaluator(run, device), said.append, asked_to_end).run(double_trial(), None)
    *stretches, ended = [each for each in said if each is not None]
    return stretches, ended


def total(stretches: list[ReliabilitySampled], name: str) -> Any:
    return sum(getattr(each, name) for each in stretches)


def test_a_kernel_runs_for_the_time_asked_and_its_executions_are_timed_and_verified(device: OpenDevice) -> None:
    stretches, ended = load(device, seconds=0.3)
    assert (ended.reason, ended.cause, ended.errors) == ("done", "", 0)
    timed = sum(sum(each.counts) for each in stretches)
    assert 0 < timed < total(stretches, "executions")
    assert stretches[-1].seconds >= 0.3
    assert total(stretches, "verified") >= 1
    assert (total(stretches, "wrong"), total(stretches, "errors")) == (0, 0)
    worst = max(each.worst_ns for each in stretches)
    low, high = bin_ends_ns(max(each.bins[-1] for each in stretches if each.bins))
    assert low <= worst < high
    assert all("load_average_1m" in each.telemetry for each in stretches)


def test_every_nth_result_is_verified_where_that_is_asked(device: OpenDevice) -> None:
    stretches, _ = load(device, seconds=0.2, verify_every=4)
    executions, verified = total(stretches, "executions"), total(stretches, "verified")
    assert executions // 4 <= verified <= executions // 4 + 2
    stretches, _ = load(device, seconds=0.2, verify_every=2)
    assert total(stretches, "verified") * 2 == pytest.approx(total(stretches, "executions"), abs=2)


def test_somebody_who_asks_for_the_end_gets_what_there_is(device: OpenDevice) -> None:
    answers = iter([False, False, True, True, True])
    stretches, ended = load(device, asked_to_end=lambda: next(answers))
    assert ended.reason == "stopped"
    assert total(stretches, "verified") >= 1
    assert total(stretches, "executions") > 1


def test_a_result_that_goes_wrong_later_is_found_and_enough_of_them_end_the_run(device: OpenDevice) -> None:
    stretches, ended = load(device, "if number > 300: y[0] += 1", verify_every=10)
    assert (ended.reason, ended.cause) == ("failed", f"{ENOUGH_WRONG} wrong results")
    assert total(stretches, "wrong") == ENOUGH_WRONG
    assert [cause[:6] for each in stretches for cause in each.causes][:1] == ["wrong:"]


def test_a_kernel_that_writes_to_its_input_is_found_and_others_get_theirs_anew(device: OpenDevice) -> None:
    stretches, ended = load(device, "if number > 300: x[0] = 7", verify_every=10)
    assert ended.reason == "failed"
    assert "wrong: changed its input 'x'" in [cause for each in stretches for cause in each.causes]


def test_errors_now_and_then_are_counted_and_do_not_end_the_run_before_there_are_many(
    device: OpenDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunetui_agent.under_load.ENOUGH_ERRORS", 12)  # after each the kernel is prepared anew
    stretches, ended = load(device, "if number % 50 == 49: raise RuntimeError('not today')")
    assert (ended.reason, ended.cause) == ("failed", "12 errors")
    assert total(stretches, "errors") == 12 > FAILURES_IN_A_ROW
    assert [cause for each in stretches for cause in each.causes] == ["errored: RuntimeError: not today"]
    assert sum(sum(each.counts) for each in stretches) > 0, "what is right between them is timed"


def test_a_kernel_that_fails_every_time_is_given_up_soon(device: OpenDevice) -> None:
    stretches, ended = load(device, "if number > 300: raise RuntimeError('not any more')")
    assert (ended.reason, ended.cause) == ("failed", f"{FAILURES_IN_A_ROW} failures in a row")
    assert total(stretches, "errors") == FAILURES_IN_A_ROW


def test_a_kernel_that_cannot_be_prepared_is_an_error_of_the_run_under_load(device: OpenDevice) -> None:
    stretches, ended = load(device, "raise RuntimeError('never')")
    assert (ended.reason, ended.cause) == ("failed", "errored: RuntimeError: never")
    assert (total(stretches, "errors"), total(stretches, "executions")) == (1, 0)


def test_a_bin_holds_the_times_that_are_put_into_it() -> None:
    for nanoseconds in (1.0, 999.0, 18_000.0, 5e6, 7e11):
        low, high = bin_ends_ns(bin_of(nanoseconds))
        assert low <= nanoseconds * (1 + 1e-9)
        assert nanoseconds < high * (1 + 1e-9)
        assert high / low == pytest.approx(1 + BIN_WIDTH)


def test_temperatures_are_of_cpus_alone_and_none_where_no_driver_tells(tmp_path: Path) -> None:
    assert temperature_c(tmp_path) is None
    for number, (name, value) in enumerate([("nvme", "90000"), ("coretemp", "61000"), ("k10temp", "torn")]):
        (tmp_path / f"hwmon{number}").mkdir()
        (tmp_path / f"hwmon{number}" / "name").write_text(f"{name}\n")
        (tmp_path / f"hwmon{number}" / "temp1_input").write_text(f"{value}\n")
    assert temperature_c(tmp_path) == 61.0


# ---------------------------------------------------------------------------------- whose turn it is


def standing(number: int, median: float, implementation: str = "cuda", n: int = 64) -> Standing:
    its = replace(double_trial(), id=f"{number:016x}", implementation=implementation, problem={"n": n})
    return Standing(its, median, median, median)


def winners(leaders: Leaders) -> list[int]:
    found = []
    while (group := leaders.next_group()) is not None:
        (winner,) = group[1]
        leaders.examined(group[0], [winner.trial])
        found.append(int(winner.trial.id, 16))
    return found


def test_the_fastest_of_each_problem_is_run_whatever_its_implementation_is() -> None:
    leaders = Leaders({RELIABILITY: WINNERS})
    for each in (standing(1, 20.0), standing(2, 10.0, "mojo"), standing(3, 5.0, n=128)):
        leaders.saw(each, Entry(each.trial), is_new=True)
    assert winners(leaders) == [2, 3]
    leaders.saw(standing(4, 8.0), Entry(standing(4, 8.0).trial), is_new=True)
    assert winners(leaders) == [4], "it leads now"


def test_a_winner_that_was_run_in_an_earlier_start_is_not_run_again() -> None:
    leaders = Leaders({RELIABILITY: WINNERS})
    leaders.knew(standing(1, 20.0), is_loaded=True)
    leaders.knew(standing(2, 30.0, n=128), is_loaded=False)
    assert winners(leaders) == [2]


def test_winners_of_problems_that_another_device_races_are_run_there() -> None:
    leaders = Leaders({RELIABILITY: WINNERS})
    for each in (standing(1, 20.0), standing(2, 5.0, n=128)):
        leaders.saw(each, Entry(each.trial), is_new=True)
    leaders.win_only({'{"n": 128}'})
    assert winners(leaders) == [2]


# ---------------------------------------------------------------------------------- with a real agent


LATER = """
import ctypes, sys
import numpy as np

sys.calls = 0

def double(x, y, *, how):
    sys.calls += 1
    np.multiply(x, 2, out=y)
    if sys.calls > 200 and how == "is wrong later":
        y[0] += 1
    if sys.calls > 200 and how == "crashes later":
        ctypes.string_at(0)
    for _ in range(50 if how == "slow" else 0):
        np.multiply(x, 2, out=y)
"""


def loaded(seconds: float = 300.0, verify_every: int = 0) -> dict[str, Any]:
    run = spec("load")
    run["kernel"]["files"]["double.py"] = LATER
    return {**run, "reliability": {"seconds": seconds, "verify_every": verify_every}}


def kinds(records: list[dict[str, Any]]) -> list[str]:
    wanted = {"TrialMeasured", "TrialFailed", "ReliabilityEnded"}
    return [record["kind"] for record in records if record["kind"] in wanted]


def test_a_winner_that_turns_out_wrong_loses_its_figure_and_the_next_is_run(host: Host) -> None:
    records = host.measure(loaded(0.5, verify_every=10), "is wrong later", "slow")
    assert kinds(records)[2:] == ["ReliabilityEnded", "TrialFailed", "ReliabilityEnded"]
    failed = next(each for each in records if each["kind"] == "TrialFailed")
    assert (failed["status"], failed["stage"]) == ("wrong", "reliability")
    assert failed["cause"].startswith("under load, within ")
    ended = [each for each in records if each["kind"] == "ReliabilityEnded"]
    assert [(each["trial"], each["reason"]) for each in ended] == [
        (trial("is wrong later").id, "failed"), (trial("slow").id, "done"),
    ]  # fmt: skip
    assert records[-1]["reason"] == "done"


def test_a_winner_that_crashes_under_load_has_an_error_and_keeps_its_figure(host: Host) -> None:
    records = host.measure(loaded(), "crashes later")
    (ended,) = [each for each in records if each["kind"] == "ReliabilityEnded"]
    assert (ended["reason"], ended["errors"]) == ("failed", 1)
    assert "SIGSEGV" in ended["cause"] or "signal" in ended["cause"]
    assert "TrialFailed" not in kinds(records)


def test_a_stop_ends_a_run_under_load_with_what_it_has(host: Host) -> None:
    host.start(loaded())
    follower = host.attach("load")
    follower.send(enqueue("fine"), CLOSE)
    follower.until("ReliabilitySampled")
    follower.send(encode_command(StopRun(command="enough")))
    ended = follower.until("ReliabilityEnded")
    assert (ended["reason"], ended["cause"]) == ("stopped", "somebody asked for the end")
    assert follower.until("RunEnded")["reason"] == "stopped"
