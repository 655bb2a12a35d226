"""How many devices a load needs: the arithmetic, and whether the bound on waiting holds."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.cli.boards import leaderboard, measured, ref
from tunetui.core.errors import InputError
from tunetui.core.leaderboard import CostPart, HostCostPart, Leaderboard
from tunetui.core.sizing import Load, p99_bound_ms, size
from tunetui.store.leaderboard import read_leaderboard

H200 = Path(__file__).parents[1] / "data" / "h200-first.leaderboard.json"


def batches(name: str, *, slower: int = 1) -> Leaderboard:
    """Hand-made figures for testing the arithmetic: batches of 1, 10 and 100 queries in 0.1, 0.2 and 1 ms."""
    results = [
        measured(ref(number, "cuda", {"tile": 1}, {"n": 7, "queries": queries}), nanoseconds * slower, 1)
        for number, (queries, nanoseconds) in enumerate(((1, 100_000), (10, 200_000), (100, 1_000_000)))
    ]
    made = leaderboard(results)
    return msgspec.structs.replace(made, devices=[msgspec.structs.replace(made.devices[0], name=name)])


def test_devices_follow_from_the_measured_rate_and_the_headroom() -> None:
    plans = {plan.batch: plan for plan in size([batches("A")], Load(qps=100_000, p99_ms=50), {"": 2.0})}
    for batch, milliseconds in ((1, 0.1), (10, 0.2), (100, 1.0)):
        plan = plans[batch]
        assert plan.execution_ms == pytest.approx(milliseconds, rel=1e-3)
        assert plan.qps_per_device == pytest.approx(0.7 * batch / milliseconds * 1e3, rel=1e-3)
        assert plan.devices == math.ceil(100_000 / plan.qps_per_device)
        assert plan.utilisation_percent is not None
        assert plan.utilisation_percent <= 70.0 + 1e-6
        assert plan.usd_per_hour == 2.0 * plan.devices
        assert plan.usd_per_million == pytest.approx(2.0 * plan.devices / 3600 / 100_000 * 1e6)
    assert [batch for batch, plan in plans.items() if plan.best] == [100]


def test_a_bound_that_large_batches_cannot_keep_takes_smaller_ones() -> None:
    plans = {plan.batch: plan for plan in size([batches("A")], Load(qps=1000, p99_ms=3), {})}
    assert plans[100].devices is None
    assert "p99 of 3 ms cannot be promised" in plans[100].reason
    assert plans[1].devices is not None
    assert plans[1].best


def test_overhead_comes_off_the_room_and_onto_the_answer() -> None:
    plain, heavy = (size([batches("A")], Load(qps=1000, p99_ms=3, overhead_ms=extra), {})[0] for extra in (0.0, 2.0))
    assert plain.p99_ms is not None
    assert heavy.p99_ms == pytest.approx(plain.p99_ms + 2.0)
    assert all(plan.devices is None for plan in size([batches("A")], Load(qps=1000, p99_ms=3, overhead_ms=3), {}))


def test_prices_by_model_choose_the_cheapest_device() -> None:
    boards = [batches("A"), batches("B", slower=4)]
    load = Load(qps=500_000, p99_ms=50)
    best = next(plan for plan in size(boards, load, {"A": 4.0, "B": 0.5}) if plan.best)
    assert best.device == "B"
    best = next(plan for plan in size(boards, load, {"A": 4.0, "B": 3.0}) if plan.best)
    assert best.device == "A"
    assert all(plan.usd_per_million is None for plan in size(boards, load, {}))


def test_whole_hosts_are_paid_however_few_of_their_devices_are_needed() -> None:
    for qps, hosts in ((10_000, 1), (50_000, 1), (70_000, 2)):
        plan = size([batches("A")], Load(qps=qps, p99_ms=50), {"A": 8.0}, 8)[0]
        assert plan.devices is not None
        assert (plan.devices <= 8) == (hosts == 1)
        assert (plan.hosts, plan.usd_per_hour) == (hosts, 8.0 * hosts)


def test_the_price_that_a_run_has_on_record_counts_where_none_is_said() -> None:
    host = HostCostPart(host="local", hours=1.0, usd_per_hour=0.5, price_source="--usd-per-hour")
    board = msgspec.structs.replace(batches("A"), cost=CostPart(hosts=[host]))
    assert {plan.usd_per_hour for plan in size([board], Load(qps=100, p99_ms=5000), {})} == {0.5}
    assert {plan.usd_per_hour for plan in size([board], Load(qps=100, p99_ms=5000), {"": 2.0})} == {2.0}


def test_loads_beyond_a_million_devices_are_said_to_be() -> None:
    plans = size([batches("A")], Load(qps=1e300, p99_ms=50), {})
    assert {plan.reason for plan in plans} == {"more than 1,000,000 devices would be needed"}


def test_nothing_measured_is_refused() -> None:
    board = batches("A")
    empty = msgspec.structs.replace(board, boards=[msgspec.structs.replace(each, rows=[]) for each in board.boards])
    with pytest.raises(InputError, match="nothing was measured"):
        size([empty], Load(qps=1, p99_ms=1), {})


def test_a_measured_run_is_sized_from_its_slow_side() -> None:
    board = read_leaderboard(H200)
    (plan,) = size([board], Load(qps=5000, p99_ms=50), {})
    rows = [row.latency_ms for row in board.boards[0].rows if row.latency_ms is not None]
    assert plan.execution_ms == min(each.ci_high for each in rows if each.ci_high is not None)
    assert plan.slowest_ms >= plan.execution_ms
    assert plan.devices == 1


@pytest.mark.parametrize(("qps", "batch", "slowest_ms"), [(700.0, 1, 1.0), (4000.0, 10, 2.0), (50_000.0, 100, 1.5)])
def test_random_arrivals_wait_no_longer_than_the_bound(qps: float, batch: int, slowest_ms: float) -> None:
    """Arrivals drawn at random, to check the formula; no figure of any device."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / qps, 40_000 * batch))
    filled = arrivals[batch - 1 :: batch]
    service = slowest_ms / 1e3
    starts = np.maximum.accumulate(filled - service * np.arange(len(filled))) + service * np.arange(len(filled))
    latency_ms = (np.repeat(starts + service, batch) - arrivals) * 1e3
    bound = p99_bound_ms(qps, batch, slowest_ms)
    assert bound is not None
    shown = float(np.percentile(latency_ms, 99))
    assert shown <= bound <= 2.5 * shown


def test_a_device_that_cannot_keep_up_has_no_bound() -> None:
    assert p99_bound_ms(1000.0, 1, 1.0) is None
    assert p99_bound_ms(999.0, 1, 1.0) is not None
