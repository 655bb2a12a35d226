"""Leaving the app with machines that cost: each is named with its price, and kept or terminated as was said."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest
from textual.pilot import Pilot

from tests.lambda_cloud.cloud import Cloud
from tests.tui.cockpit import cockpit_of, leaderboard_screen, opened, shown, until
from tunetui.core.errors import ExitCode
from tunetui.hosts.lambda_cloud.account import Account, Order
from tunetui.hosts.lambda_cloud.ledger import Entry, Ledger
from tunetui.settings import rented_hosts_path
from tunetui.tui.app import Cockpit
from tunetui.tui.opening import close_up
from tunetui.tui.rented_here import RentedHere
from tunetui.tui.screens.confirming import ConfirmScreen
from tunetui.tui.screens.keeping import KeepingScreen
from tunetui.tui.screens.machines import MachinesScreen

NAME = "tunetui-1x-a10-12345678-t1"


async def asked(pilot: Pilot[None]) -> None:
    await pilot.press("q")
    await until(pilot, lambda: isinstance(pilot.app.screen, KeepingScreen) and bool(shown(pilot).strip()))


async def left_by(key: str) -> Cockpit:
    """The app, left with one machine by what ``key`` answers."""
    async with opened(leaderboard_screen()) as pilot:
        cockpit = cockpit_of(pilot)
        cockpit.rented.names.add(NAME)
        await asked(pilot)
        await pilot.press(key)
        await until(pilot, lambda: not pilot.app.is_running)
    return cockpit


@pytest.mark.parametrize("size", [(160, 48), (60, 20)], ids=str)
async def test_a_machine_that_this_app_rented_is_named_with_its_price(cloud: Cloud, size: tuple[int, int]) -> None:
    async with opened(MachinesScreen(), size) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MachinesScreen)
        await until(pilot, lambda: not screen.busy)
        screen.list.go_to(("type", "gpu_1x_a10"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: bool(cockpit_of(pilot).rented.names))
        await asked(pilot)
        (name,) = cockpit_of(pilot).rented.names
        inside = [line.split("│")[1] for line in shown(pilot).splitlines() if line.count("│") == 2]
        words = " ".join(" ".join(inside).split())
        assert f"{name} (gpu_1x_a10) is rented, costs $1.29 an hour" in words
        assert "terminate it" in words
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert pilot.app.is_running
        await pilot.press("q", "q")  # asked once, however often
        await until(pilot, lambda: isinstance(pilot.app.screen, KeepingScreen))
        assert sum(isinstance(each, KeepingScreen) for each in pilot.app.screen_stack) == 1
        await pilot.press("k")
        await until(pilot, lambda: not pilot.app.is_running)


async def test_what_is_to_end_is_ended_once_the_app_is_gone(
    cloud: Cloud, rented: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cockpit = await left_by("t")
    assert len(cloud.alive()) == 1
    assert await close_up(cockpit) == ExitCode.OK
    assert cloud.alive() == []
    assert f"terminated  {NAME}: gone" in capsys.readouterr().err


async def test_what_is_kept_goes_on_and_its_price_is_said_last(
    cloud: Cloud, rented: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cockpit = await left_by("enter")  # keeps it
    assert await close_up(cockpit) == ExitCode.OK
    assert len(cloud.alive()) == 1
    said = capsys.readouterr().err
    assert f"kept        {NAME} goes on costing $1.29 an hour" in said
    assert f"tunetui lambda terminate {NAME}" in said


async def test_an_end_that_is_not_sure_is_said_and_is_no_success(
    cloud: Cloud, rented: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cockpit = await left_by("t")
    monkeypatch.delenv("LAMBDA_API_KEY")
    assert await close_up(cockpit) == ExitCode.UNAVAILABLE
    assert "NOT ENDED" in capsys.readouterr().err


async def test_without_a_machine_nothing_is_asked(home: Path) -> None:
    async with opened(leaderboard_screen()) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not pilot.app.is_running)
        assert cockpit_of(pilot).leaving == ""


async def test_a_launch_goes_on_to_its_answer_when_nobody_waits_for_it_any_more(rented: str) -> None:
    answer, ledger = asyncio.Event(), Ledger(rented_hosts_path().parent)

    class Slow:
        """An account that answers when it is let."""

        def __init__(self) -> None:
            self.ledger = ledger

        async def launch(self, order: object, say: object) -> Entry:
            await answer.wait()
            ledger.write("LaunchAsked", "tunetui-late", 1.0, type="gpu_1x_a10", usd_per_hour=2.0, key_mark="aa656a95")
            return ledger.entries()["tunetui-late"]

    here = RentedHere()
    waiting = asyncio.create_task(here.launch(cast(Account, Slow()), cast(Order, None), lambda _: None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert here.is_launching
    answer.set()
    await here.answered()
    assert not here.is_launching
    assert here.names == {"tunetui-late"}
    assert [work.entry.name for work in here.open()] == ["tunetui-late"]
    assert [work.entry.name for work in here.open([NAME, "box"])] == [NAME, "tunetui-late"]
