"""The Machines screen: rented, shown and ended over real HTTP, and nothing without a yes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from tests.lambda_cloud.cloud import TOKEN, Cloud
from tests.tui.cockpit import by_palette, cockpit_of, opened, shown, until
from tunetui.tui.commands.command import AnyCommand
from tunetui.tui.commands.machines import MACHINES
from tunetui.tui.keys import clashes
from tunetui.tui.opening import SCOPES
from tunetui.tui.screens.confirming import ConfirmScreen
from tunetui.tui.screens.machines import MachinesScreen


async def looked(pilot: Pilot[None]) -> MachinesScreen:
    screen = pilot.app.screen
    assert isinstance(screen, MachinesScreen)
    await until(pilot, lambda: not screen.busy)
    return screen


EFFECTS: dict[str, Callable[[Pilot[None]], bool]] = {
    "rent_machine": lambda p: isinstance(p.app.screen, ConfirmScreen) and "for $1.29 an hour?" in shown(p),
    "wait_for_machine": lambda p: any("is unhealthy" in each.text for each in cockpit_of(p).said),
    "terminate_machine": lambda p: isinstance(p.app.screen, ConfirmScreen) and "It has no work" in shown(p),
    "look_at_account": lambda p: "gpu_1x_h100_pcie" in shown(p),
}


def test_every_command_of_the_screen_is_tried() -> None:
    assert {command.id for command in MACHINES} == EFFECTS.keys()
    assert clashes({"Machines": SCOPES["Machines"]}) == []


@pytest.mark.parametrize("palette", [False, True], ids=["key", "palette"])
@pytest.mark.parametrize("command", MACHINES, ids=lambda command: command.id)
async def test_a_command_does_its_work_by_key_and_by_palette(
    command: AnyCommand, palette: bool, cloud: Cloud, rented: str
) -> None:
    async with opened(MachinesScreen()) as pilot:
        screen = await looked(pilot)
        cloud.machines[rented].forced = "unhealthy"
        screen.list.go_to(("type", "gpu_1x_a10") if command.id == "rent_machine" else ("machine", rented))
        await pilot.pause()
        if palette:
            await by_palette(pilot, command.name)
        else:
            await pilot.press(command.key.split(",")[0])
        await until(pilot, lambda: EFFECTS[command.id](pilot))
        if isinstance(pilot.app.screen, ConfirmScreen):
            await pilot.press("n")
        await looked(pilot)
    assert len(cloud.launches) == 0
    assert len(cloud.alive()) == 1


async def test_a_yes_rents_and_a_machine_that_cannot_be_used_is_said_to_cost(cloud: Cloud) -> None:
    launch = cloud._launch

    def sick(line: str, asked: dict[str, object]) -> object:
        reply = launch(line, asked)
        cloud.alive()[0].forced = "unhealthy"
        return reply

    cloud._launch = sick  # type: ignore[method-assign,assignment]
    async with opened(MachinesScreen()) as pilot:
        screen = await looked(pilot)
        screen.list.go_to(("type", "gpu_1x_a10"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: bool(screen.machines))
        await looked(pilot)
        said = "\n".join(each.text for each in cockpit_of(pilot).said)
        assert "is rented: $1.29 an hour from now on" in said
        assert "is unhealthy" in said
        await until(pilot, lambda: "unhealthy" in shown(pilot))
    assert len(cloud.alive()) == len(cloud.launches) == 1


async def test_a_yes_ends_a_machine_and_only_that(cloud: Cloud, rented: str) -> None:
    other = cloud.add(f"theirs\x1b[2J{TOKEN[:0]}")
    async with opened(MachinesScreen()) as pilot:
        screen = await looked(pilot)
        screen.list.go_to(("machine", other.id))
        await pilot.press("t")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, ConfirmScreen)
        assert "\x1b" not in shown(pilot)
        screen.list.go_to(("machine", rented))
        await pilot.press("t")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: any("is gone: it cost at most" in each.text for each in cockpit_of(pilot).said))
    assert [machine.id for machine in cloud.alive()] == [other.id]


async def test_without_a_key_the_screen_says_what_to_do(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMBDA_API_KEY")
    async with opened(MachinesScreen()) as pilot:
        await looked(pilot)
        assert any("no key to Lambda Cloud" in each.text for each in cockpit_of(pilot).said)
