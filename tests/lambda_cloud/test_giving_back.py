"""Ends that are confirmed, and a ledger that follows what the account says."""

from __future__ import annotations

import itertools

import pytest

from tests.lambda_cloud.cloud import BEFORE, KEY, QUICK, Cloud, Fault, Reply
from tests.lambda_cloud.renting import ORDER, Renting
from tunetui.core.errors import InputError
from tunetui.hosts.lambda_cloud.account import UNSEEN_SECONDS
from tunetui.hosts.lambda_cloud.refusals import LambdaError

TERMINATE = "POST /instance-operations/terminate"


async def test_an_end_is_waited_for_until_the_instance_is_gone(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    over = await renting.account().terminate(entry.name, renting.said.append)
    assert renting.cloud.alive() == []
    assert over.state == "gone"
    assert renting.said[0].endswith("is terminating")
    assert renting.cloud.requests.count(TERMINATE) == 1


@pytest.mark.parametrize("fault", [*BEFORE, *QUICK])
async def test_an_end_is_asked_for_again_where_the_answer_is_lost(renting: Renting, fault: Fault) -> None:
    entry = await renting.account().launch(ORDER)
    renting.cloud.faults += [(TERMINATE, fault), ("GET", fault)]
    assert (await renting.account().terminate(entry.name)).state == "gone"
    assert renting.cloud.alive() == []


async def test_an_end_that_is_not_confirmed_is_not_claimed(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    renting.cloud.end_seconds = 1e9
    with pytest.raises(LambdaError, match=r"is not confirmed \(still there after 15 min\)") as caught:
        await renting.account().terminate(entry.name)
    assert "may still cost" in caught.value.hint
    assert [e.state for e in renting.ledger.open_entries()] == ["ending"]


async def test_an_end_that_does_not_take_is_asked_for_again(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    [machine] = renting.cloud.alive()
    asked: list[float] = []
    terminate = renting.cloud._terminate

    def deaf(line: str, identities: list[str]) -> Reply:
        asked.append(renting.clock.time)
        reply = terminate(line, identities)
        if len(asked) < 3:
            machine.ending_since = None
        return reply

    renting.cloud._terminate = deaf  # type: ignore[method-assign]
    assert (await renting.account().terminate(entry.name)).state == "gone"
    assert len(asked) == 3


async def test_an_instance_that_is_not_listed_yet_is_not_taken_for_gone(renting: Renting) -> None:
    renting.cloud.unlisted_seconds = 120.0
    entry = await renting.account().launch(ORDER)
    assert [e.name for e in (await renting.account().survey()).entries] == [entry.name]
    assert (await renting.account().terminate(entry.name)).state == "gone"
    assert renting.cloud.alive() == []


async def test_one_that_was_ended_behind_our_back_is_noticed(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    await renting.account().survey()
    [machine] = renting.cloud.alive()
    renting.cloud.forget(machine)
    found = await renting.account().survey()
    assert (found.entries, [e.name for e in found.ended]) == ([], [entry.name])
    assert "by other means" in renting.ledger.entries()[entry.name].text


@pytest.mark.parametrize("status", ["terminated", "preempted"])
async def test_a_status_that_costs_nothing_ends_the_entry(renting: Renting, status: str) -> None:
    await renting.account().launch(ORDER)
    renting.cloud.alive()[0].forced = status
    [entry] = (await renting.account().survey()).ended
    assert (entry.state, entry.text) == ("gone", status)


async def test_a_status_that_nobody_knows_is_taken_for_one_that_costs(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    renting.cloud.alive()[0].forced = "hibernating\x1b[2J"
    found = await renting.account().survey()
    assert [e.name for e in found.entries] == [entry.name]
    assert [i.status for i in found.instances.values()] == ["hibernating\\x1b[2J"]


async def test_instances_of_others_are_shown_and_left_alone(renting: Renting) -> None:
    other = renting.cloud.add("tunetui-1x-a10-ffffffff-t1")  # a name like ours, of another machine
    found = await renting.account().survey()
    assert ([i.id for i in found.foreign], found.entries) == ([other.id], [])
    with pytest.raises(InputError, match="has launched no"):
        await renting.account().terminate(other.name)
    assert TERMINATE not in renting.cloud.requests


async def test_what_another_key_has_launched_is_not_taken_for_gone(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    await renting.account().survey()
    elsewhere = Cloud(renting.clock.now)
    machines, renting.cloud.machines = renting.cloud.machines, elsewhere.machines
    other = renting.account()
    other._key_mark = "00000000"
    renting.clock.time += UNSEEN_SECONDS
    assert [e.name for e in (await other.survey()).unseen_keys] == [entry.name]
    renting.cloud.machines = machines
    assert [e.name for e in (await renting.account(KEY).survey()).entries] == [entry.name]


async def test_a_list_that_is_none_says_nothing_of_what_is_gone(renting: Renting) -> None:
    await renting.account().launch(ORDER)
    await renting.account().survey()
    renting.cloud.faults += [("GET /instances", "wrong shape")] * 5
    with pytest.raises(LambdaError, match="is none"):
        await renting.account().survey()
    assert len(renting.ledger.open_entries()) == 1


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_list_is_asked_for_again_after_what_passes(renting: Renting, fault: Fault) -> None:
    renting.cloud.add("theirs")
    renting.cloud.faults += [("GET /instances", fault)] * 4
    assert len((await renting.account().survey()).foreign) == 1
    assert min(b - a for (a, _), (b, _) in itertools.pairwise(renting.cloud.at)) >= 1.0


async def test_requests_wait_as_long_as_lambda_asks(renting: Renting) -> None:
    renting.cloud.faults += [("GET /instances", "429 later")]
    await renting.account().survey()
    (first, _), (second, _) = renting.cloud.at
    assert second - first >= 7.0


async def test_the_cost_is_counted_by_the_minute_from_the_launch_on(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    assert entry.usd_until(entry.asked_at) == pytest.approx(1.29 / 60)
    assert entry.usd_until(entry.asked_at + 3599) == pytest.approx(1.29)
    assert entry.usd_until(entry.asked_at + 3661) == pytest.approx(1.29 * 62 / 60)
