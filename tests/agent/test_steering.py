"""A run that is steered while it goes on: real agents, and what their journals say of each command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import CLOSE, Follower, Host, enqueue, spec, trial
from tunetui_agent.messages import (
    CloseQueue,
    ConsiderFinalists,
    Contender,
    PauseRun,
    PinTrials,
    RaceFinalistsNow,
    RemeasureTrial,
    RequeueTrials,
    ResumeRun,
    SkipTrials,
    WithdrawTrials,
    encode_command,
)

PAUSE, RESUME = encode_command(PauseRun(command="pause")), encode_command(ResumeRun(command="resume"))
SLOW = [f"is slow {number}" for number in range(6)]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path / "host")
    yield found
    found.end()


def ids(*hows: str) -> list[str]:
    return [trial(how).id for how in hows]


def outcomes(records: list[dict[str, Any]], stage: str = "sweep") -> list[str]:
    """What was measured or failed in this stage, in order."""
    kinds = ("TrialMeasured", "TrialFailed")
    return [each["trial"]["id"] for each in records if each["kind"] in kinds and each["stage"] == stage]


def paused_run(host: Host, *hows: str, **method: Any) -> Follower:
    """A run that holds these trials and measures none of them yet."""
    assert host.start(spec("run", **method))["ok"]
    follower = host.attach("run")
    follower.send(PAUSE, enqueue(*hows))
    follower.until("MeasuringPaused")
    follower.until(lambda line: line.get("command") == "enqueue")
    return follower


def test_a_paused_run_begins_nothing_until_it_is_resumed(host: Host) -> None:
    follower = paused_run(host, "a", "b")
    follower.send(CLOSE, encode_command(PauseRun(command="again")))
    follower.until(lambda line: line.get("command") == "again")
    seen = b"".join(follower.raw)
    assert b'"TrialStarted"' not in seen
    assert seen.count(b'"MeasuringPaused"') == 1
    follower.send(RESUME)
    records = follower.records()
    assert "MeasuringResumed" in [each["kind"] for each in records]
    assert outcomes(records) == ids("a", "b")
    assert records[-1]["reason"] == "done"


def test_a_pause_lets_the_present_trial_finish(host: Host) -> None:
    host.start(spec("run"))
    follower = host.attach("run")
    follower.send(enqueue("is slow", "a"))
    follower.until("TrialStarted")
    follower.send(PAUSE)
    follower.until("MeasuringPaused")
    assert follower.until("TrialMeasured")["trial"]["id"] == "numpy is slow"
    follower.send(CLOSE, RESUME)
    assert outcomes(follower.records()) == ids("a")


def test_skipped_trials_are_not_measured_and_stay_skipped_when_they_are_sent_again(host: Host) -> None:
    follower = paused_run(host, "a", "b", "c")
    follower.send(encode_command(SkipTrials(command="skip", trials=[*ids("b", "never heard of")])))
    assert follower.until("TrialsSkipped")["trials"] == ids("b")
    follower.send(enqueue("b", command="once more"), CLOSE, RESUME)
    assert outcomes(follower.records()) == ids("a", "c")


def test_the_trial_on_the_device_can_be_skipped_even_if_it_hangs(host: Host) -> None:
    host.start(spec("run"))
    follower = host.attach("run")
    follower.send(enqueue("hangs", "a"), CLOSE)
    follower.until("TrialStarted")
    follower.send(encode_command(SkipTrials(command="skip", trials=ids("hangs"))))
    assert follower.until("TrialsSkipped")["trials"] == ids("hangs")
    records = follower.records()
    assert outcomes(records) == ids("a")
    assert records[-1]["reason"] == "done"


def test_a_requeued_trial_is_measured_again_once_for_each_command(host: Host) -> None:
    host.start(spec("run"))
    follower = host.attach("run")
    follower.send(enqueue("a"))
    follower.until("TrialMeasured")
    again = encode_command(RequeueTrials(command="again", trials=[trial("a")]))
    follower.send(PAUSE, again, again, CLOSE, RESUME)
    records = follower.records()
    assert [each["trials"] for each in records if each["kind"] == "TrialsRequeued"] == [ids("a")]
    assert outcomes(records) == ids("a")


def test_pinned_trials_come_next_in_their_order(host: Host) -> None:
    follower = paused_run(host, "a", "b", "c", "d")
    follower.send(encode_command(PinTrials(command="pin", trials=ids("d", "gone", "b"))), CLOSE, RESUME)
    assert outcomes(follower.records()) == ids("d", "b", "a", "c")


def test_a_row_is_measured_once_more_and_to_the_precision_asked(host: Host) -> None:
    follower = paused_run(host, "a", "b", precision_percent=50.0, max_samples=10)
    follower.send(RESUME)
    follower.until("TrialMeasured")
    command = RemeasureTrial(command="finer", trial=trial("a"), precision_percent=0.0001)
    follower.send(PAUSE.replace(b'"pause"', b'"p2"'), encode_command(command), CLOSE)
    follower.until("TrialsRequeued")
    follower.send(RESUME.replace(b'"resume"', b'"r2"'))
    records = follower.records()
    finer = [each for each in records if each["kind"] == "TrialMeasured" and each["stage"] == "remeasured"]
    assert [each["trial"]["id"] for each in finer] == ids("a")
    assert len(finer[0]["samples_ns"]) > 10  # more than the run's method allows


def test_withdrawn_trials_are_named_and_can_be_sent_again(host: Host) -> None:
    follower = paused_run(host, "a", "b", "c", "d")
    follower.send(encode_command(WithdrawTrials(command="give", trials=ids("d", "c", "never heard of"))))
    answer = follower.until("TrialsWithdrawn")
    assert (answer["command"], answer["trials"]) == ("give", ids("d", "c"))
    follower.send(enqueue("c", command="back"), CLOSE, RESUME)
    assert outcomes(follower.records()) == ids("a", "b", "c")


def test_what_is_begun_is_not_given_back(host: Host) -> None:
    host.start(spec("run"))
    follower = host.attach("run")
    follower.send(enqueue("is slow"))
    follower.until("TrialStarted")
    follower.send(encode_command(WithdrawTrials(command="give", trials=ids("is slow"))), CLOSE)
    assert follower.until("TrialsWithdrawn")["trials"] == []
    assert outcomes(follower.records()) == ids("is slow")


def as_fast_perhaps(best_ns: float) -> Contender:
    """A row of another device that nobody can tell from the best one here, however busy this machine is."""
    return Contender(trial=trial("z"), median_ns=best_ns, low_ns=best_ns * 0.5, high_ns=best_ns * 30.0)


RACED = {"finalists": 4, "finalists_seconds": 0.5, "min_samples": 6}


def test_finalists_are_raced_at_once_and_the_sweep_goes_on(host: Host) -> None:
    follower = paused_run(host, "a", "b", **RACED)
    follower.send(RESUME)
    best = min(min(follower.until("TrialMeasured")["samples_ns"]) for _ in range(2))
    follower.send(
        encode_command(ConsiderFinalists(command="rows", contenders=[as_fast_perhaps(best)])),
        encode_command(
            PauseRun(command="pause again")
        ),  # so that the others cannot be over before the race is asked for
        enqueue("c", "d", command="others"),
        encode_command(RaceFinalistsNow(command="race")),
        encode_command(ResumeRun(command="resume again")),
        CLOSE,
    )
    records = follower.records()
    kinds = [each["kind"] for each in records if each["kind"] in {"RaceStarted", "TrialStarted", "RunEnded"}]
    assert kinds.index("RaceStarted") < len(kinds) - 1 - kinds[::-1].index("TrialStarted")
    assert records[-1]["reason"] == "done"
    everything = b"".join(follower.raw)
    assert all(everything.count(b'"kind":"TrialStarted","trial":{"id":"numpy %s"' % how) == 1 for how in (b"a", b"d"))


def test_a_row_of_another_device_is_built_for_an_early_race_first(host: Host) -> None:
    follower = paused_run(host, "a", "b", **RACED)
    follower.send(RESUME)
    measured = follower.until("TrialMeasured")
    follower.send(
        encode_command(ConsiderFinalists(command="rows", contenders=[as_fast_perhaps(min(measured["samples_ns"]))])),
        encode_command(RaceFinalistsNow(command="race")),
        CLOSE,
    )
    assert "numpy z" in follower.until("RaceStarted")["trials"]
    assert "numpy z" in outcomes(follower.records(), "finalists")


def test_only_the_races_that_are_wanted_are_held_at_the_end(host: Host) -> None:
    def races(run: str, problems: list[dict[str, Any]]) -> Counter[str]:
        host.start(spec(run, **RACED))
        follower = host.attach(run)
        follower.send(enqueue("a", "b"), encode_command(CloseQueue(command="close", races=problems)))
        return Counter(each["kind"] for each in follower.records())

    assert races("none", [])["RaceStarted"] == 0
    assert races("other", [{"n": 7}])["RaceStarted"] == 0
    wanted = races("this", [{"n": 1000}])
    assert wanted["TrialMeasured"] >= 2
    assert wanted["RunEnded"] == 1
