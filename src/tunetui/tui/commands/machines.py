"""What can be done with machines of Lambda Cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.machines import MachinesScreen


class RentMachine(Command["MachinesScreen"]):
    """Rent a machine of the type under the cursor, once its price is agreed to, and wait until a kernel has run on it."""

    key, name, footer = "enter,l", "Rent machine", "rent"

    def enabled(self, place: MachinesScreen) -> bool:
        return place.type is not None

    def run(self, place: MachinesScreen) -> None:
        place.rent()


class WaitForMachine(Command["MachinesScreen"]):
    """Wait until the machine under the cursor can be logged into and a kernel has run on it."""

    key, name, footer = "w", "Wait for machine", "wait"

    def enabled(self, place: MachinesScreen) -> bool:
        return place.machine is not None and place.machine.launched_here

    def run(self, place: MachinesScreen) -> None:
        place.wait()


class TerminateMachine(Command["MachinesScreen"]):
    """Terminate the machine under the cursor, once that is confirmed; it costs until it is gone."""

    key, name, footer = "t", "Terminate machine", "terminate"

    def enabled(self, place: MachinesScreen) -> bool:
        return place.machine is not None and place.machine.launched_here

    def run(self, place: MachinesScreen) -> None:
        place.terminate()


class LookAtAccount(Command["MachinesScreen"]):
    """Ask Lambda Cloud again: what there is, what it costs, what is free."""

    key, name, footer = "f5", "Look at account", "look again"

    def run(self, place: MachinesScreen) -> None:
        place.look()


MACHINES = (RentMachine, WaitForMachine, TerminateMachine, LookAtAccount)
