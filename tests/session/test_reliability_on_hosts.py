"""Runs under load where several devices share a queue: each problem's winner is run once, on one of them."""

from __future__ import annotations

from tests.session.hosts import Hosts


async def test_each_winner_is_run_under_load_once_whoever_measured_it(hosts: Hosts) -> None:
    load = "[reliability]\nseconds = 0.3\n[problem]\nn = [64, 128]"
    hosts.grid(load, number="[1, 2, 3]")
    await hosts.measure("east", "west", usd_per_hour={"east": 3.6, "west": 3.6})
    boards = hosts.leaderboard()["boards"]
    for board in boards:
        (part,) = board["reliability"]
        best = min(board["rows"], key=lambda row: row["latency_ms"]["median"])
        assert (part["trial"], part["complete"]) == (best["trial"], True)
    ended = [each for each in hosts.records() if each["record"]["kind"] == "ReliabilityEnded"]
    assert len(ended) == len(boards) == 2
    cost = hosts.leaderboard()["cost"]
    assert sorted(host["host"] for host in cost["hosts"]) == ["east", "west"]
    assert cost["usd"] > 0
