"""Launches: written down first, sent once, and found again whatever happened to the reply."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from tests.lambda_cloud.cloud import AFTER, BEFORE, Fault, Reply
from tests.lambda_cloud.renting import ORDER, Renting
from tunetui.core.errors import ExitCode, InputError
from tunetui.hosts.lambda_cloud.account import UNSEEN_SECONDS
from tunetui.hosts.lambda_cloud.ledger import LedgerError
from tunetui.hosts.lambda_cloud.refusals import LambdaError

LAUNCH = "POST /instance-operations/launch"


async def test_a_launch_is_in_the_ledger_with_its_price_and_its_instance(renting: Renting) -> None:
    entry = await renting.account().launch(ORDER)
    [machine] = renting.cloud.alive()
    [kept] = renting.ledger.open_entries()
    assert (entry, kept.instance, kept.name, kept.usd_per_hour) == (kept, machine.id, machine.name, 1.29)
    assert kept.name.startswith("tunetui-1x-a10-")
    assert kept.name.endswith(f"-t{int(renting.clock.time)}")


async def test_nothing_is_launched_where_the_ledger_cannot_be_written(renting: Renting) -> None:
    renting.folder.write_text("in the way")
    with pytest.raises(LedgerError):
        await renting.account().launch(ORDER)
    assert renting.cloud.launches == []


async def test_what_was_asked_for_is_on_the_disk_before_it_is_asked_for(renting: Renting) -> None:
    found: list[list[str]] = []
    launch = renting.cloud._launch

    def looks_first(line: str, asked: dict[str, Any]) -> Reply:
        found.append([entry.name for entry in renting.ledger.open_entries()])
        return launch(line, asked)

    renting.cloud._launch = looks_first  # type: ignore[method-assign]
    entry = await renting.account().launch(ORDER)
    assert found[0] == [entry.name]


@pytest.mark.parametrize("fault", AFTER)
async def test_a_launch_whose_reply_is_lost_is_found_by_its_name(renting: Renting, fault: Fault) -> None:
    renting.cloud.faults.append((LAUNCH, fault))
    entry = await renting.account().launch(ORDER, renting.said.append)
    [machine] = renting.cloud.alive()
    assert (entry.instance, entry.state) == (machine.id, "rented")
    assert len(renting.cloud.launches) == 1
    assert "not launching again" in renting.said[0]


@pytest.mark.parametrize("fault", BEFORE)
async def test_a_launch_that_nothing_came_of_is_not_sent_again(renting: Renting, fault: Fault) -> None:
    renting.cloud.faults.append((LAUNCH, fault))
    with pytest.raises(LambdaError) as caught:
        await renting.account().launch(ORDER)
    assert "do not launch again before" in caught.value.hint
    assert len(renting.cloud.launches) == 1
    [entry] = renting.ledger.open_entries()  # it may still come
    assert entry.state == "unclear"
    renting.clock.time += UNSEEN_SECONDS
    assert (await renting.account().survey()).entries == []
    assert renting.ledger.entries()[entry.name].state == "never seen"


async def test_a_launch_that_takes_effect_late_is_known_whenever_it_comes(renting: Renting) -> None:
    renting.cloud.faults.append((LAUNCH, "late"))
    renting.cloud.late_seconds = UNSEEN_SECONDS + 60
    with pytest.raises(LambdaError):
        await renting.account().launch(ORDER)
    renting.clock.time += UNSEEN_SECONDS
    await renting.account().survey()
    assert renting.ledger.open_entries() == []
    renting.clock.time += 100
    [entry] = (await renting.account().survey()).entries
    assert [machine.id for machine in renting.cloud.alive()] == [entry.instance]
    assert len(renting.cloud.launches) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "instance-operations/launch/insufficient-capacity", "capacity"),
        (400, "global/quota-exceeded", "quota"),
        (400, "global/invalid-parameters", "request"),
        (400, "instance-operations/launch/file-system-in-wrong-region", "request"),
        (403, "global/account-inactive", "account"),
        (403, "global/invalid-address", "account"),
        (404, "global/object-does-not-exist", "gone"),
    ],
)
async def test_a_refused_launch_is_over(renting: Renting, status: int, code: str, kind: str) -> None:
    renting.cloud.refuse.append((status, code))
    with pytest.raises(LambdaError) as caught:
        await renting.account().launch(ORDER)
    assert (caught.value.kind, caught.value.code, caught.value.exit_code) == (kind, code, ExitCode.UNAVAILABLE)
    assert code in caught.value.message
    assert renting.ledger.open_entries() == []
    assert len(renting.cloud.launches) == 1
    assert [line for line in renting.cloud.requests if line.startswith("GET")] == []


async def test_a_launch_that_could_not_be_sent_is_over(renting: Renting) -> None:
    renting.url = "http://127.0.0.1:1"
    with pytest.raises(LambdaError) as caught:
        await renting.account().launch(ORDER)
    assert caught.value.kind == "network"
    assert renting.ledger.open_entries() == []


async def test_launches_are_far_enough_apart(renting: Renting) -> None:
    for _ in range(3):  # by several programs
        await renting.account().launch(ORDER)
    times = [at for at, line in renting.cloud.at if line == LAUNCH]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 12.0


async def test_an_offer_is_the_present_price_in_a_region_that_has_one(renting: Renting) -> None:
    offer = await renting.account().offer("gpu_1x_a10")
    assert (offer.region, offer.usd_per_hour) == ("us-west-1", 1.29)
    assert (await renting.account().offer("gpu_1x_a10", "us-south-1")).region == "us-south-1"


@pytest.mark.parametrize(("name", "region"), [("gpu_1x_h100_pcie", ""), ("gpu_1x_a10", "mars-north-1")])
async def test_what_is_not_free_is_not_offered(renting: Renting, name: str, region: str) -> None:
    with pytest.raises(LambdaError) as caught:
        await renting.account().offer(name, region)
    assert caught.value.kind == "capacity"
    assert caught.value.hint.startswith("nothing was launched")


async def test_a_type_that_is_misspelt_or_has_no_price_is_not_offered(renting: Renting) -> None:
    with pytest.raises(InputError, match="no type 'gpu_1x_a01'") as caught:
        await renting.account().offer("gpu_1x_a01")
    assert caught.value.hint == "did you mean gpu_1x_a10?"
    kind, regions = renting.cloud.types["gpu_1x_a10"]
    renting.cloud.types["gpu_1x_a10"] = ({**kind, "price_cents_per_hour": 1 << 40}, regions)
    with pytest.raises(InputError, match="no price"):
        await renting.account().offer("gpu_1x_a10")


async def test_a_type_with_the_longest_of_names_still_gets_a_name_that_lambda_takes(renting: Renting) -> None:
    renting.cloud.types["gpu_" + "x" * 90] = renting.cloud.types["gpu_1x_a10"]
    entry = await renting.account().launch(replace(ORDER, type="gpu_" + "x" * 90))
    assert len(entry.name) <= 64
