"""The Hosts screen: what each host is good for, which runs are at work here and there, and what to do with them."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import Resize

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
from tunetui.tui.screens.command_screen import CommandScreen
from tunetui.tui.screens.confirming import ConfirmScreen, ask_then
from tunetui.tui.spans import LinesPane
from tunetui.tui.text_view import TextView
from tunetui.tui.widgets.form import Form
from tunetui.tui.widgets.keys_line import KeysLine

_WIDE_CELLS = 120
CLEARED_AFTER_DAYS = 14
_RUNS = ""
"""Where looking for runs stands among what is busy."""


class HostsScreen(CommandScreen):
    """A list of hosts and runs, and what is known of the one under the cursor; every host is asked by itself."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = HOSTS
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED = "Hosts"

    def __init__(self) -> None:
        super().__init__()
        self.heading = LinesPane(classes="title")
        self.list = Form(id="form")
        self.detail = TextView(id="outlook")
        self.hosts: list[NamedHost] = []
        self.found: dict[str, Examination] = {}
        self.runs: dict[str, KnownRun] = {}
        self.busy: dict[str, str] = {}
        """By host, what it is asked just now."""
        self._enabled: list[bool] = []
        self._links: dict[str, LinkState] = {}

    def compose(self) -> ComposeResult:
        yield self.heading
        with Horizontal(id="hosts-and-more"):
            yield self.list
            yield self.detail
        yield KeysLine()

    def on_mount(self) -> None:
        batch = self.cockpit.batch
        self.hosts = named_hosts(batch.preparing.settings, [*batch.hosts, *self.links])
        self.heading.show([self.titled("Hosts and runs")])
        self.list.focus()
        self.show_all()
        self.look_for_runs()

    def on_resize(self, event: Resize) -> None:
        """The detail stands beside the list where there is room, else below it."""
        wide = event.size.width >= _WIDE_CELLS
        self.query_one("#hosts-and-more").styles.layout = "horizontal" if wide else "vertical"
        self.detail.styles.width = "1fr" if wide else "100%"
        self.detail.styles.height = "1fr"

    # ------------------------------------------------------------------------------------------- showing

    @property
    def links(self) -> dict[str, LinkState]:
        """The links of the run that this app has at work."""
        live = self.cockpit.live
        return dict(live.links) if live is not None else {}

    @property
    def host(self) -> NamedHost | None:
        """The host under the cursor."""
        name = self._under_cursor("host")
        return next((host for host in self.hosts if host.name == name), None)

    @property
    def run(self) -> KnownRun | None:
        """The run under the cursor."""
        return self.runs.get(self._under_cursor("run"))

    def _under_cursor(self, kind: str) -> str:
        key = self.list.present.key if self.list.present is not None else None
        return str(key[1]) if isinstance(key, tuple) and key[0] == kind else ""

    def beat(self, _: object) -> None:
        """Links change by themselves."""
        if self.links != self._links:
            self.show_all()

    def show_all(self) -> None:
        """What is known by now."""
        self._links = self.links
        self.list.show(
            list_lines(self.hosts, self.found, self.busy, self._links, list(self.runs.values()), time.time())
        )
        self.show_detail()

    @on(Form.Moved)
    def show_detail(self) -> None:
        """Of what is under the cursor; the footer anew only where another command is grey."""
        host, run = self.host, self.run
        if host is not None:
            here = [each for each in self.runs.values() if host.name in each.hosts and each.state == "running"]
            self.detail.show(host_lines(host, self.found.get(host.name), self._links.get(host.name), "", here))
        elif run is not None:
            self.detail.show(run_lines(run, time.time()))
        enabled = [command().enabled(self) for command in self.OFFERS]
        if enabled != self._enabled:
            self._enabled = enabled
            self.refresh_bindings()

    @on(Form.Pressed)
    def _pressed(self) -> None:
        if self.host is not None:
            self.examine()

    # -------------------------------------------------------------------------------------------- asking

    def _ask(self, name: str, what: str, asking: Coroutine[Any, Any, None]) -> None:
        """Ask one host beside everything else, one thing at a time; refusals are told."""
        if name in self.busy:
            asking.close()
            return
        self.busy[name] = what
        self.show_all()

        async def ask() -> None:
            try:
                await asking
            except TunetuiError as error:
                self.cockpit.tell_error(error)
            finally:
                self.busy.pop(name, None)
            self.show_all()

        self.run_worker(ask(), name=f"{what} {name}", group=f"host {name}", exclusive=True)

    @property
    def _reach(self) -> Reach:
        options = self.cockpit.measuring(self.cockpit.batch.grid_path)
        return Reach(options.links, options.asker)

    def examine(self) -> None:
        """The host under the cursor; what it says of its runs, too."""
        if self.host is not None:
            self._ask(self.host.name, "examining ...", self._examine(self.host.name))

    async def _examine(self, name: str) -> None:
        reach, batch = self._reach, self.cockpit.batch
        self.found[name] = await examine_host(name, links=reach.links, asker=reach.asker, preparing=batch.preparing)
        self.show_all()
        if not any(check.section == "Connection" and check.status == "failure" for check in self.found[name].checks):
            await self._survey([name])

    def look_for_runs(self) -> None:
        """Here, then on every host that was examined; each by itself."""
        self._ask(_RUNS, "looking ...", self._survey([]))
        for name in self.found:
            if name != "local":
                self._ask(name, "looking for runs ...", self._survey([name]))

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
        ask_then(self.app, asked, lambda: self._ask(_RUNS, "stopping ...", self._end(run)))

    async def _end(self, run: KnownRun) -> None:
        for line in (await stop(run.name, run.hosts, self._reach, now=False)).lines:
            self.cockpit.tell(line)
        await self._survey([name for name in run.hosts if name != "local"])

    def clear_away(self) -> None:
        """Ask the host what it would forget, and then whether it may."""
        if self.host is not None:
            self._ask(self.host.name, "looking for old runs ...", self._clear(self.host.name))

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
