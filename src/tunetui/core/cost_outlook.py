"""What a run has cost so far, costs for each trial, and will cost until it is done."""

from __future__ import annotations

import msgspec

from tunetui.core.costs import SECONDS_PER_HOUR, host_costs, usd_per_hour, usd_text
from tunetui.core.outlook import remaining_seconds
from tunetui.core.snapshot import Run


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has cost, costs for each trial, and will cost; None where that is not known yet."""

    usd: float
    usd_per_trial: float | None
    usd_to_finish: float | None


def spent_usd(run: Run) -> float | None:
    """USD so far, of the hosts whose price is known; None where none is."""
    known = [each.usd for each in host_costs(run.shifts.values()) if each.usd is not None]
    return sum(known) if known else None


def unpriced(run: Run) -> list[str]:
    """Hosts at work whose price is not known."""
    return [each.host for each in host_costs(run.shifts.values()) if each.usd is None]


def outlook(run: Run, now: float) -> Outlook | None:
    """What there is to say of the money while a run goes on, or after it; None where no price is known."""
    usd = spent_usd(run)
    if usd is None:
        return None
    done = run.counts.measured + run.counts.failed
    alive = {
        run.shifts[agent.source].host for agent in run.agents.values() if not agent.ended and agent.source in run.shifts
    }
    rate = usd_per_hour(run.prices, alive)
    left = None if run.ended is not None else remaining_seconds(run, now)
    return Outlook(
        usd=usd,
        usd_per_trial=usd / done if done else None,
        usd_to_finish=None if left is None or rate is None else left / SECONDS_PER_HOUR * rate,
    )


def outlook_words(run: Run, now: float) -> str:
    """``$0.04 of $1.00, $0.00013 a trial, ~$0.02 to finish``; empty where no price is known."""
    found = outlook(run, now)
    if found is None:
        return ""
    asked = (run.plan.grid.get("budget") or {}).get("usd") if run.plan else None
    words = [usd_text(found.usd) + (f" of {usd_text(float(asked))}" if isinstance(asked, int | float) else "")]
    words += [f"{usd_text(found.usd_per_trial)} a trial"] if found.usd_per_trial is not None else []
    words += [f"~{usd_text(found.usd_to_finish)} to finish"] if found.usd_to_finish is not None else []
    return ", ".join(words)


def device_usd_per_hour(run: Run, device: str) -> tuple[float | None, str]:
    """What an hour of one device costs: its host's price over the devices of that host in the run; or why that is not known."""
    placed = next((each for each in run.placed.values() if each.device == device), None)
    if placed is None:
        return None, "it is not known on which host this was measured"
    price = run.prices.get(placed.host)
    if price is None:
        return None, f"no price is known of {placed.host} (usd_per_hour of [hosts.{placed.host}], or --usd-per-hour)"
    shared = len({each.device for each in run.placed.values() if each.host == placed.host})
    return price.usd_per_hour / shared, ""
