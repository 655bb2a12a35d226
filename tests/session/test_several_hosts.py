"""A sweep on several hosts at once: real agents, each in a host folder of its own, none of which measures anything twice."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from tests.agent.agent_runs import wait_for_death
from tests.session.hosts import Hosts, begin, until
from tunetui.core.errors import ExitCode, TunetuiError
from tunetui.core.leaderboard import THIRD_VERSION
from tunetui.core.snapshot import Run
from tunetui.session import Session
from tunetui.session.replaying import Replay


def complete(hosts: Hosts, trials: int) -> None:
    """Every trial has one outcome, no record was lost or taken twice, nobody is left at work."""
    assert list(hosts.outcomes().values()) == [1] * trials
    assert hosts.every_record_once()
    assert {row["status"] for row in hosts.rows().values()} == {"measured"}
    assert hosts.leaderboard()["run"]["ended"] == "done"


async def both_at_work(hosts: Hosts) -> tuple[Session, asyncio.Task[None]]:
    """A session that has begun a trial on each of two hosts."""
    session = await hosts.open("east", "west")
    running = begin(session)
    await until(session, lambda run: len(run.running) == 2)
    return session, running


async def cancelled(running: asyncio.Task[None]) -> None:
    """The app is gone without a word."""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_devices_of_one_model_share_a_queue_and_a_leaderboard(hosts: Hosts) -> None:
    hosts.grid(number=str(list(range(8))))
    session = await hosts.measure("local", "east", "west")
    complete(hosts, 8)
    assert set(hosts.measured_by()) == {"local", "east", "west"}
    assert [place.name for place in session.places] == ["cpu", "cpu@east", "cpu@west"]
    assert len(session.groups) == 1
    boards = hosts.leaderboard()["boards"]
    assert len(boards) == 1
    assert len(boards[0]["rows"]) == 8
    assert boards[0]["winner"]
    assert sorted(boards[0]["devices"]) == ["cpu", "cpu@east", "cpu@west"]
    assert {row["device"] for row in boards[0]["rows"]} == {"cpu", "cpu@east", "cpu@west"}
    assert {device.get("reached_as") for device in hosts.leaderboard()["devices"]} == {None, "east", "west"}
    assert hosts.leaderboard()["schema_version"] == THIRD_VERSION
    assert all(not hosts.agents_of(host) for host in ("local", "east", "west"))


async def test_a_device_that_is_done_takes_over_what_waits_at_another_and_nothing_is_measured_twice(
    hosts: Hosts,
) -> None:
    """One of two devices stands still: the other measures everything but the trial that the first has begun."""
    hosts.grid(how='["waits"]', number=str(list(range(20))))
    session = await hosts.open("east", "west")
    running = begin(session)
    stuck = await until(session, lambda run: len(run.running) == 2 and next(iter(run.running.values())).trial)
    row = session.snapshot.rows[stuck]
    for number in range(20):
        if number != row.configuration["number"]:
            hosts.open_gate(number)
    await until(session, lambda run: run.counts.measured == 19)
    hosts.open_gate()
    await running
    session.save()
    complete(hosts, 20)
    assert sorted(hosts.measured_by().values()) == [1, 19]
    kinds = [envelope["record"]["kind"] for envelope in hosts.records()]
    assert "TrialsWithdrawn" in kinds


async def test_a_dead_host_is_said_and_the_others_go_on(hosts: Hosts) -> None:
    hosts.dead = {"west"}
    session = await hosts.measure("east", "west")
    complete(hosts, 3)
    assert session.links["west"].state == "dead"
    assert "connection refused" in session.links["west"].text
    notices = [notice["text"] for notice in hosts.leaderboard()["notices"]]
    assert any("west takes no part: west cannot be reached: connection refused" in text for text in notices)


async def test_the_grid_names_hosts_unless_the_command_line_does(hosts: Hosts) -> None:
    hosts.grid('[hosts]\nuse = ["east", "west", "east"]')
    assert [place.host for place in (await hosts.open()).places] == ["east", "west"]
    await hosts.leave(hosts.sessions[0])
    assert [place.host for place in (await hosts.open("west")).places] == ["west"]


async def test_no_run_begins_where_all_hosts_are_dead(hosts: Hosts) -> None:
    hosts.dead = {"east", "west"}
    with pytest.raises(TunetuiError) as refused:
        await hosts.open("east", "west")
    assert refused.value.exit_code == ExitCode.UNAVAILABLE
    assert "east" in refused.value.hint
    assert "west" in refused.value.hint


async def test_an_agent_that_is_killed_is_replaced_and_loses_nothing(hosts: Hosts) -> None:
    hosts.grid(how='["waits"]', number=str(list(range(6))))
    session, running = await both_at_work(hosts)
    hosts.kill_agents("west")
    await until(session, lambda run: len(run.agents) == 3)
    hosts.open_gate()
    await running
    session.save()
    complete(hosts, 6)


async def test_a_host_whose_agents_die_again_and_again_leaves_its_trials_to_the_others(hosts: Hosts) -> None:
    hosts.grid(how='["waits"]', number=str(list(range(6))))
    session = await hosts.open("east", "west")
    running = begin(session)
    west = {place.name for place in session.places if place.host == "west"}
    killed: set[str] = set()

    def next_agent(run: Run) -> str:
        return next((s for s in run.running if run.placed[s].device in west and s not in killed), "")

    for _ in range(3):
        killed.add(await until(session, next_agent))
        hosts.kill_agents("west")
    hosts.open_gate()
    await running
    session.save()
    complete(hosts, 6)
    assert hosts.measured_by() == {"east": 6}
    assert any(notice.code == "trials-moved" for notice in session.snapshot.notices)


async def test_a_device_that_another_run_holds_is_left_out_with_its_holder(hosts: Hosts) -> None:
    hosts.grid(how='["waits"]', number="[1]")
    first = await hosts.open("east")
    going = begin(first)
    await until(first, lambda run: run.running)
    hosts.grid(number="[5, 6, 7]")
    from tunetui.session import BatchOptions

    other = BatchOptions(
        grid_path=hosts.folder / "grid.toml", output_stem=hosts.folder / "other", hosts=["east", "west"]
    )
    second = await Session.open(other, hosts.connect)
    hosts.sessions.append(second)
    await second.run()
    assert second.ended == "done"
    assert second.snapshot.counts.measured == 3
    (told,) = [notice.text for notice in second.snapshot.notices if notice.code == "place-lost"]
    holder = next(iter(first.snapshot.agents))
    assert "east is left out" in told
    assert holder in told
    hosts.open_gate()
    await going


@pytest.mark.parametrize("kill", [False, True])
async def test_an_app_that_leaves_is_followed_by_one_that_takes_all_hosts_up_again(hosts: Hosts, kill: bool) -> None:
    """Detached, or gone without a word: agents are still at work, and what they hold is measured once."""
    hosts.grid(how='["waits"]', number=str(list(range(8))))
    first, running = await both_at_work(hosts)
    if kill:
        await cancelled(running)
    else:
        first.detach()
        await running
        assert first.ended == ""
    await hosts.leave(first)
    assert len(hosts.agents_of("east")) == len(hosts.agents_of("west")) == 1

    second = await hosts.open("east", "west")
    assert second.resume.reattached
    assert second.resume.missing == 8
    again = begin(second)
    hosts.open_gate()
    await again
    second.save()
    complete(hosts, 8)
    started = len([e for e in hosts.records() if e["record"]["kind"] == "AgentStarted"])
    assert started == 2 or not kill  # those that were left may end before they hear of what others gave back


async def test_agents_whose_app_is_gone_measure_their_share_and_free_their_devices(hosts: Hosts) -> None:
    hosts.idle_seconds = 0.1
    hosts.grid(how='["waits"]', number=str(list(range(8))))
    first, running = await both_at_work(hosts)
    await cancelled(running)
    await hosts.leave(first)
    agents = [*hosts.agents_of("east"), *hosts.agents_of("west")]
    hosts.open_gate()
    for agent in agents:
        await asyncio.to_thread(wait_for_death, agent)
    second = await hosts.open("east", "west")
    assert (second.resume.done, second.resume.missing) == (8, 0)
    assert {agent.ended for agent in second.snapshot.agents.values()} == {"idle"}
    await second.run()
    second.save()
    complete(hosts, 8)


YEAR_SECONDS = 31_557_600.0


async def test_clocks_that_are_wrong_by_a_year_order_end_and_date_nothing(hosts: Hosts) -> None:
    """One host is a year ahead, one a year behind: all is dated by our clock, in the order in which it happened."""
    hosts.clock_ahead = {"east": YEAR_SECONDS, "west": -YEAR_SECONDS}
    hosts.grid(how='["waits"]', number=str(list(range(8))))
    hosts.edit("grid.toml", "[axes]", "[budget]\nminutes = 60\n[axes]")
    began = time.time()
    first, running = await both_at_work(hosts)
    first.detach()
    await running
    await hosts.leave(first)
    hosts.open_gate()
    session = await hosts.measure("east", "west")
    complete(hosts, 8)
    run = session.snapshot
    raw = {e["from"]: e["record"]["t"] - began for e in hosts.records() if e["record"]["kind"] == "AgentStarted"}
    assert {round(t / YEAR_SECONDS) for t in raw.values()} == {-1, 1}  # what the hosts wrote stays as it was
    now = time.time()
    assert all(began <= (row.measured_at or 0.0) <= now + 5 for row in run.current_rows())
    assert all(began <= happening.t <= now + 5 for happening in run.log)
    assert run.updated is not None
    assert began <= run.updated <= now + 5
    said = sorted(notice.text for notice in run.notices if notice.code == "host-clock")
    assert said == [
        "the clock of east is 1.0 years ahead of this machine's, by which times are told here",
        "the clock of west is 1.0 years behind this machine's, by which times are told here",
    ]
    stamps = [row["measured_at"][:4] for row in hosts.leaderboard()["boards"][0]["rows"]]
    assert set(stamps) <= {time.strftime("%Y", time.gmtime(t)) for t in (began, now)}
    replay = Replay(hosts.journal)
    assert replay.finish().updated == pytest.approx(run.updated, abs=1e-3)
    replay.close()


async def test_rows_are_kept_when_another_device_of_the_model_takes_their_place(hosts: Hosts) -> None:
    await hosts.measure("east")
    hosts.grid(number="[1, 2, 3, 4]")
    session = await hosts.open("west")
    assert session.resume.stale == {}
    assert (session.resume.done, session.resume.missing) == (3, 1)
    await session.run()
    session.save()
    complete(hosts, 4)
    assert hosts.measured_by() == {"east": 3, "west": 1}


async def test_agents_on_a_host_that_takes_no_part_now_are_said_and_their_trials_measured_here(hosts: Hosts) -> None:
    hosts.grid(how='["waits"]', number="[1, 2, 3, 4]")
    first, running = await both_at_work(hosts)
    await cancelled(running)
    await hosts.leave(first)
    hosts.kill_agents("west")
    second = await hosts.open("east")
    again = begin(second)
    hosts.open_gate()
    await again
    second.save()
    complete(hosts, 4)
    assert hosts.measured_by() == {"east": 4}
    assert any(notice.code == "agent-elsewhere" for notice in second.snapshot.notices)


async def test_finalists_measured_on_different_devices_are_raced_on_one(hosts: Hosts) -> None:
    hosts.grid(number=str(list(range(6))))
    hosts.edit("grid.toml", "finalists = 0", "finalists = 8\nfinalists_seconds = 1.0")
    session = await hosts.measure("east", "west")
    assert session.ended == "done"
    raced = [row for row in session.snapshot.current_rows() if row.stage == "finalists"]
    assert len({row.device for row in raced}) <= 1
    starts = [e["from"] for e in hosts.records() if e["record"]["kind"] == "RaceStarted"]
    assert len(starts) <= 1
    assert hosts.every_record_once()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: there is only one model of CPU here")
async def test_other_models_get_boards_of_their_own_and_keep_them_when_one_takes_no_part(hosts: Hosts) -> None:
    hosts.small = {"west"}
    session = await hosts.measure("local", "west")
    assert len(session.groups) == 2
    (plain, other) = [group.plan.trials for group in session.groups]
    assert {trial.id for trial in other} == {f"{trial.id}@{session.groups[1].model}" for trial in plain}
    boards = {board["device"]: board for board in hosts.leaderboard()["boards"]}
    assert set(boards) == {"cpu", "cpu@west"}
    assert all(len(board["rows"]) == 3 and "devices" not in board for board in boards.values())
    assert session.snapshot.counts.measured == 6
    assert list(hosts.outcomes().values()) == [1] * 6

    west = await hosts.open("west")
    assert (west.resume.done, west.resume.missing, west.resume.stale) == (3, 0, {})
    await hosts.leave(west)
    local = await hosts.open("local")
    assert (local.resume.done, local.resume.missing, local.resume.stale) == (3, 0, {})


async def test_a_run_whose_folder_was_wiped_is_said_and_measured_again(hosts: Hosts) -> None:
    hosts.grid(how='["waits"]', number="[1, 2, 3, 4]")
    first, running = await both_at_work(hosts)
    await cancelled(running)
    await hosts.leave(first)
    hosts.kill_agents("west")
    for run in hosts.runs("west"):  # whoever is being killed may still write there: it is gone from its place at once
        run.path.rename(hosts.folder / run.path.name)
    hosts.open_gate()
    second = await hosts.measure("east", "west")
    complete(hosts, 4)
    (told,) = [notice.text for notice in second.snapshot.notices if notice.code == "agent-gone"]
    assert "is no longer on west" in told
