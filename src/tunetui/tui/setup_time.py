"""How long a grid in the making takes, and what that costs: sampling, races and runs under load, by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tunetui.core.definitions import Grid
from tunetui.core.figures import counted, rough_duration, setting
from tunetui.core.labels import host_name
from tunetui.core.planning import Forecast
from tunetui.core.routes import LOCAL
from tunetui.session.setting_up import Speed

_SECONDS_PER_HOUR, _SECONDS_PER_MINUTE = 3600.0, 60.0


@dataclass(frozen=True)
class ExpectedTime:
    """Seconds from the first trial to the end, builds not counted; and whether they are an estimate (else a bound)."""

    seconds: float
    estimated: bool
    words: str


def expected_time(grid: Grid, found: Forecast, speed: Speed | None, devices: int = 1) -> ExpectedTime:
    """How long it takes, and by which rule that was found.

    ``devices`` of one model share the trials; races and runs under load, one for each problem, are not shared.  The
    budget's minutes end all of it.
    """
    if not found.trials:
        return ExpectedTime(0.0, estimated=True, words="nothing to measure")
    method, load = grid.method, grid.reliability.seconds * found.problems
    per_trial = 2 * method.max_seconds if speed is None else speed.seconds_per_trial
    sampling = per_trial * found.trials / devices
    races = method.finalists_seconds * found.problems if method.finalists and found.trials > 1 else 0.0
    parts = [f"{_short(sampling)} of sampling ({_rule(grid, found, speed, devices)})"]
    parts += [f"up to {_short(races)} of races"] if races else []
    parts += [f"{_short(load)} under load"] if load else []
    seconds, ends = sampling + races + load, ""
    if grid.budget.minutes is not None and seconds > grid.budget.minutes * _SECONDS_PER_MINUTE:
        seconds = grid.budget.minutes * _SECONDS_PER_MINUTE
        ends = f"; the budget of {setting(grid.budget.minutes)} min ends it"
    at_most = "" if speed is not None else " at most"
    words = f"{rough_duration(seconds)}{at_most}: {', '.join(parts)}{ends}; builds not counted"
    return ExpectedTime(seconds, speed is not None, words)


def _rule(grid: Grid, found: Forecast, speed: Speed | None, devices: int) -> str:
    shared = f", on {devices} devices" if devices > 1 else ""
    if speed is None:
        return f"2 x {setting(grid.method.max_seconds)} s a trial{shared}"
    return f"{speed.seconds_per_trial:.2g} s a trial, as {counted(speed.trials, 'trial')} on this device took{shared}"


def _short(seconds: float) -> str:
    return rough_duration(seconds).removeprefix("about ")


def cost_words(time: ExpectedTime, prices: Mapping[str, float | None]) -> list[str]:
    """What the hosts cost meanwhile at their ``prices`` in USD per hour; nothing where only this machine has none."""
    unknown = [host_name(name) for name, price in prices.items() if price is None]
    known = [price for price in prices.values() if price is not None]
    if not known:
        return [] if {*prices} == {LOCAL} else [f"not known: no usd_per_hour of {', '.join(unknown)} in settings.toml"]
    at_most = "" if time.estimated else " at most"
    but = f"; without {', '.join(unknown)}" if unknown else ""
    return [f"${sum(known) * time.seconds / _SECONDS_PER_HOUR:.2f}{at_most} at ${sum(known):.2f} an hour{but}"]
