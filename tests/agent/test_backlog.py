"""Which trial is next, which builds are next, and what becomes of trials whose build failed."""

from __future__ import annotations

from dataclasses import replace

from tests.agent.agent_runs import trial
from tunetui_agent.backlog import LOOKAHEAD, Backlog
from tunetui_agent.messages import BuildFinished

LIMITS = {"mojo": 4, "cuda": 4}


def backlog(*names: str, keys: dict[str, str | None] | None = None) -> Backlog:
    """Trials of the implementation before the slash; keyed with their own name unless told otherwise."""
    made = Backlog()
    made.add(trial(name.partition("/")[2], implementation=name.partition("/")[0]) for name in names)
    for name in names:
        key = name if keys is None else keys[name]
        made.set_key(name.replace("/", " "), key)
    return made


def finished(artifact: str, *, ok: bool = True, log: str = "") -> BuildFinished:
    implementation = artifact.partition("/")[0]
    return BuildFinished(implementation=implementation, artifact=artifact, ok=ok, seconds=2.0, cached=False, log=log)


def names(made: Backlog, limits: dict[str, int] = LIMITS, builders: int = 1) -> list[str]:
    return [artifact.name for artifact, _ in made.next_builds(limits, builders)]


def test_a_trial_seen_before_is_not_queued_again_even_when_it_is_done() -> None:
    made = backlog("numpy/a", keys={"numpy/a": None})
    assert made.take_ready(in_order=True)
    made.add([trial("a")])
    assert len(made) == 0


def test_a_trial_that_needs_no_build_is_ready_once_the_builder_said_so() -> None:
    made = Backlog()
    made.add([trial("a")])
    assert made.take_ready(in_order=True) is None
    assert [each.id for each in made.unkeyed()] == ["numpy a"]
    assert made.unkeyed() == [], "asked once"
    made.set_key("numpy a", None)
    assert made.head_is_ready()


def test_a_built_trial_goes_before_an_earlier_one_whose_build_is_late_unless_order_is_asked_for() -> None:
    made = backlog("mojo/a", "mojo/b")
    assert names(made) == ["mojo/a", "mojo/b"]
    made.built(finished("mojo/b"))
    assert made.take_ready(in_order=True) is None
    late = made.take_ready(in_order=False)
    assert late is not None
    assert late.trial.id == "mojo b"
    assert made.build_seconds(late) == 2.0


def test_trials_that_share_an_artifact_build_it_once() -> None:
    made = backlog("mojo/a", "mojo/b", "mojo/c", keys={"mojo/a": "x", "mojo/b": "y", "mojo/c": "x"})
    assert names(made) == ["x", "y"]
    assert names(made) == []


def test_a_batch_is_of_one_implementation_and_no_larger_than_its_builder_takes() -> None:
    made = backlog("mojo/a", "cuda/b", "mojo/c", "mojo/d")
    assert names(made, {"mojo": 2, "cuda": 9}) == ["mojo/a", "mojo/c"]
    assert names(made) == ["cuda/b"]
    assert names(made) == ["mojo/d"]


def test_what_is_missing_is_spread_over_the_idle_builders() -> None:
    made = backlog(*(f"mojo/{number}" for number in range(4)))
    assert names(made, builders=2) == ["mojo/0", "mojo/1"]


def test_the_members_of_a_broken_batch_are_built_one_by_one() -> None:
    made = backlog("mojo/a", "mojo/b", "mojo/c")
    made.next_builds(LIMITS, 1)
    made.build_again_alone(["mojo/a", "mojo/b"])
    assert [names(made) for _ in range(3)] == [["mojo/a"], ["mojo/b"], []]


def test_a_failed_build_refuses_every_trial_of_it_with_its_first_line() -> None:
    made = backlog("mojo/a", "mojo/b", "mojo/c", keys={"mojo/a": "x", "mojo/b": "x", "mojo/c": "y"})
    made.next_builds(LIMITS, 1)
    made.built(finished("x", ok=False, log="\nsearch.mojo:3: no such name\nmore"))
    refused = made.take_refused()
    assert [entry.trial.id for entry in refused] == ["mojo a", "mojo b"]
    assert refused[0].refusal == (
        "build_failed",
        "search.mojo:3: no such name",
        "\nsearch.mojo:3: no such name\nmore",
    )
    assert len(made) == 1


def test_a_trial_put_back_is_the_next() -> None:
    made = backlog("numpy/a", "numpy/b", keys={"numpy/a": None, "numpy/b": None})
    first = made.take_ready(in_order=True)
    assert first is not None
    made.put_back(first)
    assert made.take_ready(in_order=True) is first


def test_a_long_queue_is_asked_about_in_helpings() -> None:
    made = Backlog()
    made.add(trial(str(number)) for number in range(3 * LOOKAHEAD))
    first = made.unkeyed()
    assert len(first) == LOOKAHEAD
    for each in first:
        made.set_key(each.id, None)
    for _ in range(LOOKAHEAD // 2):
        assert made.unkeyed() == []
        made.take_ready(in_order=True)
    made.take_ready(in_order=True)
    assert len(made.unkeyed()) == LOOKAHEAD // 2 + 1


def test_an_artifact_found_in_the_cache_has_no_build_time() -> None:
    made = backlog("mojo/a")
    assert names(made) == ["mojo/a"]
    made.built(replace(finished("mojo/a"), cached=True))
    entry = made.take_ready(in_order=True)
    assert entry
    assert made.build_seconds(entry) is None
