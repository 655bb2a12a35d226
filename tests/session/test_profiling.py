"""Which rows of earlier starts are profiled when it is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.agent.kernel_folders import double_trial
from tests.core.journals import agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.events import TrialsQueued
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.session.profiling import unprofiled
from tunetui_agent.messages import Trial

PROFILED, TRIED = {"ncu_kernels": 1}, {"ncu_reason": "n/a: ncu was not found"}
MEDIANS = {1: 30, 2: 10, 3: 20, 4: 15}
IMPLEMENTATIONS = {1: "numpy", 2: "numpy", 3: "mojo", 4: "mojo"}


def trials() -> list[Trial]:
    return [replace(double_trial(), id=f"{number:016x}") for number in MEDIANS]


def run_of(**resources: dict[str, Any]) -> Run:
    outcomes = [
        measured(
            number, [median] * 6, trial=ref(number, implementation=IMPLEMENTATIONS[number]),
            resources=resources.get(f"row{number}", {}),
        )
        for number, median in MEDIANS.items()
    ]  # fmt: skip
    start = [app(0, planned()), app(1, TrialsQueued(trials=[each.trial for each in outcomes]))]
    agents = [agent_started(), device_found(), *outcomes]
    return fold(Run(), [*start, *(agent(seq, event) for seq, event in enumerate(agents))])


def asked(run: Run, whose: str, *, again: bool = False, kept: set[int] | None = None) -> list[int]:
    ids = {f"{number:016x}" for number in (MEDIANS if kept is None else kept)}
    found = unprofiled(trials(), ids, run, whose, again=again)
    assert all(each.raced for each in found)  # nobody shall race them for it
    return [int(each.trial.id, 16) for each in found]


def test_the_fastest_of_every_implementation_are_asked_for_or_all_of_them() -> None:
    assert asked(run_of(), "leaders") == [2, 4]
    assert sorted(asked(run_of(), "all")) == [1, 2, 3, 4]
    assert asked(run_of(), "") == []


def test_rows_that_do_not_stand_are_not_asked_for() -> None:
    assert asked(run_of(), "leaders", kept={1, 3}) == [1, 3]


@pytest.mark.parametrize(("again", "expected"), [(False, []), (True, [4])])
def test_a_row_that_has_its_counters_is_done_and_one_that_was_refused_is_asked_again_by_the_next_start(
    again: bool, expected: list[int]
) -> None:
    assert asked(run_of(row2=PROFILED, row4=TRIED), "leaders", again=again) == expected
