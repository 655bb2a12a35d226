"""Finalists raced and sentinels looked at again, by real agents on this CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.agent.agent_runs import CLOSE, Host, enqueue, spec, trial
from tests.agent.kernel_folders import double_spec, double_trial
from tunetui_agent.devices import open_device
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import ConsiderFinalists, Contender, StopRun, Trial, encode_command
from tunetui_agent.race import Race

# Every other call does eight times the work: medians are known to a factor of eight at best, so that equals never come
# apart, however busy the machine is.
KERNEL = """
import ctypes, itertools, os, sys, time
import numpy as np

calls = itertools.count()
sys.later = getattr(sys, "later", 0)
marker = {marker!r}

def double(x, y, *, how):
    times = 20 * (1 + 7 * (next(calls) % 2)) * (40 if how == "slow" else 1)
    if how == "creates the marker":
        open(marker, "w").close()
    if how == "slower beside the marker" and os.path.exists(marker):
        times *= 20
    if how == "fails beside the marker" and os.path.exists(marker):
        raise RuntimeError("not any more")
    for _ in range(times):
        np.multiply(x, 2, out=y)
    if how.endswith("later"):
        sys.later += 1
    if sys.later > 20:
        if how == "crashes later":
            ctypes.string_at(0)
        while how == "hangs later":
            time.sleep(1)
        if how == "raises later":
            raise RuntimeError("not today")
        if how == "is wrong later":
            y[0] += 1
        if how == "writes to its input later":
            x[0] += 1
"""


def racing(marker: Path | str = "", **method: Any) -> dict[str, Any]:
    """A run with races; intervals at 99.9 % of few samples, and nothing is precise enough."""
    fields = {
        "finalists": 8, "finalists_seconds": 60.0, "confidence_percent": 99.9, "precision_percent": 0.001,
        "min_samples": 12, "max_samples": 18, "max_seconds": 20.0,
    }  # fmt: skip
    run = spec("race", **{**fields, **method})
    run["kernel"]["files"]["double.py"] = KERNEL.format(marker=str(marker))
    return run


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == kind]


def outcomes(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(configuration, stage) of every figure, in order."""
    return [(each["trial"]["configuration"]["how"], each["stage"]) for each in of_kind(records, "TrialMeasured")]


def notices(records: list[dict[str, Any]], code: str) -> list[str]:
    return [each["text"] for each in of_kind(records, "NoticeRaised") if each["code"] == code]


def id_of(how: str) -> str:
    return trial(how).id


def test_equal_kernels_are_raced_and_stay_tied_and_a_slower_one_never_enters(host: Host) -> None:
    records = host.measure(racing(min_samples=24, max_samples=28), "left", "slow", "right")
    (began,), (ended,) = of_kind(records, "RaceStarted"), of_kind(records, "RaceEnded")
    assert sorted(began["trials"]) == [id_of("left"), id_of("right")]
    assert (ended["settled_by"], sorted(ended["raced"])) == ("max_samples", [id_of("left"), id_of("right")])
    assert ended["rounds"] == 6, "turns of 5 up to 28 samples"
    found = outcomes(records)
    assert found[:3] == [("left", "sweep"), ("slow", "sweep"), ("right", "sweep")]
    assert sorted(found[3:]) == [("left", "finalists"), ("right", "finalists")]
    for each in of_kind(records, "TrialMeasured")[3:]:
        assert (len(each["samples_ns"]), each["stopped_by"], each["warmups"]) == (28, "max_samples", 1)
        assert each["quality"] == {"max_abs_error": 0.0}
    assert of_kind(records, "RaceProgressed")[0]["samples"] == 0
    assert records[-1]["reason"] == "done"


def test_a_race_ends_as_soon_as_the_order_is_settled(host: Host) -> None:
    # An earlier start knew next to nothing of the slow one; the race then finds it twenty times slower.
    contender = Contender(trial=trial("slow"), median_ns=1.0, low_ns=1.0, high_ns=1e12)
    host.start(racing(max_samples=10_000, min_samples=30))
    follower = host.attach("race")
    follower.send(encode_command(ConsiderFinalists(command="kept", contenders=[contender])), enqueue("left"), CLOSE)
    (ended,) = of_kind(follower.records(), "RaceEnded")
    assert ended["settled_by"] == "order"


def test_nobody_is_raced_where_that_was_not_asked_for(host: Host) -> None:
    records = host.measure(racing(finalists=0), "left", "right")
    assert outcomes(records) == [("left", "sweep"), ("right", "sweep")]
    assert of_kind(records, "RaceStarted") == []


@pytest.mark.parametrize(("how", "cause"), [("crashes later", "SIGSEGV"), ("hangs later", "took longer than 6 s")])
def test_a_race_that_takes_the_worker_down_costs_nothing_but_itself(host: Host, how: str, cause: str) -> None:
    records = host.measure(racing(trial_timeout_seconds=6.0, max_samples=12), "left", how)
    assert outcomes(records) == [("left", "sweep"), (how, "sweep")]
    assert of_kind(records, "TrialFailed") == []
    (ended,), (text,) = of_kind(records, "RaceEnded"), notices(records, "race-failed")
    assert (ended["settled_by"], ended["raced"]) == ("nothing", [])
    assert cause in text
    assert records[-1]["reason"] == "done"


def test_a_finalist_that_raises_is_left_out_and_its_figure_stands(host: Host) -> None:
    records = host.measure(racing(max_samples=12), "left", "right", "raises later")
    (text,) = notices(records, "finalist-dropped")
    assert "how=raises later" in text
    assert "not today" in text
    assert sorted(outcomes(records)[3:]) == [("left", "finalists"), ("right", "finalists")]
    assert of_kind(records, "TrialFailed") == []


def test_a_finalist_that_turns_out_wrong_is_no_longer_ranked(host: Host) -> None:
    records = host.measure(racing(max_samples=12), "left", "right", "is wrong later")
    (failed,) = of_kind(records, "TrialFailed")
    assert (failed["status"], failed["stage"]) == ("wrong", "finalists")
    assert failed["trial"]["configuration"]["how"] == "is wrong later"
    assert failed["cause"].startswith("in the race of the finalists: ")
    assert sorted(outcomes(records)[3:]) == [("left", "finalists"), ("right", "finalists")]


def test_when_a_finalist_damages_what_all_read_nobody_is_accused(host: Host) -> None:
    records = host.measure(racing(max_samples=12), "left", "writes to its input later")
    assert of_kind(records, "TrialFailed") == []
    assert of_kind(records, "RaceEnded")[0]["settled_by"] == "nothing"
    assert "changed its input 'x'" in notices(records, "finalist-dropped")[0]
    assert outcomes(records) == [("left", "sweep"), ("writes to its input later", "sweep")]


def test_rows_of_an_earlier_start_are_raced_with_the_new_ones_and_not_swept_again(host: Host) -> None:
    def kept(one: Trial) -> Contender:
        return Contender(trial=one, median_ns=1.0, low_ns=1.0, high_ns=1e12, raced=True)

    host.start(racing())
    follower = host.attach("race")
    contenders = [kept(trial("left")), kept(trial("gone", implementation="fortran"))]
    consider = encode_command(ConsiderFinalists(command="kept", contenders=contenders))
    follower.send(consider, enqueue("right"), CLOSE)
    records = follower.records()
    assert outcomes(records)[0] == ("right", "sweep")
    assert sorted(outcomes(records)[1:]) == [("left", "finalists"), ("right", "finalists")]
    assert [each["trial"]["id"] for each in of_kind(records, "TrialStarted")] == [id_of("right")]
    (text,) = notices(records, "finalist-dropped")
    assert text.startswith("fortran how=gone is not raced, and its earlier figure stands: ")
    assert of_kind(records, "TrialFailed") == []


def test_a_stop_ends_a_race_soon_and_leaves_the_sweeps_figures(host: Host) -> None:
    # So many samples are asked for that the race would take minutes.
    host.start(racing(min_samples=1_000_000, max_samples=1_000_000, max_seconds=0.2, finalists_seconds=3600.0))
    follower = host.attach("race")
    contender = Contender(trial=trial("left"), median_ns=1.0, low_ns=1.0, high_ns=1e12)
    consider = encode_command(ConsiderFinalists(command="kept", contenders=[contender]))
    follower.send(consider, enqueue("right"), CLOSE)
    follower.until(lambda line: line.get("kind") == "RaceProgressed" and line["samples"] > 0)
    follower.send(encode_command(StopRun(command="stop")))
    records = follower.records()
    assert outcomes(records) == []
    assert of_kind(records, "RaceEnded")[0]["settled_by"] == "nothing"
    assert records[-1]["reason"] == "stopped"


def test_a_device_that_becomes_slower_is_noticed_and_what_was_measured_meanwhile_is_measured_once_more(
    host: Host, tmp_path: Path
) -> None:
    run = racing(tmp_path / "marker", finalists=0, sentinel_seconds=1e-6, precision_percent=300.0)
    records = host.measure(run, "slower beside the marker", "creates the marker", "left")
    assert outcomes(records) == [
        ("slower beside the marker", "sweep"),
        ("creates the marker", "sweep"),
        ("slower beside the marker", "sentinel"),
        ("left", "sweep"),
        ("slower beside the marker", "sentinel"),
        ("creates the marker", "sweep"),
    ]
    (drift,) = of_kind(records, "DriftNoticed")
    assert drift["trial"]["id"] == id_of("slower beside the marker")
    assert drift["trials"] == [id_of("creates the marker")]
    assert drift["median_ns"] > 4 * drift["reference_ns"]
    (text,) = notices(records, "drift")
    assert text.startswith("drift: numpy how=slower beside the marker took ")
    assert text.endswith("1 row was measured meanwhile and marked, 1 to be measured again")
    looked, noticed = of_kind(records, "TrialMeasured")[2]["seq"], drift["seq"]
    assert looked < noticed


def test_a_device_that_stays_as_it_is_is_looked_at_and_not_spoken_of(host: Host) -> None:
    records = host.measure(racing(finalists=0, sentinel_seconds=1e-6), "left", "right", "slow")
    assert [how for how, stage in outcomes(records) if stage == "sentinel"] == ["left"]
    assert of_kind(records, "DriftNoticed") == []
    assert [each["stage"] for each in of_kind(records, "TrialStarted")] == ["sweep", "sweep", "sentinel", "sweep"]


def test_a_sentinel_that_fails_is_replaced_and_its_row_stands(host: Host, tmp_path: Path) -> None:
    run = racing(tmp_path / "marker", finalists=0, sentinel_seconds=1e-6, precision_percent=300.0)
    records = host.measure(run, "fails beside the marker", "creates the marker", "left", "right", "slow")
    (failed,) = of_kind(records, "TrialFailed")
    assert (failed["stage"], failed["status"]) == ("sentinel", "errored")
    assert "not any more" in notices(records, "sentinel-failed")[0]
    assert [how for how, stage in outcomes(records) if stage == "sentinel"] == ["left"]
    assert records[-1]["reason"] == "done"


def test_a_race_in_which_every_finalist_fails_in_one_round_is_given_up() -> None:
    source = """
import itertools, sys
import numpy as np
sys.turns = itertools.count()
def double(x, y, *, unroll):
    if next(sys.turns) >= 4:  # both are prepared by then
        raise RuntimeError("the device is lost")
    np.multiply(x, 2, out=y)
""".replace("sys.turns =", "sys.turns = getattr(sys, 'turns', None) or")
    device, run = open_device("cpu"), double_spec(source)
    race = Race(Evaluator(run, device), device, run.method, lambda _: None, lambda: False)
    finalists = [replace(double_trial(unroll=unroll), id=str(unroll)) for unroll in (1, 2)]
    result = race.run([(finalist, None) for finalist in finalists])
    assert (result.settled_by, result.outcomes) == ("nothing", [])
    assert [cause[-18:] for cause in result.dropped.values()] == ["the device is lost"] * 2
