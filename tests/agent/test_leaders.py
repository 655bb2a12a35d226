"""Who is looked at once times stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.agent.kernel_folders import double_trial
from tunetui_agent.backlog import Entry
from tunetui_agent.examined import COUNTERS, ENERGY
from tunetui_agent.finalists import Standing
from tunetui_agent.leaders import EVERY_TRIAL, Leaders


def standing(number: int, median: float, *, implementation: str = "cuda", n: int = 64) -> Standing:
    trial = replace(double_trial(unroll=1), id=f"{number:016x}", implementation=implementation, problem={"n": n})
    return Standing(trial, median, median, median)


def saw(leaders: Leaders, *standings: Standing, is_new: bool = True) -> None:
    for each in standings:
        leaders.saw(each, Entry(each.trial) if is_new else None, is_new=is_new)


def groups(leaders: Leaders) -> list[tuple[str, list[int]]]:
    found = []
    while (group := leaders.next_group()) is not None:
        what, chosen = group
        leaders.examined(what, [leader.trial for leader in chosen])
        found.append((what, [int(leader.trial.id, 16) for leader in chosen]))
    return found


FIELD = [
    standing(1, 20.0), standing(2, 10.0), standing(3, 30.0, implementation="mojo"), standing(4, 5.0, n=128),
]  # fmt: skip


def test_the_fastest_of_every_implementation_is_looked_at_problem_by_problem_and_once() -> None:
    leaders = Leaders({ENERGY: "leaders"})
    saw(leaders, *FIELD)
    assert groups(leaders) == [(ENERGY, [2, 3]), (ENERGY, [4])]
    assert leaders.next_group() is None


def test_counters_are_read_of_all_problems_at_once_and_after_the_energy() -> None:
    leaders = Leaders({COUNTERS: "leaders", ENERGY: "leaders"})
    saw(leaders, *FIELD)
    assert groups(leaders) == [(ENERGY, [2, 3]), (ENERGY, [4]), (COUNTERS, [2, 3, 4])]


def test_every_trial_can_be_asked_for() -> None:
    leaders = Leaders({COUNTERS: EVERY_TRIAL})
    saw(leaders, *FIELD)
    assert groups(leaders) == [(COUNTERS, [2, 1, 3, 4])]


def test_a_leader_that_was_overtaken_or_withdrawn_leads_no_more() -> None:
    leaders = Leaders({ENERGY: "leaders"})
    saw(leaders, *FIELD, standing(2, 40.0))
    leaders.withdraw(FIELD[3].trial)
    assert groups(leaders) == [(ENERGY, [1, 3])]


def test_rows_of_an_earlier_start_keep_their_energy_but_can_be_profiled_once_built() -> None:
    leaders = Leaders({ENERGY: "leaders", COUNTERS: "leaders"})
    saw(leaders, FIELD[0], is_new=False)
    group = leaders.next_group()
    assert group is not None
    assert group[0] == COUNTERS
    assert group[1][0].entry is None
    leaders.built(Entry(FIELD[0].trial, for_race=True))
    assert group[1][0].entry is not None


@pytest.mark.parametrize("wanted", [{}, {ENERGY: "leaders"}])
def test_nobody_is_looked_at_where_nothing_is_wanted_or_the_device_cannot(wanted: dict[str, str]) -> None:
    leaders = Leaders(wanted)
    saw(leaders, *FIELD)
    leaders.give_up(ENERGY)
    assert leaders.next_group() is None
