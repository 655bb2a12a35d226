"""What a run costs: hours of hosts at their prices, by trial, to the end, and for a million queries."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.journals import AGENT, agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.cost_outlook import outlook, outlook_words, spent_usd
from tunetui.core.costs import Shift, host_costs, usd_per_million, usd_text
from tunetui.core.events import AgentPlaced, HostsPriced, Price, Record, TrialsQueued
from tunetui.core.publishing import build_leaderboard
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui_agent.messages import RunEnded, TelemetrySampled

PRICE = Price(usd_per_hour=3.6, source="--usd-per-hour")


def shift(first: float, last: float, host: str = "a10", price: Price | None = PRICE) -> Shift:
    return Shift(host=host, first=first, last=last, price=price)


def test_hours_with_several_agents_on_a_host_count_once_and_gaps_do_not() -> None:
    (cost,) = host_costs([shift(0, 3600), shift(1800, 5400), shift(9000, 12600)])
    assert cost.hours == 2.5
    assert cost.usd == pytest.approx(9.0)


def test_an_hour_keeps_the_price_that_it_had_and_an_unknown_one_makes_its_host_unknown() -> None:
    dear = Price(usd_per_hour=36.0, source="settings")
    known, unknown = host_costs([
        shift(0, 3600), shift(3600, 7200, price=dear), shift(0, 3600, "mine", None), shift(4000, 5000, "mine"),
    ])  # fmt: skip
    assert known.usd == pytest.approx(39.6)
    assert known.price == dear
    assert (unknown.host, unknown.usd) == ("mine", None)


def at_work(
    budget: dict[str, Any] | None = None,
    targets: dict[str, str] | None = None,
    host: str = "a10",
    *,
    priced: bool = True,
) -> Run:
    """1000 s on a host of $3.60 an hour, as telemetry tells; one of two trials measured."""
    grid = {"name": "x", "budget": budget or {}, "targets": targets or {}}
    placed = AgentPlaced(agent=AGENT, host=host, device="cpu@a10", model="m")
    records: list[Record] = [
        *([app(0, HostsPriced(prices={host: PRICE}), 900.0)] if priced else []),
        app(1, planned(grid=grid), 990.0), app(2, TrialsQueued(trials=[ref(1), ref(2)]), 990.0),
        app(3, placed, 990.0), agent(0, agent_started(), 1000.0), agent(1, device_found(), 1001.0),
        agent(2, measured(1, [1_000_000 + 10 * i for i in range(30)]), 1100.0),
        agent(3, TelemetrySampled(figures={}), 2000.0),
    ]  # fmt: skip
    return fold(Run(), records)


def test_cost_so_far_by_trial_and_to_finish() -> None:
    run = at_work({"usd": 2.0})
    assert spent_usd(run) == pytest.approx(1.0)
    found = outlook(run, 1990.0)
    assert found is not None
    assert found.usd_per_trial == pytest.approx(1.0)
    assert found.usd_to_finish == pytest.approx(1.0)
    assert outlook_words(run, 1990.0) == "$1.00 of $2.00, $1.00 a trial, ~$1.00 to finish"
    assert outlook_words(at_work(priced=False), 1990.0) == ""
    ended = fold(run, [agent(4, RunEnded(reason="done"), 2900.0)])
    assert spent_usd(ended) == pytest.approx(1.9)


def test_small_sums_keep_two_digits() -> None:
    assert [usd_text(usd) for usd in (0.0, 0.00001234, 0.0031, 0.126, 12.345)] == [
        "$0.00", "$0.000012", "$0.0031", "$0.13", "$12.35",
    ]  # fmt: skip


def test_a_leaderboard_says_what_its_run_cost_and_who_said_the_price() -> None:
    cost = build_leaderboard(at_work()).cost
    assert cost is not None
    assert (cost.usd, cost.usd_per_trial) == (1.0, 1.0)
    (host,) = cost.hosts
    assert (host.host, host.usd_per_hour, host.price_source) == ("a10", 3.6, "--usd-per-hour")
    unpriced = build_leaderboard(at_work(priced=False)).cost
    assert unpriced is not None
    assert unpriced.unavailable == {"hosts.a10.usd": "n/a: no price is known of a10"}
    assert build_leaderboard(at_work(host="local", priced=False)).cost is None, "nobody asked, and nobody pays"


def test_a_million_queries_cost_what_their_devices_time_does() -> None:
    run = at_work(targets={"usd_per_million_queries": "< 1.1"})
    (verdict,) = build_leaderboard(run).boards[0].targets
    assert verdict.verdict == "met"
    assert verdict.value == pytest.approx(1.000145, rel=1e-6)
    assert usd_per_million(1.0, 10, 3.6) == pytest.approx(0.1)
    run = at_work(targets={"usd_per_million_queries": "< 1.1"}, priced=False)
    (verdict,) = build_leaderboard(run).boards[0].targets
    assert verdict.verdict == "undecided"
    assert verdict.reason.startswith("n/a: no price is known of a10")


def test_devices_of_a_host_in_the_run_share_its_price() -> None:
    more = AgentPlaced(agent="agent-2", host="a10", device="gpu-2@a10", model="m")
    run = fold(at_work(targets={"usd_per_million_queries": "< 1.1"}), [app(4, more, 2000.0)])
    (verdict,) = build_leaderboard(run).boards[0].targets
    assert verdict.value == pytest.approx(0.5000725, rel=1e-6)
