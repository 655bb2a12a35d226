"""Runs that nobody has in hand are taken up again: from what is kept here, or from what their hosts keep of them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, until
from tests.ssh.accounts import taken_over
from tunetui.core.costs import host_costs
from tunetui.core.errors import InputError, TunetuiError
from tunetui.session import LinkOptions, Session
from tunetui.session.attaching import Attached
from tunetui.session.run_life import Reach, stop
from tunetui.session.taking_up import Attaching, attach
from tunetui.store.runs import RunHeldError


@pytest.fixture
def hosts(hosts: Hosts) -> Hosts:
    return hosts.eight_that_wait()


async def begun(hosts: Hosts) -> Session:
    """A run on two hosts, one trial of each under way."""
    first = await hosts.open("east", "west")
    first.task = begin(first)  # type: ignore[attr-defined]
    await until(first, lambda run: len(run.running) == 2)
    return first


async def killed(hosts: Hosts, session: Session) -> None:
    """As a killed app leaves it."""
    session.task.cancel()  # type: ignore[attr-defined]
    await asyncio.gather(session.task, return_exceptions=True)  # type: ignore[attr-defined]
    await hosts.leave(session)


def elsewhere(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From here on this is another machine, as far as files go."""
    folder = hosts.folder / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.chdir(folder)
    return folder


async def taken_up(hosts: Hosts, *where: str, run: str = "") -> Session | Attached:
    how = Attaching(Reach(LinkOptions(), connect=hosts.connect), where, usd_per_hour=dict.fromkeys(where, 1.0))
    found = await attach(run or hosts.journal.parent.name, how)
    if isinstance(found, Session):
        hosts.sessions.append(found)
    return found


async def to_the_end(taken: Session | Attached) -> None:
    await asyncio.wait_for(taken.run(), PATIENCE_SECONDS)
    taken.save()
    taken.close()
    await taken.disconnect()


def as_the_agents_wrote_it(hosts: Hosts, journal: Path) -> bool:
    """Whether every agent's records are here once, and byte for byte the same."""
    agents = {run.name: run.journal.read_bytes() for host in ("east", "west") for run in hosts.runs(host)}
    here = {source: b"\n".join(lines) + b"\n" for source, lines in taken_over(journal).items() if source != "app"}
    return here == agents


async def test_what_is_left_is_dealt_to_all_devices_though_the_grid_is_gone(hosts: Hosts) -> None:
    """One of two agents is dead, too: another takes its place, as with the app that began the run."""
    await killed(hosts, await begun(hosts))
    hosts.kill_agents("west")
    (hosts.folder / "grid.toml").unlink()
    taken = await taken_up(hosts)
    assert isinstance(taken, Session)
    running = begin(taken)
    await until(taken, lambda run: len(run.running) == 2)
    with pytest.raises(RunHeldError):
        await taken_up(hosts)
    hosts.open_gate()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    taken.save()
    await hosts.leave(taken)
    assert taken.ended == "done"
    assert list(hosts.outcomes().values()) == [1] * 8
    assert set(hosts.measured_by()) == {"east", "west"}
    assert as_the_agents_wrote_it(hosts, hosts.journal)
    assert len(hosts.rows()) == 8


async def test_a_run_that_has_ended_is_only_shown_and_says_why(hosts: Hosts) -> None:
    hosts.open_gate()
    await hosts.measure("east", "west")
    taken = await taken_up(hosts)
    assert isinstance(taken, Attached)
    assert taken.why == "it has ended"
    await to_the_end(taken)
    assert taken.ended == "done"


async def test_a_run_that_somebody_stopped_is_not_begun_again(hosts: Hosts) -> None:
    await killed(hosts, await begun(hosts))
    agents = [*hosts.agents_of("east"), *hosts.agents_of("west")]
    reach = Reach(LinkOptions(), connect=hosts.connect)
    assert (await stop(hosts.journal.parent.name, [], reach, now=True)).everybody
    for agent in agents:
        await asyncio.to_thread(wait_for_death, agent)
    taken = await taken_up(hosts)
    assert isinstance(taken, Attached)
    assert taken.why == "somebody has ended it"
    await to_the_end(taken)
    assert taken.ended == "interrupted"


async def test_a_run_begun_on_another_machine_is_taken_up_with_every_record(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begun(hosts)
    name = hosts.journal.parent.name
    for number in range(3):
        hosts.open_gate(number)
    await until(first, lambda run: run.counts.measured >= 1)
    await killed(hosts, first)
    folder = elsewhere(hosts, monkeypatch)
    taken = await taken_up(hosts, "east", "west", run=name[:6])
    assert isinstance(taken, Session)
    assert taken.resume.reattached
    assert taken.snapshot.counts.total == 8
    hosts.open_gate()
    await to_the_end(taken)
    assert taken.ended == "done"
    assert taken.snapshot.counts.measured == 8
    journal = folder / "data" / "tunetui" / "runs" / name / "journal.jsonl"
    assert as_the_agents_wrote_it(hosts, journal)
    board = json.loads((folder / f"{name}.leaderboard.json").read_bytes())["boards"][0]
    assert len(board["rows"]) == 8
    costs = host_costs(taken.snapshot.shifts.values())
    assert {each.host for each in costs if each.usd} == {"east", "west"}
    outcomes = journal.read_bytes().count(b'"kind":"TrialMeasured"')
    assert outcomes == 8
    again = await taken_up(hosts, "east", run=name)
    assert isinstance(again, Attached)
    again.close()
    await again.disconnect()


async def test_a_run_that_another_machine_has_in_hand_is_only_followed(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begun(hosts)
    name = hosts.journal.parent.name
    folder = elsewhere(hosts, monkeypatch)
    taken = await taken_up(hosts, "east", "west", run=name)
    assert isinstance(taken, Attached)
    assert re.fullmatch(r"another tunetui \(.+, process \d+\) deals this run; following", taken.why)
    following = asyncio.create_task(to_the_end(taken))
    hosts.open_gate()
    await asyncio.wait_for(first.task, PATIENCE_SECONDS)  # type: ignore[attr-defined]
    await following
    assert first.ended == "done"
    assert taken.snapshot.counts.measured == 8
    assert as_the_agents_wrote_it(hosts, folder / "data" / "tunetui" / "runs" / name / "journal.jsonl")


async def test_what_a_host_lacks_for_that_is_said_with_what_can_be_done_instead(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await begun(hosts)
    await killed(hosts, first)
    name = hosts.journal.parent.name
    elsewhere(hosts, monkeypatch)
    for where in ([], ["east"]):
        with pytest.raises(InputError, match="no run is named"):
            await attach("", Attaching(Reach(LinkOptions(), connect=hosts.connect), where))
    with pytest.raises(InputError, match="there is no run 'nonsense' here, nor on east"):
        await taken_up(hosts, "east", run="nonsense")
    with pytest.raises(InputError, match=f"there is no run '{name}'"):
        await taken_up(hosts)
    (run,) = hosts.runs("east")
    spec = json.loads(run.spec.read_text())
    run.spec.write_text(json.dumps({**spec, "about": {}}))
    with pytest.raises(TunetuiError, match=f"east keeps too little of {run.name} to take it up from here") as refused:
        await taken_up(hosts, "east", run=name)
    assert f"tunetui stop {run.name} --host east ends it" in refused.value.hint
    (Path("data") / "tunetui" / "runs" / name).mkdir(parents=True)
    (Path("data") / "tunetui" / "runs" / name / "journal.jsonl").touch()
    with pytest.raises(InputError, match=f"another run is kept here under the name {name}"):
        await taken_up(hosts, "west", run=run.name[: len(name) + 3])
