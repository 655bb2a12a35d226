"""A session that is steered: what is asked reaches the agents that it concerns, and the snapshot says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.session.hosts import Hosts, begin, until
from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import SKIPPED, Row
from tunetui.session import Session


@pytest.fixture
async def hosts(hosts: Hosts) -> AsyncIterator[Hosts]:
    yield hosts.eight_that_wait()
    for session in hosts.sessions:
        await session.disconnect()


def row_of(session: Session, number: int) -> Row:
    (found,) = [row for row in session.snapshot.rows.values() if row.configuration["number"] == number]
    return found


def waiting_numbers(session: Session) -> list[int]:
    running = {progress.trial for progress in session.snapshot.running.values()}
    rows = session.snapshot.rows.values()
    return [int(row.configuration["number"]) for row in rows if row.status == "queued" and row.trial not in running]


PLACES = pytest.mark.parametrize("places", [("local",), ("east", "west")])


@PLACES
async def test_a_pause_holds_every_device_until_the_run_is_resumed(hosts: Hosts, places: tuple[str, ...]) -> None:
    session = await hosts.open(*places)
    running = begin(session)
    await until(session, lambda run: len(run.running) == len(places))
    session.request_pause()
    await until(session, lambda run: len(run.paused) == len(places))
    hosts.open_gate()
    await until(session, lambda run: run.counts.measured == len(places))
    assert session.snapshot.state == "paused"
    session.request_resume()
    await running
    assert session.ended == "done"
    assert session.snapshot.counts.measured == 8
    assert session.snapshot.paused == ()


@PLACES
async def test_skipped_trials_count_as_done_and_are_measured_after_they_are_queued_again(
    hosts: Hosts, places: tuple[str, ...]
) -> None:
    session = await hosts.open(*places)
    running = begin(session)
    await until(session, lambda run: len(run.running) == len(places))
    chosen = [row_of(session, number).trial for number in waiting_numbers(session)[:3]]
    present = next(iter(session.snapshot.running.values())).trial
    session.skip([*chosen, present])
    await until(session, lambda run: run.counts.skipped == 4)
    assert {session.snapshot.rows[trial].status for trial in (*chosen, present)} == {SKIPPED}
    session.requeue(chosen[:1])
    await until(session, lambda run: run.counts.skipped == 3)
    hosts.open_gate()
    await running
    assert session.ended == "done"
    assert (session.snapshot.counts.measured, session.snapshot.counts.skipped) == (5, 3)
    session.save()
    assert sum(row["status"] == "skipped" for row in hosts.leaderboard()["boards"][0]["rows"]) == 3
    assert hosts.leaderboard()["success_rate"] == 1.0


async def test_skipped_rows_stand_until_failed_ones_are_retried(hosts: Hosts) -> None:
    session = await hosts.open("local")
    running = begin(session)
    await until(session, lambda run: run.running)
    session.skip([row_of(session, waiting_numbers(session)[0]).trial])
    await until(session, lambda run: run.counts.skipped)
    hosts.open_gate()
    await running
    await hosts.leave(session)
    again = await hosts.open("local")
    assert again.resume.missing == 0
    await hosts.leave(again)
    retried = await hosts.measure("local", retry_failed=True)
    assert retried.snapshot.counts.measured == 8


async def test_a_pinned_trial_is_the_next_on_its_device(hosts: Hosts) -> None:
    session = await hosts.open("local")
    running = begin(session)
    await until(session, lambda run: run.running)
    last = row_of(session, waiting_numbers(session)[-1])
    present = next(iter(session.snapshot.running.values())).trial
    session.pin([last.trial])
    session.request_pause()
    await until(session, lambda run: run.paused)
    hosts.open_gate(int(session.snapshot.rows[present].configuration["number"]))
    await until(session, lambda run: run.counts.measured == 1)
    session.request_resume()
    await until(session, lambda run: last.trial in {progress.trial for progress in run.running.values()})
    hosts.open_gate()
    await running


@PLACES
async def test_a_row_is_measured_finer_by_the_device_that_measured_it(hosts: Hosts, places: tuple[str, ...]) -> None:
    session = await hosts.open(*places)
    running = begin(session)
    await until(session, lambda run: len(run.running) == len(places))
    first = next(iter(session.snapshot.running.values())).trial
    hosts.open_gate(int(session.snapshot.rows[first].configuration["number"]))
    await until(session, lambda run: run.rows[first].status == "measured")
    before = session.snapshot.rows[first]
    session.remeasure(first, 0.01)
    hosts.open_gate()
    await running
    after = session.snapshot.rows[first]
    assert (after.stage, after.device) == ("remeasured", before.device)
    assert len(after.samples_ns) > len(before.samples_ns)
    assert session.snapshot.counts.measured == 8
    with pytest.raises(TunetuiError, match="no agent is at work"):
        session.race_now()


async def test_the_best_are_raced_at_once_across_devices(hosts: Hosts) -> None:
    hosts.edit("grid.toml", "finalists = 0", "finalists = 8\nfinalists_seconds = 0.5")
    session = await hosts.open("east", "west")
    running = begin(session)
    await until(session, lambda run: len(run.running) == 2)
    for progress in list(session.snapshot.running.values()):
        hosts.open_gate(int(session.snapshot.rows[progress.trial].configuration["number"]))
    await until(session, lambda run: run.counts.measured == 2)
    session.race_now()
    hosts.open_gate()
    await running
    assert session.ended == "done"
    assert session.snapshot.counts.measured == 8


async def test_what_cannot_be_done_is_said(hosts: Hosts) -> None:
    session = await hosts.open("local")
    with pytest.raises(TunetuiError, match="no agent is at work"):
        session.request_pause()
    with pytest.raises(TunetuiError, match="no trial"):
        session.skip(["nonsense"])
    trial = session.plan.trials[0].id
    with pytest.raises(TunetuiError, match="was measured"):
        session.remeasure(trial, 0.1)
