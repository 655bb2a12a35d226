"""Renting and giving back: the ledger before every launch, lost replies resolved by name, an end that is confirmed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from tunetui.core.errors import InputError
from tunetui.core.mistakes import nearest
from tunetui.hosts.lambda_cloud.api import (
    LAUNCH_GAP_SECONDS,
    Clock,
    LambdaApi,
    LaunchRequest,
    SystemClock,
    UncertainLaunchError,
)
from tunetui.hosts.lambda_cloud.ledger import Entry, Ledger
from tunetui.hosts.lambda_cloud.refusals import LambdaError
from tunetui.hosts.lambda_cloud.shapes import Instance, InstanceType

LOOK_SECONDS, LOOK_EVERY_SECONDS = 30.0, 5.0
"""After a launch whose reply was lost, its name is looked for this long."""
UNSEEN_SECONDS = 900.0
"""An instance that was not seen this long after its launch, in lists that were, is not coming."""
POLL_SECONDS = 10.0
END_SECONDS = 900.0
_ASK_END_AGAIN_SECONDS = 60.0
_LONGEST_NAME = 64

Say = Callable[[str], None]
"""Takes one line about how far something is."""


def _silently(_: str) -> None:
    pass


@dataclass(frozen=True)
class Order:
    """What is to be rented, at a price that somebody has agreed to."""

    type: str
    region: str
    usd_per_hour: float
    ssh_key: str  # the account's name of it
    user: str = "ubuntu"
    identity_file: str = ""  # the private key that belongs to it, on this machine
    image_family: str = ""
    gpus: int = 1  # that are to compute before it is ready


@dataclass(frozen=True)
class Offer:
    """A type in a region, at Lambda's price of this moment."""

    type: InstanceType
    region: str
    usd_per_hour: float


@dataclass(frozen=True)
class Survey:
    """The account's instances beside what the ledger knows."""

    entries: list[Entry]  # that may cost, by the ledger as it is now
    instances: dict[str, Instance]  # of the account, by id
    foreign: list[Instance]  # launched by other means
    ended: list[Entry]  # found to be over just now
    unseen_keys: list[Entry]  # open, but launched with another key, which this one does not see


class Account:
    """One account of Lambda Cloud as tunetui uses it; nothing here prints or asks."""

    def __init__(self, api: LambdaApi, ledger: Ledger, key_mark: str, *, clock: Clock | None = None) -> None:
        self.api, self.ledger = api, ledger
        self.clock, self._key_mark = clock or SystemClock(), key_mark

    # ---------------------------------------------------------------------------------- renting

    async def offer(self, type_name: str, region: str = "") -> Offer:
        """A type at its present price, in ``region`` or the first that says it has one.

        Raises:
            InputError: there is no such type, or it has no price.
            LambdaError: it is not free there now (kind "capacity"), or the account cannot be asked.
        """
        types = {each.name: each for each in await self.api.types()}
        found = types.get(type_name)
        if found is None:
            close = nearest(type_name, list(types))
            raise InputError(
                f"Lambda Cloud has no type {type_name!r}",
                hint=f"did you mean {close}?" if close else "tunetui lambda types shows them",
            )
        if found.usd_per_hour is None:
            raise InputError(f"Lambda Cloud says no price of {found.name}: it is not launched")
        free = [name for name in found.region_names if name]
        if not free or (region and region not in free):
            raise LambdaError(
                "capacity",
                f"{found.name}{f' in {region}' if region else ''}",
                hint=f"nothing was launched; free just now: {', '.join(free)}"
                if free
                else "nothing was launched; no region has one free just now: another type, or the same later",
            )
        return Offer(found, region or free[0], found.usd_per_hour)

    async def launch(self, order: Order, say: Say = _silently) -> Entry:
        """Rent one machine: written down first, asked for once, looked for by its name where the reply was lost.

        Raises:
            LedgerError: it could not be written down; nothing was launched.
            LambdaError: it was refused; of kind "unclear" where it is not known whether it was launched.
        """
        await self._pause_after_others()
        now = self.clock.now()
        name = self._new_name(order.type, now)
        self.ledger.write(
            "LaunchAsked",
            name,
            now,
            type=order.type,
            region=order.region,
            usd_per_hour=order.usd_per_hour,
            key_mark=self._key_mark,
            user=order.user,
            identity_file=order.identity_file,
            gpus=order.gpus,
        )
        request = LaunchRequest(name, order.type, order.region, order.ssh_key, order.image_family)
        try:
            found = await self.api.launch(request)
        except LambdaError as refused:
            self.ledger.write("LaunchRefused", name, self.clock.now(), text=refused.message, code=refused.code)
            raise
        except UncertainLaunchError as uncertain:
            self.ledger.write("LaunchUnclear", name, self.clock.now(), text=str(uncertain))
            say(f"no usable answer to the launch ({uncertain}); looking for {name}, not launching again")
            return await self._looked_for(name, str(uncertain))
        for number, identity in enumerate(found):
            own = name if not number else f"{name}#{number + 1}"
            self.ledger.write("LaunchAccepted", own, self.clock.now(), instance=identity, key_mark=self._key_mark)
        return self.ledger.entries()[name]

    async def _pause_after_others(self) -> None:
        """Another tunetui, or an earlier one, may have launched a moment ago."""
        latest = max((entry.asked_at for entry in self.ledger.entries().values()), default=0.0)
        wait = latest + LAUNCH_GAP_SECONDS - self.clock.now()
        if 0.0 < wait <= LAUNCH_GAP_SECONDS:
            await self.clock.sleep(wait)

    async def _looked_for(self, name: str, why: str) -> Entry:
        """What became of a launch without an answer."""
        until = self.clock.now() + LOOK_SECONDS
        while True:
            try:
                listed = await self.api.instances()
            except LambdaError as error:
                if not error.passes:
                    raise _unknown(name, why) from None
                listed = []
            for each in listed:
                if each.name == name and each.costs:
                    self._saw(self.ledger.entries()[name], each)
                    return self.ledger.entries()[name]
            if self.clock.now() >= until:
                raise _unknown(name, why)
            await self.clock.sleep(LOOK_EVERY_SECONDS)

    def _new_name(self, type_name: str, now: float) -> str:
        short = re.sub(r"[^a-z0-9]+", "-", type_name.lower().removeprefix("gpu_")).strip("-")
        end = f"-{secrets.token_hex(4)}-t{int(now)}"
        return f"tunetui-{short}"[: _LONGEST_NAME - len(end)] + end

    # ---------------------------------------------------------------------------------- looking

    async def survey(self) -> Survey:
        """Ask the account what there is, and bring the ledger up to it.  Raises LambdaError, LedgerError."""
        listed = {each.id: each for each in await self.api.instances()}
        before = self.ledger.entries()
        for entry in before.values():
            await self._reconcile(entry, listed)
        after = self.ledger.entries()
        ours = {entry.instance for entry in after.values()}
        return Survey(
            entries=[entry for entry in after.values() if entry.is_open],
            instances=listed,
            foreign=[each for each in listed.values() if each.id not in ours],
            ended=[after[name] for name, entry in before.items() if entry.is_open and not after[name].is_open],
            unseen_keys=[e for e in after.values() if e.is_open and e.key_mark != self._key_mark],
        )

    async def look(self, name: str) -> Instance | None:
        """The instance of an entry as it is now, also in the ledger; None where it is gone.  Raises LambdaError."""
        entry = self.ledger.entries()[name]
        found = await self.api.instance(entry.instance) if entry.instance else None
        await self._reconcile(entry, {found.id: found} if found is not None else {}, asked=bool(entry.instance))
        return found if found is not None and found.costs else None

    async def _reconcile(self, entry: Entry, listed: dict[str, Instance], *, asked: bool = False) -> None:
        """Write down what a list says of an entry.  ``asked``: the list is the answer to a question for this very one."""
        if entry.instance:
            found = listed.get(entry.instance)
        else:
            found = next((each for each in listed.values() if each.name == entry.name and each.costs), None)
        if found is None and entry.is_open and entry.key_mark == self._key_mark:
            age_seconds = self.clock.now() - entry.asked_at
            if not entry.instance:
                if age_seconds >= UNSEEN_SECONDS:
                    why = f"no instance of this name {UNSEEN_SECONDS / 60:.0f} min after it was asked for"
                    self.ledger.write("NeverSeen", entry.name, self.clock.now(), text=why)
                return
            found = None if asked else await self.api.instance(entry.instance)
            # A new instance may not be found by its id for a while.
            if found is None and (entry.seen or entry.end_accepted or age_seconds >= UNSEEN_SECONDS):
                why = "terminated" if entry.state == "ending" else "not there any more: it was ended by other means"
                self.ledger.write("InstanceGone", entry.name, self.clock.now(), text=why)
        if found is not None and found.costs:
            self._saw(entry, found)
        elif found is not None and entry.is_open:
            self.ledger.write("InstanceGone", entry.name, self.clock.now(), text=found.status)

    def _saw(self, entry: Entry, found: Instance) -> None:
        news = not entry.seen or not entry.is_open or entry.state in {"asked", "unclear"}
        if news or (found.ip and found.ip != entry.ip) or entry.key_mark != self._key_mark:
            self.ledger.write(
                "InstanceSeen",
                entry.name,
                self.clock.now(),
                instance=found.id,
                ip=found.ip,
                key_mark=self._key_mark,
                usd_per_hour=found.usd_per_hour,
            )

    # ---------------------------------------------------------------------------------- giving back

    async def terminate(self, name: str, say: Say = _silently) -> Entry:
        """End an instance of the ledger and come back when it is gone; asked again where nothing happens.

        Raises:
            InputError: the ledger has no such name, or no instance of it is known.
            LambdaError: its end could not be asked for, or was not confirmed: it may go on costing.
        """
        entry = self.named(name)
        if not entry.instance:
            raise InputError(f"no instance of {entry.name} is known", hint="tunetui lambda list looks for it")
        self.ledger.write("EndAsked", entry.name, self.clock.now())
        until, ask_at = self.clock.now() + END_SECONDS, 0.0
        while True:
            if self.clock.now() >= ask_at:
                await self._ask_end(entry)
                ask_at = self.clock.now() + _ASK_END_AGAIN_SECONDS
            try:
                found = await self.look(entry.name)
            except LambdaError as error:
                if not error.passes:
                    raise _still_costs(entry, error) from None
                say(f"{entry.name}: {error.message}; asking again")
            else:
                now = self.ledger.entries()[entry.name]
                if not now.is_open:
                    return now
                status = found.status if found else "not to be found yet"
                say(f"{entry.name} is {status}")
                if status == "terminating":
                    ask_at = until
            if self.clock.now() >= until:
                raise _still_costs(entry, None)
            await self.clock.sleep(POLL_SECONDS)

    async def _ask_end(self, entry: Entry) -> None:
        try:
            accepted = await self.api.terminate(entry.instance)
        except LambdaError as error:
            if error.kind != "gone":
                raise _still_costs(entry, error) from None
            return
        if accepted:
            self.ledger.write("EndAccepted", entry.name, self.clock.now())

    # ---------------------------------------------------------------------------------- the ledger

    def named(self, name: str) -> Entry:
        """The entry of this name, or the only open one that begins so, or that has this id.  Raises InputError."""
        return entry_named(self.ledger, name)

    def ready(self, name: str) -> Entry:
        """Write down that SSH and CUDA have answered."""
        self.ledger.write("InstanceReady", name, self.clock.now())
        return self.ledger.entries()[name]


def entry_named(ledger: Ledger, name: str) -> Entry:
    """As `Account.named`, for which no account is needed."""
    entries = ledger.entries()
    if name in entries:
        return entries[name]
    found = [e for e in entries.values() if e.is_open and (e.instance == name or (name and e.name.startswith(name)))]
    if len(found) == 1:
        return found[0]
    known = ", ".join(entry.name for entry in found or [e for e in entries.values() if e.is_open]) or "none"
    if found:
        raise InputError(f"{name!r} could be any of {known}", hint="write more of the name")
    raise InputError(
        f"tunetui has launched no {name!r} that is still there",
        hint=f"launched from here: {known}; what was launched by other means is ended in Lambda's dashboard",
    )


def _unknown(name: str, why: str) -> LambdaError:
    return LambdaError(
        "unclear",
        f"{why}; no instance of this name within {LOOK_SECONDS:.0f} s",
        words=f"it is not known whether {name} was launched",
        hint="it may still come, and cost: do not launch again before tunetui lambda list (or the dashboard) says that it\n"
        "is not there; whenever it comes, tunetui lambda list and gc know it by its name",
    )


def _still_costs(entry: Entry, error: LambdaError | None) -> LambdaError:
    return LambdaError(
        "unclear" if error is None else error.kind,
        f"still there after {END_SECONDS / 60:.0f} min" if error is None else error.short,
        words=f"the end of {entry.name} is not confirmed",
        hint=f"it may still cost: tunetui lambda terminate {entry.name} again, or end {entry.instance} in the dashboard",
    )
