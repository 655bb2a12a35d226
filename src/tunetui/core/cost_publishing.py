"""What a run cost as its leaderboard has it, with who said the price; and what a million queries cost at a row."""

from __future__ import annotations

from tunetui.core.cost_outlook import device_usd_per_hour, spent_usd
from tunetui.core.costs import host_costs, usd_per_million
from tunetui.core.leaderboard import CostPart, HostCostPart
from tunetui.core.routes import LOCAL
from tunetui.core.snapshot import Row, Run
from tunetui.core.targets import Figure, exact

_BATCH_FIELD = "queries"
_FIGURE = "usd_per_million_queries"


def cost_part(run: Run) -> CostPart | None:
    """None where only this machine was at work and nobody said what it costs."""
    found = host_costs(run.shifts.values())
    asked = (run.plan.grid.get("budget") or {}).get("usd") if run.plan else None
    if not found or (asked is None and all(each.host == LOCAL and each.price is None for each in found)):
        return None
    usd, done = spent_usd(run), run.counts.measured + run.counts.failed
    unavailable = {
        f"hosts.{each.host}.usd": f"n/a: no price is known of {each.host}" for each in found if each.usd is None
    }
    return CostPart(
        usd=None if usd is None else round(usd, 6),
        usd_per_trial=None if usd is None or not done else float(f"{usd / done:.4g}"),
        hosts=[
            HostCostPart(
                host=each.host,
                hours=round(each.hours, 6),
                usd=None if each.usd is None else round(each.usd, 6),
                usd_per_hour=each.price.usd_per_hour if each.price else None,
                price_source=each.price.source if each.price else "",
            )
            for each in found
        ],
        unavailable=unavailable,
    )


def cost_figures(run: Run, row: Row, median_ms: Figure) -> dict[str, Figure]:
    """USD for a million queries, at both ends of the median's interval."""
    usd, why = device_usd_per_hour(run, row.device)
    queries = row.problem.get(_BATCH_FIELD, 1)
    if usd is None or isinstance(queries, bool | str) or queries <= 0 or median_ms.value is None:
        return {_FIGURE: exact(None, why or "it has no latency, or its problem no number of queries")}
    low, high = (None if end is None else usd_per_million(end, queries, usd) for end in (median_ms.low, median_ms.high))
    return {_FIGURE: Figure(usd_per_million(median_ms.value, queries, usd), low, high, median_ms.reason)}
