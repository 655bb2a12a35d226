from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.kernel_folders import double_trial
from tunetui_agent.finalists import Standing, pick, settled_by, standing_before, standing_of
from tunetui_agent.measure import Sampling
from tunetui_agent.messages import ConsiderFinalists, Contender, Method, Trial, decode_command, encode_command
from tunetui_agent.throttling import first_unthrottled

METHOD = Method(min_samples=6, max_samples=100, finalists_seconds=10.0)


def standing(number: int, median: float, low: float, high: float, *, raced: bool = False) -> Standing:
    trial = double_trial(unroll=number)
    return Standing(Trial(**{**vars(trial), "id": f"{number:016x}"}), median, low, high, raced)


def chosen(standings: list[Standing], **changes: Any) -> list[int]:
    method = Method(**{**vars(METHOD), **changes})
    return [int(each.trial.configuration["unroll"]) for each in pick(standings, method)]


def test_the_leader_is_raced_with_those_that_another_process_might_measure_as_fast() -> None:
    field = [
        standing(1, 105, 99, 111),
        standing(2, 100, 98, 102),
        standing(3, 110, 103, 117),
        standing(4, 103, 102, 104),
        standing(5, 120, 110, 130),
    ]
    assert chosen(field) == [2, 4, 1, 3], (
        "the intervals of the third and the leader do not overlap, but theirs for another run do"
    )


def test_a_leader_that_is_apart_from_all_others_needs_no_race() -> None:
    assert chosen([standing(1, 100, 98, 102), standing(2, 110, 105, 117)]) == []
    assert chosen([standing(1, 100, 98, 102)]) == []
    assert chosen([]) == []


def test_of_too_many_the_slowest_are_left_out_and_zero_means_no_race() -> None:
    field = [standing(number, 100 + number, 90, 120) for number in (3, 1, 2, 4)]
    assert chosen(field, finalists=3) == [1, 2, 3]
    assert chosen(field, finalists=0) == []


def test_no_more_are_raced_than_get_their_least_samples_in_time() -> None:
    second = 1e9
    field = [standing(number, second, 0.9 * second, 1.1 * second) for number in (1, 2, 3)]
    assert chosen(field, finalists_seconds=16.1) == [1, 2]  # 6 samples and 2 executions untimed, 8 s each
    assert chosen(field, finalists_seconds=15.9) == []


def test_rows_that_were_all_raced_before_are_not_raced_again_but_with_a_new_one() -> None:
    old = [standing(1, 100, 98, 102, raced=True), standing(2, 101, 99, 103, raced=True)]
    assert chosen(old) == []
    assert chosen([*old, standing(3, 130, 125, 135)]) == []
    assert chosen([*old, standing(3, 102, 101, 104)]) == [1, 2, 3]


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 20)), max_size=12))
def test_whoever_might_catch_up_in_another_run_is_raced_and_whoever_is_not_might_not_or_is_slower(
    figures: list[tuple[int, int, int]],
) -> None:
    field = [standing(n, mid, mid - below, mid + above) for n, (mid, below, above) in enumerate(figures)]
    found = pick(field, METHOD)
    leader = min(field, key=lambda each: each.order, default=None)
    wide = 2.0**0.5
    might = [
        each
        for each in field
        if leader
        and each.median * (max(0, each.low) / each.median) ** wide
        <= leader.median * (leader.high / leader.median) ** wide
    ]
    if len(might) > 1:
        assert found == sorted(might, key=lambda each: each.order)[: METHOD.finalists]
    else:
        assert found == []


def test_few_samples_stand_for_their_whole_range() -> None:
    found = standing_of(double_trial(), [30, 10, 20], 95.0, raced=False)
    assert (found.median, found.low, found.high) == (20, 10, 30)
    found = standing_of(double_trial(), [1, 5, 6, 7, 8, 9, 10, 11, 90], 95.0, raced=True)
    assert (found.median, found.low, found.high, found.raced) == (8, 5, 11, True)


def test_a_row_of_an_earlier_start_comes_over_the_wire_as_it_was_sent() -> None:
    sent = ConsiderFinalists(
        command="c", contenders=[Contender(trial=double_trial(), median_ns=5.0, low_ns=4.0, high_ns=6.0, raced=True)]
    )
    assert decode_command(encode_command(sent)) == sent
    assert standing_before(sent.contenders[0]) == Standing(double_trial(), 5.0, 4.0, 6.0, True)


def test_a_race_is_settled_when_every_interval_is_apart_from_the_leaders() -> None:
    leader, near, far = [10] * 6, [10, 11, 11, 12, 12, 13], [12, 13, 13, 13, 14, 15]
    assert settled_by([far, leader], 0.0, METHOD) == "order"
    assert settled_by([far, leader, near], 0.0, METHOD) is None


def test_equal_finalists_are_settled_by_precision_and_wide_ones_by_the_limits() -> None:
    equal, wide = [[1000, 1001, 1002, 1003, 1004, 1005]] * 2, [[10, 20, 30, 40, 50, 60]] * 2
    assert settled_by(equal, 0.0, METHOD) == "precision"
    assert settled_by(wide, 0.0, METHOD) is None
    assert settled_by(wide, 10.0, METHOD) == "max_seconds"
    assert settled_by([wide[0] * 20] * 2, 0.0, METHOD) == "max_samples"


def test_a_finalist_with_too_few_samples_keeps_the_race_open() -> None:
    assert settled_by([[10] * 6, [99] * 5], 0.0, METHOD) is None


def test_an_order_that_is_there_is_found_and_one_that_is_not_seldom() -> None:
    rng = random.Random(5)

    def race(slower: float) -> str | None:
        lanes = [[round(1e6 * rng.gauss(factor, 0.02)) for _ in range(60)] for factor in (1.0, slower)]
        return settled_by(lanes, 0.0, METHOD)

    assert [race(1.1) for _ in range(50)] == ["order"] * 50
    assert sum(race(1.0) == "order" for _ in range(200)) <= 10  # disjoint 95 % intervals of equals: about 1 in 200


def sampling(*tags: str) -> Sampling:
    return Sampling([1, 2, 3], "precision", 1, 0.0, 0.25, {"sm_clock_mhz": 1.0}, list(tags))


def attempts_of(*tags: list[str], retries: int = 2, seconds: float = 60.0) -> tuple[list[float], Sampling]:
    """The pauses made, and the sampling that counts, when attempts come out with these tags."""
    pauses: list[float] = []
    coming = iter(tags)
    (found,) = first_unthrottled(
        lambda: [sampling(*next(coming))], retries, seconds, pauses.append, lambda: sum(pauses)
    )
    return pauses, found


def test_samples_of_a_device_at_full_speed_are_taken_as_they_are() -> None:
    assert attempts_of([]) == ([], sampling())
    assert attempts_of(["noisy"]) == ([], sampling("noisy"))


def test_a_throttled_trial_is_measured_again_after_pauses_that_double() -> None:
    pauses, found = attempts_of(["throttled"], ["throttled"], [])
    assert pauses == [2.0, 4.0]
    assert found.tags == []
    assert found.telemetry == {"sm_clock_mhz": 1.0, "throttle_attempts": 3, "throttled_seconds": 0.5}


def test_what_stays_throttled_says_so_after_the_last_attempt() -> None:
    pauses, found = attempts_of(["throttled"], ["throttled", "shared-gpu"], retries=1)
    assert pauses == [2.0]
    assert found.tags == ["throttled", "shared-gpu"]
    assert found.telemetry["throttle_attempts"] == 2


@pytest.mark.parametrize(("retries", "seconds"), [(0, 60.0), (5, 1.9)])
def test_nobody_waits_who_was_not_asked_to_or_has_no_time(retries: int, seconds: float) -> None:
    assert attempts_of(["throttled"], retries=retries, seconds=seconds) == ([], sampling("throttled"))
