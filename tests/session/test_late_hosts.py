"""Hosts that are ready after others: they delay nobody, join the run that is on, and measure nothing twice."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, left_with_two_at_work, until
from tunetui.core.costs import host_costs
from tunetui.core.errors import ExitCode, TunetuiError
from tunetui.core.snapshot import Run
from tunetui.session import Session


@pytest.fixture
def hosts(hosts: Hosts) -> Hosts:
    return hosts.eight_that_wait()


def blocked(hosts: Hosts, *names: str) -> list[asyncio.Event]:
    """Hosts that answer nothing until the event of each is set."""
    hosts.on_their_way |= {name: asyncio.Event() for name in names}
    return [hosts.on_their_way[name] for name in names]


async def open_at_once(hosts: Hosts, *names: str, **options: Any) -> Session:
    return await hosts.open(*names, together_seconds=0.0, **options)


async def ended(running: asyncio.Task[None]) -> None:
    await asyncio.wait_for(running, PATIENCE_SECONDS)


def told(run: Run, code: str) -> list[str]:
    return [notice.text for notice in run.notices if notice.code == code]


def complete(hosts: Hosts, session: Session, trials: int = 8) -> None:
    assert session.ended == "done"
    assert list(hosts.outcomes().values()) == [1] * trials
    assert hosts.every_record_once()
    assert {row.status for row in session.snapshot.current_rows()} == {"measured"}


async def test_a_run_begins_on_the_host_that_is_ready_and_takes_in_those_that_come_later(hosts: Hosts) -> None:
    """One host answers, one is silent and then dead, one is silent and then ready: it takes of what waits."""
    gone, west = blocked(hosts, "gone", "west")
    prices = {"gone": 4.0, "east": 1.0, "west": 2.0}
    session = await open_at_once(hosts, "gone", "east", "west", usd_per_hour=prices)
    assert session.expected == ["gone", "west"]
    assert [place.host for place in session.places] == ["east"]
    running = begin(session)
    await until(session, lambda run: len(run.running) == 1)
    hosts.dead = {"gone"}
    gone.set()
    (text,) = await until(session, lambda run: told(run, "place-left-out"))
    assert text == "gone takes no part: gone cannot be reached: connection refused"
    assert session.links["gone"].state == "dead"
    west.set()
    await until(session, lambda run: len(run.running) == 2)
    assert [place.host for place in session.places] == ["east", "west"]
    assert len(session.groups) == 1
    assert session.expected == []
    hosts.open_gate()
    await ended(running)
    session.save()
    complete(hosts, session)
    assert set(hosts.measured_by()) == {"east", "west"}
    assert len(hosts.leaderboard()["boards"]) == 1
    costs = {each.host: each for each in host_costs(session.snapshot.shifts.values())}
    assert set(costs) == {"east", "west"}  # each for the hours in which it was at work, however late it came
    assert all(each.usd == pytest.approx(each.hours * prices[host]) for host, each in costs.items())
    assert 0 < costs["west"].hours < costs["east"].hours
    assert not hosts.agents_of("east")
    assert not hosts.agents_of("west")


async def test_a_host_that_comes_when_all_is_measured_ends_the_run_with_nothing_to_do(hosts: Hosts) -> None:
    (west,) = blocked(hosts, "west")
    hosts.open_gate()
    session = await open_at_once(hosts, "east", "west")
    running = begin(session)
    await until(session, lambda run: run.counts.measured == 8)
    assert not running.done()
    west.set()
    await ended(running)
    complete(hosts, session)
    assert hosts.measured_by() == {"east": 8}
    assert told(session.snapshot, "place-joined")


@pytest.mark.parametrize("how", ["stop", "cancel", "leave"])
async def test_a_run_that_only_waits_for_a_host_is_ended_without_it(hosts: Hosts, how: str) -> None:
    blocked(hosts, "west")
    hosts.open_gate()
    session = await open_at_once(hosts, "east", "west")
    running = begin(session)
    await until(session, lambda run: run.counts.measured == 8)
    {"stop": session.request_stop, "cancel": session.request_cancel, "leave": session.detach}[how]()
    await ended(running)
    await hosts.leave(session)
    assert session.ended == ("" if how == "leave" else "interrupted")
    assert any(text.startswith("west took no part") for text in told(session.snapshot, "place-left-out"))
    assert hosts.measured_by() == {"east": 8}


async def test_a_run_is_stopped_while_one_host_measures_and_another_is_awaited(hosts: Hosts) -> None:
    blocked(hosts, "west")
    session = await open_at_once(hosts, "east", "west")
    running = begin(session)
    await until(session, lambda run: run.running)
    session.request_stop()
    hosts.open_gate()
    await ended(running)
    assert session.ended == "interrupted"
    assert session.snapshot.counts.measured < 8


async def test_a_run_whose_one_host_is_lost_goes_on_with_the_one_that_comes(hosts: Hosts) -> None:
    (west,) = blocked(hosts, "west")
    session = await open_at_once(hosts, "east", "west")
    running = begin(session)
    killed: set[str] = set()
    for _ in range(3):
        killed.add(await until(session, lambda run: next((s for s in run.running if s not in killed), "")))
        hosts.kill_agents("east")
    await until(session, lambda run: len([n for n in run.notices if n.code == "agent-died"]) == 3)
    hosts.open_gate()
    west.set()
    await ended(running)
    complete(hosts, session)
    assert hosts.measured_by() == {"west": 8}


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: there is only one model of CPU here")
async def test_a_late_host_of_another_model_gets_a_group_of_its_own_and_keeps_it(hosts: Hosts) -> None:
    hosts.small = {"west"}
    (west,) = blocked(hosts, "west")
    hosts.grid(number="[1, 2, 3]")
    session = await open_at_once(hosts, "local", "west")
    running = begin(session)
    await until(session, lambda run: run.counts.measured == 3)
    west.set()
    await ended(running)
    session.save()
    await hosts.leave(session)
    complete(hosts, session, 6)
    assert hosts.measured_by() == {"local": 3, "west": 3}
    boards = {board["device"]: len(board["rows"]) for board in hosts.leaderboard()["boards"]}
    assert boards == {"cpu": 3, "cpu@west": 3}
    again = await hosts.open("west", "local")
    assert (again.resume.done, again.resume.missing, again.resume.stale) == (6, 0, {})


@pytest.mark.parametrize("edited", [False, True])
async def test_agents_at_work_on_a_late_host_keep_what_they_hold(hosts: Hosts, edited: bool) -> None:
    """Nobody else measures it, also where the grid asks for more than before: they are taken up when the host comes."""
    await left_with_two_at_work(hosts)
    trials = 8
    if edited:
        trials = 10
        hosts.grid(how='["waits"]', number=str(list(range(trials))))
    (west,) = blocked(hosts, "west")
    hosts.open_gate()
    second = await open_at_once(hosts, "east", "west")
    again = begin(second)
    await until(second, lambda run: run.counts.measured == trials - 4)
    west.set()
    await ended(again)
    second.save()
    complete(hosts, second, trials)
    assert (
        hosts.measured_by()["west"] >= 1
    )  # until then all four were kept for it; an idle one may take from a slow one
    assert not hosts.agents_of("west")


async def test_what_agents_on_a_late_host_held_is_measured_by_others_where_it_fails(hosts: Hosts) -> None:
    await left_with_two_at_work(hosts)
    hosts.kill_agents("west")
    (west,) = blocked(hosts, "west")
    hosts.open_gate()
    second = await open_at_once(hosts, "east", "west")
    again = begin(second)
    await until(second, lambda run: run.counts.measured == 4)
    hosts.dead = {"west"}
    west.set()
    await ended(again)
    complete(hosts, second)
    assert hosts.measured_by() == {"east": 8}


async def test_nothing_begins_where_all_hosts_fail_one_after_the_other(hosts: Hosts) -> None:
    (west,) = blocked(hosts, "west")
    hosts.dead = {"east", "west"}
    opening = asyncio.create_task(open_at_once(hosts, "east", "west"))
    asyncio.get_running_loop().call_soon(west.set)
    with pytest.raises(TunetuiError) as refused:
        await opening
    assert refused.value.exit_code == ExitCode.UNAVAILABLE
    assert "east" in refused.value.hint
    assert "west" in refused.value.hint
