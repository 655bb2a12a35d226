"""What a run may still use up: prices found before anything begins, a deadline for agents, a watch while the app is there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tunetui.core.cost_outlook import spent_usd
from tunetui.core.costs import SECONDS_PER_HOUR, usd_per_hour
from tunetui.core.errors import InputError
from tunetui.core.events import Price

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from tunetui.core.definitions import Budget
    from tunetui.core.snapshot import Run
    from tunetui.settings import HostSettings

DEADLINE_GRACE_SECONDS = 10.0
"""The app stops a run when its minutes are over; this much later an agent that nobody is left to ask does it by itself."""
_LOOK_SECONDS = 0.25


def prices_of(
    hosts: Iterable[str], given: Mapping[str, float], settings: Mapping[str, HostSettings]
) -> dict[str, Price]:
    """What is known of the prices of these hosts.  ``given`` is from the command line, by host or "" for all others."""
    found: dict[str, Price] = {}
    for host in hosts:
        known = settings.get(host)
        own = known.usd_per_hour if known is not None else None
        if host in given or (own is None and "" in given):
            found[host] = Price(usd_per_hour=given.get(host, given.get("", 0.0)), source="--usd-per-hour")
        elif known is not None and own is not None:
            source = known.usd_source or f"usd_per_hour of [hosts.{host}] in the settings"
            found[host] = Price(usd_per_hour=own, source=source)
    return found


def check_priced(budget: Budget, hosts: Iterable[str], prices: Mapping[str, Price]) -> None:
    """Raise InputError where a budget in USD could not be kept: a host has no known price."""
    unknown = [host for host in hosts if host not in prices]
    if budget.usd is not None and unknown:
        raise InputError(
            f"budget.usd cannot be kept: no price is known of {', '.join(unknown)}",
            hint=f'--usd-per-hour {unknown[0]}=PRICE says it, or usd_per_hour under [hosts."{unknown[0]}"] in '
            "settings.toml; a machine of your own costs 0",
        )


def was_overdue(run: Run) -> bool:
    """Whether an agent of the latest start ended because its budget was used up."""
    return any(notice.code == "deadline" and notice.t >= (run.resumed or 0.0) for notice in run.notices)


class Spending:
    """One start's budget.  Minutes count from `begin`; USD is that of the whole run, earlier starts included."""

    def __init__(self, budget: Budget, prices: Mapping[str, Price], run: Callable[[], Run]) -> None:
        """``prices`` are those of all hosts that may take part."""
        self.prices = dict(prices)
        self._budget, self._run = budget, run
        self._begun = time.monotonic()

    def begin(self) -> None:
        """The minutes count from now."""
        self._begun = time.monotonic()

    def deadline_seconds(self) -> float:
        """When an agent that begins now must end by itself; 0: never.  All hosts are taken to be at work until then."""
        ends = []
        if self._budget.minutes is not None:
            gone = time.monotonic() - self._begun
            ends.append(60.0 * self._budget.minutes - gone + DEADLINE_GRACE_SECONDS)
        rate = usd_per_hour(self.prices, self.prices)
        if self._budget.usd is not None and rate:
            left = self._budget.usd - (spent_usd(self._run()) or 0.0)
            ends.append(left / rate * SECONDS_PER_HOUR)
        return max(1.0, min(ends)) if ends else 0.0

    @property
    def is_over(self) -> bool:
        """Whether minutes or money are used up."""
        minutes, usd = self._budget.minutes, self._budget.usd
        if minutes is not None and time.monotonic() - self._begun >= 60.0 * minutes:
            return True
        return usd is not None and (spent_usd(self._run()) or 0.0) >= usd

    async def keep(self, work: Awaitable[bool], stop: Callable[[], None]) -> bool:
        """What ``work`` gives; ``stop`` is called once if the budget ends before it."""
        self.begin()
        watching = asyncio.create_task(self._watch(stop))
        try:
            return await work
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, stop: Callable[[], None]) -> None:
        if self._budget.minutes is None and self._budget.usd is None:
            return
        while not self.is_over:
            minutes_left = 60.0 * (self._budget.minutes or 1.0) - (time.monotonic() - self._begun)
            await asyncio.sleep(max(0.001, min(_LOOK_SECONDS, minutes_left)))
        stop()
