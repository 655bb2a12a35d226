"""The machines that this app launched: which they are, also while an answer is waited for, and their end once it is wished for."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.core.labels import one_line

if TYPE_CHECKING:
    from tunetui.hosts.lambda_cloud.account import Account, Order
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.session.rented_work import AtWork


class RentedHere:
    """What was launched outlives its screen and the app: when the app is left, somebody says what becomes of each."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.to_end: set[str] = set()
        """Those that are to be terminated once the app is gone."""
        self._under_way: set[asyncio.Task[Entry]] = set()

    async def launch(self, account: Account, order: Order, say: Callable[[str], None]) -> Entry:
        """As `Account.launch`, which goes on to its answer also where nobody waits for it any more."""
        known = account.ledger.entries().keys()
        launching = asyncio.create_task(account.launch(order, say))
        self._under_way.add(launching)

        def answered(_: object) -> None:
            self._under_way.discard(launching)
            self.names |= account.ledger.entries().keys() - known  # also one of which it is not known what became of it

        launching.add_done_callback(answered)
        return await asyncio.shield(launching)

    @property
    def is_launching(self) -> bool:
        """Whether Lambda was asked for a machine and has not answered."""
        return bool(self._under_way)

    async def answered(self) -> None:
        """Wait until it is known of every launch what became of it."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    def open(self, hosts: Iterable[str] = ()) -> list[AtWork]:
        """Those of its machines, and of these hosts, that are rented and may cost.  Raises LedgerError."""
        from tunetui.session.rented import NAMES_BEGIN
        from tunetui.session.rented_work import at_work

        names = self.names | {host for host in hosts if host.startswith(NAMES_BEGIN)}
        found = [at_work(name) for name in sorted(names)]
        return [work for work in found if work is not None]


async def settle(rented: RentedHere, hosts: Iterable[str]) -> bool:
    """Once the app is gone: terminate what is to be, and name what goes on costing; False where an end is not sure."""
    await rented.answered()
    sure = True
    for work in rented.open(hosts):
        name = work.entry.name
        if name not in rented.to_end or work.runs:
            _say_kept(work)
        else:
            sure = await _ended(name) and sure
    return sure


async def _ended(name: str) -> bool:
    from tunetui.session.renting import open_account

    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:
            said.add(text)
            _print(f"waiting     {one_line(text)}")

    try:
        over = await open_account().terminate(name, say)
    except TunetuiError as error:
        _print(f"NOT ENDED   {one_line(error.message)}", *map(one_line, error.hint.splitlines()))
        return False
    except asyncio.CancelledError:
        _print(f"NOT ENDED   {name} may go on costing", f"tunetui lambda terminate {name}")
        raise
    _print(f"terminated  {name}: gone; it cost {cost_words(over)}")
    return True


def _say_kept(work: AtWork) -> None:
    why = f": {', '.join(work.runs)} is at work there" if work.runs else ""
    name = work.entry.name
    _print(f"kept        {name} goes on costing {price_words(work.entry)}{why}", f"tunetui lambda terminate {name}")


def price_words(entry: Entry) -> str:
    """``$1.29 an hour``."""
    return "an unknown price" if entry.usd_per_hour is None else f"${entry.usd_per_hour:.2f} an hour"


def cost_words(entry: Entry) -> str:
    """``about $0.43``: at most, before tax."""
    usd = entry.usd_until(time.time())
    return "an unknown amount" if usd is None else f"about ${usd:.2f}"


def _print(first: str, *more: str) -> None:
    for line in (first, *(f"            {each}" for each in more)):
        print(line, file=sys.stderr)  # noqa: T201 - the app is gone
