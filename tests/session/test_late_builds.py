"""A host whose kernels are still being built here measures what needs no build at once, and those when they have arrived."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.session.hosts import PATIENCE_SECONDS, Hosts, begin, until
from tunetui.core.errors import TunetuiError
from tunetui.core.snapshot import Run
from tunetui.session import opening
from tunetui.session.probing import Found

LACKING = "module:colorsys"
REASON = "it is being built on this machine"

# Every other call waits, so that each has samples of both kinds among its six, whose range is their interval: all of
# them overlap, however noisy the machine, and whoever is there when the race begins is in it.
UNSTEADY = """
import itertools
import time
import numpy as np

calls = itertools.count()

def double(x, y, **named):
    time.sleep(0.01 * (next(calls) % 2))
    np.multiply(x, 2, out=y)
"""


class Late:
    """A host gets what it lacks when the test says so: here a module, which needs no GPU, in the place of a build."""

    def __init__(self, found: Found) -> None:
        self.whole, self.arrives, self.fails = found, asyncio.Event(), ""

    async def is_worth_beginning_without(self) -> bool:
        return True

    @property
    def meanwhile(self) -> Found:
        told = [
            dataclasses.replace(each, available=False, reason=REASON) if each.language == LACKING else each
            for each in self.whole.toolchains["cpu"]
        ]
        return dataclasses.replace(self.whole, toolchains={"cpu": told})

    async def completed(self) -> tuple[Found, list[Any]]:
        await self.arrives.wait()
        if self.fails == "link":
            raise TunetuiError("east cannot take it: no room")
        return (self.meanwhile if self.fails else self.whole), []


@pytest.fixture
def late() -> dict[str, Late]:
    """By host, once it was visited."""
    return {}


@pytest.fixture
def hosts(hosts: Hosts, monkeypatch: pytest.MonkeyPatch, late: dict[str, Late]) -> Hosts:
    hosts.grid(number="[1, 2, 3, 4]")
    hosts.edit("grid.toml", 'implementations = ["numpy"]', 'implementations = ["numpy", "other"]')
    hosts.edit("grid.toml", "finalists = 0", "finalists = 4\nfinalists_seconds = 0.2")
    kernel = hosts.folder / "kernel" / "kernel.toml"
    kernel.write_text(
        kernel.read_text().replace(
            'source = "other.py"\n', 'source = "other.py"\nrequires = ["colorsys"]\nparameters = []\n'
        )
    )

    def completion_of(kind: str, link: Any, here: Any, found: Found, *_: Any) -> Late:
        return late.setdefault(link.host, Late(found))

    monkeypatch.setattr(opening, "completion_of", completion_of)
    return hosts


def measured(run: Run) -> list[str]:
    return sorted(row.implementation for row in run.current_rows() if row.status == "measured")


def told(run: Run, code: str) -> list[str]:
    return [notice.text for notice in run.notices if notice.code == code]


async def test_what_needs_no_build_is_measured_first_and_the_rest_when_it_has_arrived(
    hosts: Hosts, late: dict[str, Late]
) -> None:
    for name in ("double.py", "other.py"):
        (hosts.folder / "kernel" / name).write_text(UNSTEADY)
    hosts.edit("grid.toml", "finalists = 4\nfinalists_seconds = 0.2", "finalists = 5\nfinalists_seconds = 60")
    session = await hosts.open("east", together_seconds=0.0)
    assert set(session.plan.axes) == {"numpy"}
    assert REASON in session.plan.left_out["other"]
    running = begin(session)
    await until(session, lambda run: measured(run) == ["numpy"] * 4)
    assert not running.done()
    late["east"].arrives.set()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert session.ended == "done"
    assert measured(session.snapshot) == ["numpy"] * 4 + ["other"]
    assert any("other: what was built here for " in text for text in told(session.snapshot, "build-arrived"))
    assert set(session.plan.axes) == {"numpy", "other"}
    assert set(hosts.outcomes().values()) == {1}
    assert hosts.every_record_once()
    raced = [row.implementation for row in session.snapshot.current_rows() if row.stage == "finalists"]
    assert sorted(raced) == ["numpy"] * 4 + ["other"]  # nobody's race is over before the last one has come
    races = [each["record"]["trials"] for each in hosts.records() if each["record"]["kind"] == "RaceStarted"]
    assert set(races[-1]) == {trial for trial, _ in hosts.outcomes()}
    session.save()
    assert len(hosts.leaderboard()["boards"][0]["rows"]) == 5
    await hosts.leave(session)
    again = await hosts.open("east", together_seconds=0.0)  # what an earlier start left is taken up by the whole plan
    assert (again.resume.done, again.resume.missing, again.resume.stale) == (5, 0, {})
    await hosts.leave(again)


async def test_a_build_that_arrives_while_an_agent_measures_waits_for_one_that_knows_of_it(
    hosts: Hosts, late: dict[str, Late]
) -> None:
    hosts.grid(how='["waits"]', number="[1, 2, 3]")
    hosts.edit("grid.toml", 'implementations = ["numpy"]', 'implementations = ["numpy", "other"]')
    session = await hosts.open("east", together_seconds=0.0)
    running = begin(session)
    await until(session, lambda run: run.running)
    late["east"].arrives.set()
    await until(session, lambda run: told(run, "build-arrived"))
    hosts.open_gate()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert session.ended == "done"
    assert measured(session.snapshot) == ["numpy"] * 3 + ["other"]
    assert set(hosts.outcomes().values()) == {1}
    assert session.snapshot.counts.failed == 0


@pytest.mark.parametrize("how", ["build", "link"])
async def test_a_build_that_fails_costs_only_what_was_to_be_built(
    hosts: Hosts, late: dict[str, Late], how: str
) -> None:
    session = await hosts.open("east", together_seconds=0.0)
    late["east"].fails = how
    late["east"].arrives.set()
    await asyncio.wait_for(session.run(), PATIENCE_SECONDS)
    assert session.ended == "done"
    assert measured(session.snapshot) == ["numpy"] * 4
    (text,) = told(session.snapshot, "place-left-out")
    assert text.startswith("east measures only what needs no build from here: ")
    assert (REASON if how == "build" else "no room") in text


async def test_a_run_is_stopped_while_something_is_being_built(hosts: Hosts, late: dict[str, Late]) -> None:
    session = await hosts.open("east", together_seconds=0.0)
    running = begin(session)
    await until(session, lambda run: measured(run) == ["numpy"] * 4)
    session.request_stop()
    await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert measured(session.snapshot) == ["numpy"] * 4
    await hosts.leave(session)
