"""What a run already holds of a plan: kept, stale with the reason, missing; and whose records are still to be taken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core import journals
from tunetui.core.events import ProvenanceRecorded, Record, TrialsQueued, TrialsStaled
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.session.resuming import agents_name, agents_to_take_over, changed, contenders, died, stand
from tunetui_agent.messages import FAILURES, Contender, NoticeRaised, RunEnded, Trial, TrialFailed

NOW = {"compiler": "1.2.0", "driver": "", "kernel_source": "ab" * 32}


def trial(number: int, provenance: str = "p" * 16) -> Trial:
    ref = journals.ref(number)
    return Trial(
        id=ref.id, implementation=ref.implementation, problem=ref.problem, configuration=ref.configuration,
        provenance=provenance,
    )  # fmt: skip


def run_of(*events: Any, more: tuple[Record, ...] = ()) -> Run:
    queued = TrialsQueued(trials=[journals.ref(number) for number in range(1, 4)])
    provenance = ProvenanceRecorded(id="p" * 16, fields=NOW)
    app = [journals.app(seq, event) for seq, event in enumerate([journals.planned(), provenance, queued])]
    agent = [journals.agent(seq, event) for seq, event in enumerate([journals.agent_started(), *events])]
    return fold(Run(), [*app, *agent, *more])


def failed(number: int, status: str) -> TrialFailed:
    return TrialFailed(trial=journals.ref(number), status=status, cause="it did")


def test_measured_rows_stand_and_all_others_are_missing() -> None:
    run = run_of(journals.measured(1, [10] * 9))
    standing = stand([trial(1), trial(2), trial(9)], {}, run)
    assert standing.kept == [trial(1).id]
    assert standing.missing == [trial(2), trial(9)]
    assert standing.stale == {}


@pytest.mark.parametrize("status", FAILURES)
def test_a_failed_row_stands_unless_it_is_to_be_tried_again(status: str) -> None:
    run = run_of(journals.measured(1, [10] * 9), failed(2, status))
    assert stand([trial(1), trial(2)], {}, run).missing == []
    again = stand([trial(1), trial(2)], {}, run, retry_failed=True)
    assert again.missing == [trial(2)]
    assert again.kept == [trial(1).id]


def test_a_row_that_came_about_in_another_way_is_stale_and_missing_and_says_why() -> None:
    run = run_of(journals.measured(1, [10] * 9), failed(2, "wrong"))
    plan = [trial(1, "q"), trial(2, "q"), trial(3, "q")]
    standing = stand(plan, {"q": NOW | {"compiler": "1.3.0"}}, run)
    assert standing.kept == []
    assert standing.missing == plan
    assert standing.stale == dict.fromkeys((trial(1).id, trial(2).id), "compiler changed: 1.2.0 -> 1.3.0")
    assert standing.stale_counts == {"compiler changed: 1.2.0 -> 1.3.0": 2}


def test_a_row_that_was_found_stale_before_is_missing_until_it_is_measured_again() -> None:
    staled = journals.app(3, TrialsStaled(reasons={trial(1).id: "driver changed"}))
    run = run_of(journals.measured(1, [10] * 9), more=(staled,))
    assert stand([trial(1)], {}, run).missing == [trial(1)]


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"compiler": "1.3.0"}, "compiler changed: 1.2.0 -> 1.3.0"),
        ({"driver": "550.1"}, "driver changed:  -> 550.1"),
        ({"kernel_source": "cd" * 32}, "kernel source changed"),
        ({"options": ["-O3"]}, "options changed"),
        ({"compiler": "1.3.0", "kernel_source": "cd" * 32}, "compiler changed: 1.2.0 -> 1.3.0; kernel source changed"),
        ({}, "its provenance changed"),
    ],
)
def test_what_changed_is_said_in_words_and_hashes_are_kept_out(now: dict[str, Any], words: str) -> None:
    assert changed(NOW, NOW | now) == words


def test_a_row_whose_origin_is_not_recorded_says_so() -> None:
    assert changed({}, NOW) == "where it came from is not recorded"


def test_agents_without_a_last_record_are_taken_over_and_those_known_to_be_dead_are_left_alone() -> None:
    ended = run_of(RunEnded(reason="done"))
    assert agents_to_take_over("run", ended, ["agent-1"]) == []
    open_ended = run_of()
    assert agents_to_take_over("run", open_ended, ["agent-1"]) == ["agent-1"]
    buried = run_of(more=(journals.app(3, NoticeRaised(code="agent-died", text=died("agent-1"))),))
    assert agents_to_take_over("run", buried, ["agent-1"]) == []


def test_an_agent_that_the_app_died_too_early_to_hear_of_is_found_by_its_name() -> None:
    run = run_of(RunEnded(reason="done"))
    name = agents_name("run", run) + "1234"
    later = fold(Run(), [journals.app(0, journals.planned(), t=2000.0)])  # as after --fresh
    others = ["agent-1", "run-2", "running-1", agents_name("run", later) + "1234"]
    assert agents_to_take_over("run", run, [*others, name]) == [name]


def kept_for_a_race(run: Run, *numbers: int, finalists: int = 2, provenance: str = "p" * 16) -> list[Contender]:
    trials = [trial(number, provenance) for number in numbers]
    return contenders(stand(trials, {}, run), trials, run, finalists)


def test_the_fastest_rows_that_stand_are_raced_with_the_new_ones() -> None:
    run = run_of(
        journals.measured(1, [30] * 9),
        journals.measured(2, [10, 11, 12, 13, 14, 15, 16, 17, 90], stage="finalists"),
        journals.measured(3, [20, 21, 25]),
        failed(4, "wrong"),
    )
    assert kept_for_a_race(run, 1, 2, 3, 4, 5) == [
        Contender(trial=trial(2), median_ns=14, low_ns=11, high_ns=17, raced=True),
        Contender(trial=trial(3), median_ns=21, low_ns=20, high_ns=25),
    ]


def test_a_stale_row_is_never_raced() -> None:
    run = run_of(journals.measured(1, [10] * 9), journals.measured(2, [20] * 9))
    assert kept_for_a_race(run, 1, 2, 5, provenance="q" * 16) == []
    assert kept_for_a_race(run, 1, 5, finalists=0) == []


def test_a_problem_that_was_raced_and_gets_no_new_row_is_left_alone() -> None:
    run = run_of(journals.measured(1, [10] * 9, stage="finalists"), journals.measured(2, [20] * 9))
    assert kept_for_a_race(run, 1, 2) == []
    assert len(kept_for_a_race(run, 1, 2, 5)) == 2
    unraced = run_of(journals.measured(1, [10] * 9), journals.measured(2, [20] * 9))
    assert len(kept_for_a_race(unraced, 1, 2)) == 2
