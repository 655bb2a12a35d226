"""The Machines screen: what is rented from Lambda Cloud and what it costs, what could be, and the end of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.binding import BindingType

from tunetui.core.errors import TunetuiError
from tunetui.hosts.lambda_cloud.account import Account, Offer
from tunetui.hosts.lambda_cloud.shapes import InstanceType
from tunetui.session.rented_list import Machine, list_machines
from tunetui.session.renting import Wanted, offer_for, open_account, order_for, wait_until_ready
from tunetui.settings import load_settings
from tunetui.tui import machines_text
from tunetui.tui.commands.command import AnyCommand, bindings_of
from tunetui.tui.commands.machines import MACHINES
from tunetui.tui.screens.confirming import ConfirmScreen
from tunetui.tui.screens.listing import ListingScreen
from tunetui.tui.spans import Spans
from tunetui.tui.widgets.form import Form, FormLine

_ACCOUNT = ""
"""Where looking at the account stands among what is busy."""


class MachinesScreen(ListingScreen):
    """Machines and types; what is done with one goes on beside everything else, also when the screen is left."""

    OFFERS: ClassVar[tuple[AnyCommand, ...]] = MACHINES
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_of(OFFERS)]
    TITLED, HEADED = "Machines", "Machines of Lambda Cloud"

    def __init__(self) -> None:
        super().__init__()
        self.machines: list[Machine] | None = None
        """None: not known."""
        self.types: list[InstanceType] = []

    def begin(self) -> None:
        """Ask the account at once."""
        self.look()

    # ------------------------------------------------------------------------------------------- showing

    @property
    def machine(self) -> Machine | None:
        """The machine under the cursor."""
        key = self.under_cursor("machine")
        return next((each for each in self.machines or () if key and key == (each.id or each.name)), None)

    @property
    def type(self) -> InstanceType | None:
        """The type under the cursor."""
        return next((each for each in self.types if each.name == self.under_cursor("type")), None)

    def list_lines(self) -> list[FormLine]:
        """What is rented, then what could be."""
        return machines_text.list_lines(self.machines, self.types, self.busy, time.time())

    def detail_lines(self) -> list[Spans] | None:
        """Of the machine or the type."""
        if self.machine is not None:
            return machines_text.machine_lines(self.machine, time.time())
        return machines_text.type_lines(self.type) if self.type is not None else None

    @on(Form.Pressed)
    def _pressed(self) -> None:
        if self.type is not None:
            self.rent()

    # ------------------------------------------------------------------------------------------- doing

    def _do(self, key: str, what: str, doing: Coroutine[Any, Any, None]) -> None:
        self.beside(key, what, doing, outlives=True)

    def _say(self, key: str) -> Any:
        def say(text: str) -> None:
            self.busy[key] = text
            if self.is_mounted:
                self.show_all()

        return say

    def look(self) -> None:
        """Ask the account for everything."""
        self._do(_ACCOUNT, "asking Lambda Cloud ...", self._look())

    async def _look(self) -> None:
        account = open_account()
        await self._list(account)
        self.types = await account.api.types()

    async def _list(self, account: Account) -> None:
        found = await list_machines(account)
        self.machines = found.machines
        for line in found.remarks:
            self.cockpit.tell(line, "warning")
        if self.is_mounted:
            self.show_all()

    def rent(self) -> None:
        """The type under the cursor, at Lambda's price of this moment."""
        if self.type is not None:
            self._do(self.type.name, "asking for its price ...", self._rent(self.type.name))

    async def _rent(self, kind: str) -> None:
        account, wanted = open_account(), Wanted(kind)
        offer = await offer_for(account, wanted)
        order = await order_for(account, wanted, offer)
        if not await self._agreed(offer):
            return
        entry = await self.cockpit.rented.launch(account, order, self._say(kind))
        self.cockpit.tell(f"{entry.name} is rented: ${offer.usd_per_hour:.2f} an hour from now on")
        await self._list(account)
        await self._ready(account, entry.name, kind)

    async def _agreed(self, offer: Offer) -> bool:
        asked = machines_text.question(offer.type.name, offer.region, offer.usd_per_hour)
        yes: bool = await self.app.push_screen_wait(ConfirmScreen(asked, "rent it", careful=True))
        return yes

    def wait(self) -> None:
        """For the machine under the cursor."""
        machine = self.machine
        if machine is not None:
            key = machine.id or machine.name
            self._do(key, "waiting ...", self._ready(open_account(), machine.name, key))

    async def _ready(self, account: Account, name: str, key: str) -> None:
        options = self.cockpit.measuring(self.cockpit.batch.grid_path)
        try:
            await wait_until_ready(account, name, self._say(key), options.links, options.asker)
        except TunetuiError:
            with contextlib.suppress(TunetuiError):
                await self._list(account)
            raise
        self._make_known()
        self.cockpit.tell(f"{name} is ready, and among the hosts")
        await self._list(account)

    def _make_known(self) -> None:
        """To what chooses hosts, with its price."""
        batch = self.cockpit.batch
        hosts = {**load_settings().hosts, **batch.preparing.settings}
        self.cockpit.batch = replace(batch, preparing=replace(batch.preparing, settings=hosts))

    def terminate(self) -> None:
        """The machine under the cursor, once that is confirmed."""
        machine = self.machine
        if machine is not None:
            self._do(machine.id or machine.name, "terminate?", self._terminate(machine))

    async def _terminate(self, machine: Machine) -> None:
        work = f"{', '.join(machine.runs)} is at work there and will be lost." if machine.runs else "It has no work."
        question = f"Terminate {machine.name}?\n{work} What is on its disk is lost."
        if not await self.app.push_screen_wait(ConfirmScreen(question, "terminate it", careful=True)):
            return
        account = open_account()
        over = await account.terminate(machine.name, self._say(machine.id or machine.name))
        self.cockpit.tell(f"{over.name} is gone: it cost at most {machines_text.money(over.usd_until(time.time()))}")
        await self._list(account)
