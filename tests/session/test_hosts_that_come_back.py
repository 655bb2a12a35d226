"""Hosts that do not answer when a run begins: tried again while it is on, they join it, and what they may have is theirs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, left_with_two_at_work, until
from tunetui.core.snapshot import Run
from tunetui.session import Session
from tunetui.session.visiting import Hope

OFTEN = (0.02,)
SAID = "west takes no part: west: nothing listens there; it is tried again while the run goes on"
HELD = "4 trials that agents on west may have in hand, or have measured since they were heard of"


@pytest.fixture
def hosts(hosts: Hosts) -> Hosts:
    return hosts.eight_that_wait()


async def opened(hosts: Hosts, *names: str, kept_seconds: float = PATIENCE_SECONDS, **options: Any) -> Session:
    hope = Hope(pauses_seconds=OFTEN, kept_seconds=kept_seconds)
    return await hosts.open(*names, **{"together_seconds": 0.0, "hope": hope} | options)


async def ended(running: asyncio.Task[None]) -> None:
    await asyncio.wait_for(running, PATIENCE_SECONDS)


def told(run: Run, code: str) -> list[str]:
    return [notice.text for notice in run.notices if notice.code == code]


def each_once(hosts: Hosts, session: Session) -> None:
    assert session.ended == "done"
    assert list(hosts.outcomes().values()) == [1] * 8
    assert hosts.every_record_once()


async def test_a_host_that_is_down_at_first_joins_when_it_answers(hosts: Hosts) -> None:
    hosts.away = {"west"}
    session = await opened(hosts, "east", "west")
    assert (session.links["west"].state, session.links["west"].text) == ("connecting", "west: nothing listens there")
    running = begin(session)
    await until(session, lambda run: run.running)
    assert told(session.snapshot, "place-left-out") == [SAID]
    hosts.away = set()
    await until(session, lambda run: len(run.running) == 2)
    assert session.links["west"].state == "ready"
    hosts.open_gate()
    await ended(running)
    each_once(hosts, session)
    assert set(hosts.measured_by()) == {"east", "west"}
    assert told(session.snapshot, "place-left-out") == [SAID]  # once, however often it was tried
    assert [text.rpartition(" of ")[2] for text in told(session.snapshot, "place-joined")] == [
        "west has joined the run"
    ]


async def test_a_run_does_not_wait_for_a_host_that_does_not_answer(hosts: Hosts) -> None:
    hosts.away = {"west"}
    hosts.open_gate()
    session = await opened(hosts, "east", "west")
    await ended(begin(session))
    each_once(hosts, session)
    assert hosts.measured_by() == {"east": 8}
    first, last = told(session.snapshot, "place-left-out")
    assert first == SAID
    assert last == "west took no part: it did not answer before the run ended or was left"


async def test_a_host_that_answers_at_last_and_lets_nobody_in_is_left_out_for_good(hosts: Hosts) -> None:
    hosts.away = {"west"}
    session = await opened(hosts, "east", "west")
    running = begin(session)
    await until(session, lambda run: run.running)
    hosts.dead, hosts.away = {"west"}, set()
    found = await until(session, lambda run: told(run, "place-left-out")[1:])
    assert found == ["west takes no part: west cannot be reached: connection refused"]
    assert session.links["west"].state == "dead"
    assert session.expected == []
    hosts.open_gate()
    await ended(running)
    each_once(hosts, session)


async def test_where_all_hosts_are_waited_for_none_is_tried_again(hosts: Hosts) -> None:
    hosts.away = {"west"}
    session = await opened(hosts, "east", "west", together_seconds=None)
    assert session.links["west"].state == "dead"
    assert session.expected == []


async def test_what_a_host_may_have_from_an_earlier_start_is_kept_until_it_answers(hosts: Hosts) -> None:
    await left_with_two_at_work(hosts)
    hosts.away = {"west"}
    hosts.open_gate()
    session = await opened(hosts, "east", "west")
    running = begin(session)
    await until(session, lambda run: run.counts.measured == 4)
    kept = told(session.snapshot, "kept-for-host")
    assert kept == [f"{HELD}: measured by others only once there is nothing else to do"]
    hosts.away = set()
    await ended(running)
    each_once(hosts, session)
    assert told(session.snapshot, "measured-again") == []
    assert not hosts.agents_of("west")


async def test_what_it_may_have_is_measured_by_others_in_the_end_and_that_is_said(hosts: Hosts) -> None:
    await left_with_two_at_work(hosts)
    hosts.kill_agents("west")
    hosts.away = {"west"}
    hosts.open_gate()
    session = await opened(hosts, "east", "west", kept_seconds=0.0)
    await ended(begin(session))
    each_once(hosts, session)
    assert hosts.measured_by() == {"east": 8}
    assert told(session.snapshot, "measured-again") == [f"{HELD}: measured by others, as west does not answer"]
    assert told(session.snapshot, "place-left-out")[-1].endswith("agents of this run may be at work there")


async def test_a_host_that_comes_after_its_trials_went_to_others_ends_what_it_has_in_hand(hosts: Hosts) -> None:
    await left_with_two_at_work(hosts)
    (first,) = [run.name for run in hosts.runs("west")]
    hosts.away = {"west"}
    session = await opened(hosts, "east", "west", kept_seconds=0.0)
    running = begin(session)
    done: set[str] = set()

    def on_east(run: Run) -> str:
        present = {each.trial for source, each in run.running.items() if run.placed[source].host == "east"}
        return next(iter(present - done), "")

    for _ in range(4):  # east's own, one after the other, until it has nothing else to do
        trial = await until(session, on_east)
        done.add(trial)
        hosts.open_gate(int(session.snapshot.rows[trial].configuration["number"]))
    assert await until(session, on_east)
    assert told(session.snapshot, "measured-again")
    hosts.away = set()
    await until(session, lambda run: told(run, "place-joined"))
    assert session.snapshot.agents[first].ended == "cancelled"
    hosts.open_gate()
    await ended(running)
    assert session.ended == "done"
    assert hosts.every_record_once()
    assert session.snapshot.counts.measured == 8


@pytest.mark.parametrize("takes_no_part", ["it is not named", "it lets nobody in"])
async def test_what_is_measured_again_for_a_host_that_takes_no_part_is_said(hosts: Hosts, takes_no_part: str) -> None:
    await left_with_two_at_work(hosts)
    hosts.kill_agents("west")
    hosts.open_gate()
    hosts.dead = {"west"}
    names = ["east"] if takes_no_part == "it is not named" else ["east", "west"]
    session = await opened(hosts, *names, together_seconds=None)
    await ended(begin(session))
    each_once(hosts, session)
    assert told(session.snapshot, "measured-again") == [f"{HELD}: measured by others, as west takes no part"]
