"""The Hosts screen: what each host is good for, which runs are at work here and there, and what to do with them."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import on
from textual.binding import BindingType

from tunetui.core.errors import TunetuiError
from tunetui.core.examination import Examination
from tunetui.core.labels import one_line
from tunetui.core.links import LinkState
from tunetui.session.doctoring import examine_host
from tunetui.session.host_answers import NamedHost, named_hosts
from tunetui.session.run_life import KnownRun, Reach, clear, journal_of, stop, survey
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.hosts import HOSTS
from tunetui.tui.hosts_text import host_lines, list_lines, run_lines
from tunetui.tui.screens.confirming import ConfirmScreen, ask_then
from tunetui.tui.screens.listing import ListingScreen
from tunetui.tui.spans import Spans
from tunetui.tui.widgets.form import Form, FormLine

_AGES_EVERY_SECONDS = 5.0
CLEARED_AFTER_DAYS = 14
_RUNS = ""
"""Where looking for runs stands among what is busy."""


class HostsScreen(ListingScreen):
    """Hosts and runs; every host is asked by itself."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = HOSTS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED, HEADED = "Hosts", "Hosts and runs"

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[NamedHost] = []
        self.found: dict[str, Examination] = {}
        self.runs: dict[str, KnownRun] = {}
        self._links: dict[str, LinkState] = {}
        self._listed_at = 0.0

    def begin(self) -> None:
        """Every host that has a name, and the runs kept here."""
        batch = self.cockpit.batch
        self.hosts = named_hosts(batch.preparing.settings, [*batch.hosts, *self.links])
        self.show_all()
        self.look_for_runs()

    # ------------------------------------------------------------------------------------------- showing

    @property
    def links(self) -> dict[str, LinkState]:
        """The links of the run that this app has at work."""
        live = self.cockpit.live
        return dict(live.links) if live is not None else {}

    @property
    def host(self) -> NamedHost | None:
        """The host under the cursor."""
        name = self.under_cursor("host")
        return next((host for host in self.hosts if host.name == name), None)

    @property
    def run(self) -> KnownRun | None:
        """The run under the cursor."""
        return self.runs.get(self.under_cursor("run"))

    def beat(self, _: object) -> None:
        """Links change by themselves, and what is known of runs gets older."""
        if self.links != self._links:
            self.show_all()
        elif self.runs and time.time() - self._listed_at >= _AGES_EVERY_SECONDS:
            self.list.show(self.list_lines())

    def list_lines(self) -> list[FormLine]:
        """Hosts, then runs."""
        self._links, self._listed_at = self.links, time.time()
        return list_lines(self.hosts, self.found, self.busy, self._links, list(self.runs.values()), self._listed_at)

    def detail_lines(self) -> list[Spans] | None:
        """Of the host or the run."""
        host, run = self.host, self.run
        if host is not None:
            here = [each for each in self.runs.values() if host.name in each.hosts and each.state == "running"]
            return host_lines(host, self.found.get(host.name), self._links.get(host.name), "", here)
        return run_lines(run, time.time()) if run is not None else None

    @on(Form.Pressed)
    def _pressed(self) -> None:
        if self.host is not None:
            self.examine()

    # -------------------------------------------------------------------------------------------- asking

    @property
    def _reach(self) -> Reach:
        options = self.cockpit.measuring(self.cockpit.batch.grid_path)
        return Reach(options.links, options.asker)

    def examine(self) -> None:
        """The host under the cursor; what it says of its runs, too."""
        if self.host is not None:
            self.beside(self.host.name, "examining ...", self._examine(self.host.name))

    async def _examine(self, name: str) -> None:
        reach, batch = self._reach, self.cockpit.batch
        self.found[name] = await examine_host(name, links=reach.links, asker=reach.asker, preparing=batch.preparing)
        self.show_all()
        if not any(check.section == "Connection" and check.status == "failure" for check in self.found[name].checks):
            await self._survey([name])

    def look_for_runs(self) -> None:
        """Here, then on every host that was examined; each by itself."""
        self.beside(_RUNS, "looking ...", self._survey([]))
        for name in self.found:
            if name != "local":
                self.beside(name, "looking for runs ...", self._survey([name]))

    async def _survey(self, names: list[str]) -> None:
        answer = await survey(names, self._reach)
        for run in answer.runs:
            known = self.runs.get(run.name)
            if known is None or run.state != "unreachable" or not set(run.hosts) - set(names):
                self.runs[run.name] = run
        for name, why in answer.unreachable.items():
            self.cockpit.tell(f"{name} was not asked for its runs: {why}", "warning")

    # ------------------------------------------------------------------------------------------- steering

    def show_machines(self) -> None:
        """Those of Lambda Cloud."""
        from tunetui.tui.screens.machines import MachinesScreen

        self.app.push_screen(MachinesScreen())

    def attach(self) -> None:
        """The run under the cursor, on a Run screen."""
        if self.run is not None:
            self.cockpit.attach(self.run.name)

    def open_run(self) -> None:
        """Its leaderboard."""
        if self.run is not None:
            self.cockpit.open_file(journal_of(self.run.name))

    def end_run(self) -> None:
        """After its present trials, once that is confirmed."""
        run = self.run
        if run is None:
            return
        question = f"Stop {one_line(run.name)} after its present trial?\nWhat was measured is kept."
        asked = ConfirmScreen(question, "stop it", careful=True)
        ask_then(self.app, asked, lambda: self.beside(_RUNS, "stopping ...", self._end(run)))

    async def _end(self, run: KnownRun) -> None:
        for line in (await stop(run.name, run.hosts, self._reach, now=False)).lines:
            self.cockpit.tell(line)
        await self._survey([name for name in run.hosts if name != "local"])

    def clear_away(self) -> None:
        """Ask the host what it would forget, and then whether it may."""
        if self.host is not None:
            self.beside(self.host.name, "looking for old runs ...", self._clear(self.host.name))

    async def _clear(self, name: str) -> None:
        old = (await clear([name], self._reach, days=CLEARED_AFTER_DAYS, pretend=True))[name]
        if isinstance(old, str):
            raise TunetuiError(f"{name}: {old}")
        if not old:
            self.cockpit.tell(f"{name}: nothing to clear away")
            return
        question = f"Have {one_line(name)} forget {len(old)} old runs?\nTheir journals on this machine stay."
        if not await self.app.push_screen_wait(ConfirmScreen(question, "clear them away", careful=True)):
            return
        removed = (await clear([name], self._reach, days=CLEARED_AFTER_DAYS, pretend=False))[name]
        self.cockpit.tell(f"{name}: {removed if isinstance(removed, str) else f'{len(removed)} cleared away'}")
        await self._survey([name] if name != "local" else [])
