"""Which price holds for the host that a leaderboard was measured on, and which names prices may be given for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tunetui.core.errors import InputError
from tunetui.core.labels import one_line
from tunetui.core.leaderboard import DevicePart, Leaderboard
from tunetui.core.routes import LOCAL


def price_of_host(
    leaderboard: Leaderboard, device: DevicePart | None, usd_per_hour: Mapping[str, float]
) -> float | None:
    """USD for an hour of the whole host: by the device's model, the host's name, "" for all, or as the run has it on record."""
    if device is None:
        return usd_per_hour.get("")
    said = (usd_per_hour[name] for name in (device.name, device.reached_as, device.host, "") if name in usd_per_hour)
    return next(said, _on_record(leaderboard, device))


def devices_beside(leaderboard: Leaderboard, device: DevicePart | None) -> int:
    """How many devices of its host took part in the run, itself included: they share the price."""
    if device is None:
        return 1
    return sum((each.reached_as, each.host) == (device.reached_as, device.host) for each in leaderboard.devices)


def refuse_strange_names(leaderboards: Sequence[Leaderboard], names: Iterable[str]) -> None:
    """A price for something that was not measured would silently count for nothing.

    Raises:
        InputError: no device or host of the leaderboards has this name.
    """
    devices = [device for leaderboard in leaderboards for device in leaderboard.devices]
    known = list(dict.fromkeys(name for d in devices for name in (d.name, d.reached_as, d.host) if name))
    for name in names:
        if name and name not in known:
            raise InputError(
                f"--usd-per-hour: no device or host in these files is called {one_line(name)!r}",
                hint=f"there is: {', '.join(map(one_line, known)) or 'none'}",
            )


def _on_record(leaderboard: Leaderboard, device: DevicePart) -> float | None:
    if leaderboard.cost is None:
        return None
    host = device.reached_as or LOCAL
    return next((part.usd_per_hour for part in leaderboard.cost.hosts if part.host == host), None)
