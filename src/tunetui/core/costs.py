"""What a run costs: the hours in which its agents were at work on each host, at that host's price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from tunetui.core.events import Price

SECONDS_PER_HOUR = 3600.0
_MILLION = 1e6
_MS_PER_S = 1e3


class Shift(msgspec.Struct, frozen=True, kw_only=True):
    """One agent at work: Unix seconds by its host's clock, first and last record, and what the host cost then."""

    host: str
    first: float
    last: float
    price: Price | None = None


class HostCost(msgspec.Struct, frozen=True, kw_only=True):
    """One host's part."""

    host: str
    hours: float
    usd: float | None
    price: Price | None


def host_costs(shifts: Iterable[Shift]) -> list[HostCost]:
    """Hosts with the hours in which at least one agent was at work there; a host costs the same with several."""
    by_host: dict[str, list[Shift]] = {}
    for shift in shifts:
        by_host.setdefault(shift.host, []).append(shift)
    return [_host_cost(host, sorted(own, key=lambda each: each.first)) for host, own in by_host.items()]


def _host_cost(host: str, shifts: list[Shift]) -> HostCost:
    seconds, usd, reached = 0.0, 0.0, float("-inf")
    price, unknown = None, False
    for shift in shifts:
        new = max(0.0, shift.last - max(shift.first, reached))
        reached = max(reached, shift.last)
        seconds += new
        price, unknown = shift.price or price, unknown or shift.price is None
        usd += new / SECONDS_PER_HOUR * (shift.price.usd_per_hour if shift.price else 0.0)
    return HostCost(host=host, hours=seconds / SECONDS_PER_HOUR, usd=None if unknown else usd, price=price)


def usd_text(usd: float) -> str:
    """Cents, or two digits of what is less: ``$1.20``, ``$0.0031``."""
    return f"${usd:.2f}" if usd >= 0.1 or usd == 0 else f"${float(f'{usd:.2g}'):.10f}".rstrip("0").rstrip(".")


def usd_per_hour(prices: Mapping[str, Price], hosts: Iterable[str]) -> float | None:
    """Of these hosts together; None where none of them has a price."""
    known = [prices[host].usd_per_hour for host in hosts if host in prices]
    return sum(known) if known else None


def usd_per_million(latency_ms: float, queries: float, usd_per_device_hour: float) -> float:
    """USD for a million queries at one device that does nothing else and never waits."""
    return latency_ms / _MS_PER_S / queries / SECONDS_PER_HOUR * usd_per_device_hour * _MILLION
