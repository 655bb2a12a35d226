"""Trials dealt over devices and moved between them: whatever the order of things, each is measured once and by one that can."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from tunetui.session.dealing import Dealing
from tunetui_agent.messages import TrialMeasured, TrialRef, TrialsSkipped, TrialStarted


def reference(trial: str) -> TrialRef:
    return TrialRef(id=trial, implementation="numpy", problem={}, configuration={}, provenance="0" * 16)


def begun(trial: str) -> TrialStarted:
    return TrialStarted(trial=reference(trial))


def measured(trial: str, seconds: float = 1.0, stage: str = "sweep") -> TrialMeasured:
    return TrialMeasured(
        trial=reference(trial), samples_ns=[1], stopped_by="precision", warmups=0, quality={}, build_seconds=None,
        seconds=seconds, sampling_seconds=0.0, verify_seconds=0.0, stage=stage,
    )  # fmt: skip


def everybody(*names: str) -> Dealing:
    return Dealing(dict.fromkeys(names, lambda _: True))


def test_trials_are_dealt_in_their_order_and_evenly() -> None:
    dealing = everybody("a", "b")
    assert dealing.deal(["1", "2", "3", "4", "5"]) == {"a": ["1", "3", "5"], "b": ["2", "4"]}


def test_a_device_gets_only_what_it_can_measure() -> None:
    dealing = Dealing({"a": lambda trial: trial.startswith("cuda"), "b": lambda trial: trial.startswith("mojo")})
    assert dealing.deal(["mojo 1", "cuda 1", "mojo 2", "numpy 1"]) == {"b": ["mojo 1", "mojo 2"], "a": ["cuda 1"]}
    assert dealing.refused == ["numpy 1"]
    assert dealing.withdrawals() == []  # neither can take what the other has


def test_a_slow_device_gives_from_its_tail_so_much_that_both_end_together() -> None:
    dealing = everybody("slow", "fast")
    dealing.hold("slow", [f"s{number}" for number in range(20)], "present")
    dealing.saw("slow", measured("earlier", seconds=3.0))
    dealing.saw("fast", measured("other", seconds=1.0))
    (asked,) = dealing.withdrawals()
    assert (asked.giver, asked.taker) == ("slow", "fast")
    assert asked.trials == [f"s{number}" for number in range(5, 20)]  # 15 at 1 s, and 5 at 3 s
    dealing.asked("slow", "w1")
    assert dealing.withdrawals() == []  # one at a time
    assert not dealing.is_over
    assert dealing.given_back("slow", "w1", asked.trials[3:]) == {"fast": asked.trials[3:]}  # three had begun meanwhile
    assert list(dealing.hands["slow"].waiting)[-1] == "s7"


def test_what_comes_back_for_a_device_that_is_gone_goes_to_another() -> None:
    dealing = everybody("a", "b", "c")
    dealing.hold("a", [str(number) for number in range(30)])
    dealing.hold("c", [f"c{number}" for number in range(10)])
    (asked,) = dealing.withdrawals()
    dealing.asked(asked.giver, "w1")
    assert dealing.give_up("b") == []
    moved = dealing.given_back(asked.giver, "w1", asked.trials)
    assert sorted(trial for trials in moved.values() for trial in trials) == sorted(asked.trials)
    assert "b" not in moved


def test_a_dead_agents_present_trial_is_the_first_again() -> None:
    dealing = everybody("a")
    dealing.deal(["1", "2", "3"])
    dealing.saw("a", begun("1"))
    assert dealing.restart("a") == ["1", "2", "3"]
    dealing.saw("a", TrialsSkipped(trials=["1", "3"]))
    assert dealing.give_up("a") == ["2"]


def test_a_race_or_a_look_at_a_sentinel_is_nobodys_trial() -> None:
    dealing = everybody("a")
    dealing.deal(["1"])
    dealing.saw("a", TrialStarted(trial=reference("0"), stage="sentinel"))
    dealing.saw("a", measured("1", stage="finalists"))
    assert list(dealing.hands["a"].waiting) == ["1"]


@given(st.integers(1, 5), st.integers(0, 60), st.randoms(use_true_random=False))
def test_in_any_order_of_events_every_trial_is_measured_once(devices: int, count: int, chance: random.Random) -> None:
    """Agents of any speed, withdrawals answered late and in part, agents that die, devices that are lost."""
    names = [f"d{number}" for number in range(devices)]
    dealing = everybody(*names)
    queues: dict[str, list[str]] = {name: [] for name in names}  # what each agent really has
    orders: list[tuple[str, str, list[str]]] = []  # withdrawals on their way

    def send(dealt: dict[str, list[str]]) -> None:
        for name, trials in dealt.items():
            queues[name] += trials

    send(dealing.deal([str(number) for number in range(count)]))
    present: dict[str, str] = {}
    done: list[str] = []
    while not dealing.is_over:
        for withdrawal in dealing.withdrawals():
            command = f"w{chance.random()}"
            dealing.asked(withdrawal.giver, command)
            orders.append((withdrawal.giver, command, withdrawal.trials))
        name = chance.choice([each for each in names if not dealing.hands[each].gone])
        step = chance.random()
        if step < 0.1 and orders:
            giver, command, trials = orders.pop(chance.randrange(len(orders)))
            back = [trial for trial in trials if trial in queues[giver]]
            queues[giver] = [trial for trial in queues[giver] if trial not in back]
            send(dealing.given_back(giver, command, back))
        elif step < 0.12:  # its agent dies; the next one is told of everything
            orders = [order for order in orders if order[0] != name]
            present.pop(name, None)
            queues[name] = dealing.restart(name)
        elif step < 0.13 and sum(not hand.gone for hand in dealing.hands.values()) > 1:
            orders = [order for order in orders if order[0] != name]
            present.pop(name, None)
            queues[name] = []
            send(dealing.deal(dealing.give_up(name)))
        elif name in present:
            done.append(present.pop(name))
            dealing.saw(name, measured(done[-1], seconds=chance.random()))
        elif queues[name]:
            present[name] = queues[name].pop(0)
            dealing.saw(name, begun(present[name]))
    assert sorted(done) == sorted(map(str, range(count)))
