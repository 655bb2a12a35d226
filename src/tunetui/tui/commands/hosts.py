"""What can be done with hosts, and with runs that go on without this app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.tui.commands.command import Command

if TYPE_CHECKING:
    from tunetui.tui.screens.hosts import HostsScreen


class ExamineHost(Command["HostsScreen"]):
    """Examine the host under the cursor: the way there, its Python, its compilers, its GPUs, and its runs."""

    key, name, footer = "enter,d", "Examine host", "examine"

    def enabled(self, place: HostsScreen) -> bool:
        return place.host is not None

    def run(self, place: HostsScreen) -> None:
        place.examine()


class LookForRuns(Command["HostsScreen"]):
    """Look again for runs, here and on every host that was examined."""

    key, name, footer = "f5", "Look for runs", "look again"

    def run(self, place: HostsScreen) -> None:
        place.look_for_runs()


class AttachRun(Command["HostsScreen"]):
    """Follow the run under the cursor to its end, as if it had been started here."""

    key, name, footer = "a", "Attach to run", "attach"

    def enabled(self, place: HostsScreen) -> bool:
        return place.run is not None and place.run.kept_here

    def run(self, place: HostsScreen) -> None:
        place.attach()


class OpenRun(Command["HostsScreen"]):
    """Open the leaderboard of the run under the cursor, as far as it is known here."""

    key, name, footer = "o", "Open run", "open"

    def enabled(self, place: HostsScreen) -> bool:
        return place.run is not None and place.run.kept_here

    def run(self, place: HostsScreen) -> None:
        place.open_run()


class EndRun(Command["HostsScreen"]):
    """Ask every agent of the run under the cursor to end after its present trial; what was measured is kept."""

    key, name, footer = "t", "Stop run", "stop"

    def enabled(self, place: HostsScreen) -> bool:
        return place.run is not None

    def run(self, place: HostsScreen) -> None:
        place.end_run()


class ClearHost(Command["HostsScreen"]):
    """Have the host under the cursor forget agents' runs older than two weeks of which every record is here."""

    key, name, footer = "g", "Clear away old runs", "clear"

    def enabled(self, place: HostsScreen) -> bool:
        return place.host is not None

    def run(self, place: HostsScreen) -> None:
        place.clear_away()


class ShowMachines(Command["HostsScreen"]):
    """Show what is rented from Lambda Cloud, what it costs, and what could be rented."""

    key, name, footer = "m", "Machines to rent", "machines"

    def run(self, place: HostsScreen) -> None:
        place.show_machines()


HOSTS = (ExamineHost, LookForRuns, AttachRun, OpenRun, EndRun, ClearHost, ShowMachines)
