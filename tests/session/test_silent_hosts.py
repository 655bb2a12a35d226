"""Hosts that are reached and do not answer as a run is taken up: the others go on at once, and what was theirs stays theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engines.hanging import Hang, Silences, hung_list
from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, left_with_two_at_work, until
from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import Run
from tunetui.session import Session, following, working
from tunetui.session.attaching import Attached, Why
from tunetui.session.linking import LinkOptions
from tunetui.session.reaching import Reach
from tunetui.session.visiting import Hope

AGAIN = "it is tried again while the run goes on"


@pytest.fixture
def hosts(hosts: Hosts) -> Hosts:
    return hosts.eight_that_wait()


async def opened(hosts: Hosts, *names: str) -> Session:
    return await hosts.open(*names, together_seconds=0.0, hope=Hope((0.02,), PATIENCE_SECONDS))


def told(run: Run, code: str) -> list[str]:
    return [notice.text for notice in run.notices if notice.code == code]


def of_west(hosts: Hosts, file: str) -> Path:
    """A file of the run that west has at work."""
    (run,) = hosts.runs("west")
    return Path(run.path / file)


async def goes_on_to_its_end(hosts: Hosts, session: Session, running: asyncio.Task[None]) -> None:
    """West has joined; every trial is measured once, by the agents that had it in hand, and every record is here once."""
    await until(session, lambda run: told(run, "place-joined"))
    hosts.open_gate()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert session.ended == "done"
    assert list(hosts.outcomes().values()) == [1] * 8
    assert hosts.every_record_once()
    assert told(session.snapshot, "measured-again") == []
    assert len(session.snapshot.agents) == 2


async def test_a_host_that_cannot_say_what_is_at_work_there_delays_nobody_and_joins_when_it_can(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left_with_two_at_work(hosts)
    hang, silences = hung_list(hosts.root("west")), Silences(monkeypatch, "west")
    session = await opened(hosts, "east", "west")
    running = begin(session)
    hosts.open_gate(0)
    await until(session, lambda run: run.counts.measured)  # while west is still asked
    await silences.twice(hang)
    (said,) = await until(session, lambda run: told(run, "place-left-out"))
    assert said == (
        f"west takes no part: west said nothing for 20 s, twice, when it was asked to list its runs; {AGAIN}"
    )
    assert session.links["west"].state == "connecting"
    hang.release()
    await goes_on_to_its_end(hosts, session, running)
    hang.close()


async def test_a_host_that_hangs_when_its_agents_are_to_be_dealt_is_gone_on_without_until_it_answers(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left_with_two_at_work(hosts)
    hang, silences = Hang(of_west(hosts, "spec.json")), Silences(monkeypatch, "west")
    session = await hosts.open("east", "west", hope=Hope((0.02,), PATIENCE_SECONDS), together_seconds=PATIENCE_SECONDS)
    assert {alive.host for alive in session._alive} == {"east", "west"}
    running = begin(session)
    await silences.twice(hang)
    (said,) = await until(session, lambda run: told(run, "place-left-out"))
    assert said.endswith(f"when it was asked to tell what it keeps of a run; {AGAIN}")
    await until(session, lambda run: told(run, "kept-for-host"))
    hang.release()
    await goes_on_to_its_end(hosts, session, running)
    hang.close()


async def test_a_run_whose_only_host_hangs_has_not_ended(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    await left_with_two_at_work(hosts)
    hang, silences = Hang(of_west(hosts, "spec.json")), Silences(monkeypatch, "west")
    session = await opened(hosts, "west")
    running = begin(session)
    await silences.twice(hang)
    with pytest.raises(TunetuiError, match="west said nothing") as caught:
        await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert "the run goes on on west: tunetui attach" in caught.value.hint
    assert (session.ended, session.snapshot.ended) == ("", None)
    hang.close()


async def test_a_run_that_is_only_followed_takes_up_a_host_when_it_answers(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await left_with_two_at_work(hosts)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.0)
    hang, silences = hung_list(hosts.root("west")), Silences(monkeypatch, "west")
    reach = Reach(LinkOptions(), connect=hosts.connect, gone_seconds=PATIENCE_SECONDS)
    why = Why("another deals it", in_other_hands=True)
    opening = asyncio.create_task(Attached.open(str(hosts.journal.parent), reach, why=why))
    await silences.twice(hang)
    attached = await asyncio.wait_for(opening, PATIENCE_SECONDS)
    assert {host: link.state for host, link in attached.links.items()} == {"east": "ready", "west": "connecting"}
    (said,) = told(attached.snapshot, "host-unreachable")
    assert said == "west: west said nothing for 20 s, twice, when it was asked to list its runs"
    running = asyncio.create_task(attached.run())
    hang.release()
    hosts.open_gate()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while attached.snapshot.counts.measured < 8:  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0.01)
    assert attached.links["west"].state == "ready"
    attached.request_stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    attached.close()
    await attached.disconnect()
    assert hosts.every_record_once()
    hang.close()


async def test_how_long_there_is_nothing_to_do_is_counted_from_the_last_trial(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    hosts.away = {"west"}
    clock, idle = Clock(), list[float]()
    monkeypatch.setattr(working, "time", clock)
    session = await opened(hosts, "east", "west")

    def is_over(seconds: float) -> bool:
        idle.append(seconds)
        return True

    monkeypatch.setattr(session, "_is_over", is_over)
    running = begin(session)
    await until(session, lambda run: run.running)
    clock.now = 1000.0  # that a trial took
    hosts.open_gate()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert idle[0] == 0.0
