"""Targets judged on every tied winner: the fastest that meets them all is the one to take."""

from __future__ import annotations

from typing import Any

from tests.core.journals import agent, agent_started, app, device_found, measured, planned, ref
from tunetui.core.events import TrialsQueued
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.core.readiness import is_ready, readiness
from tunetui.core.run import fold
from tunetui.core.snapshot import Run

TIES = [1_000_000 + 10 * i for i in range(30)]


def board(targets: dict[str, str], **rows: dict[str, Any]) -> Leaderboard:
    """Rows that are tied, in the order of their medians; each with further fields of its measurement."""
    records = [
        app(0, planned(grid={"name": "x", "targets": targets})),
        app(1, TrialsQueued(trials=[ref(n + 1) for n in range(len(rows))])),
        agent(0, agent_started()), agent(1, device_found()),
        *(agent(2 + n, measured(n + 1, [t + n for t in TIES], **more)) for n, more in enumerate(rows.values())),
    ]  # fmt: skip
    return build_leaderboard(fold(Run(), records))


def occupied(percent: float, recall: float = 1.0) -> dict[str, Any]:
    return {"resources": {"occupancy_achieved_percent": percent}, "quality": {"recall": recall}}


OCCUPIED = {"occupancy_achieved_percent": "> 70", "recall": ">= 0.99"}


def test_the_fastest_is_taken_where_it_meets_everything() -> None:
    shown = board(OCCUPIED, a=occupied(80), b=occupied(60))
    (one,) = shown.boards
    assert one.judged == ref(1).id
    assert [(v.verdict, v.value, v.rows, v.met_by, v.missed_by) for v in one.targets] == [
        ("met", 80.0, 2, 1, 1), ("met", 1.0, 2, 2, 0),
    ]  # fmt: skip
    ready = "ready: numpy tile_rows=1 select=sort meets all 2 targets"
    assert readiness(shown, one) == f"{ready}, of what was measured: the run is not finished"
    assert is_ready(shown.boards)


def test_a_tied_row_that_meets_everything_is_taken_in_place_of_the_fastest() -> None:
    shown = board(OCCUPIED, a=occupied(60), b=occupied(90, recall=0.5), c=occupied(75))
    (one,) = shown.boards
    assert one.judged == ref(3).id
    assert [(v.verdict, v.value, v.met_by, v.missed_by) for v in one.targets] == [
        ("met", 75.0, 2, 1),
        ("met", 1.0, 2, 1),
    ]


def test_where_no_tied_row_meets_everything_the_fastest_says_what_is_missing() -> None:
    shown = board(OCCUPIED, a=occupied(60), b=occupied(90, recall=0.5))
    (one,) = shown.boards
    assert one.judged == ref(1).id
    assert [(v.verdict, v.value, v.met_by) for v in one.targets] == [("missed", 60.0, 1), ("met", 1.0, 1)]
    assert readiness(shown, one) == "not ready: occupancy_achieved_percent missed"
    assert not is_ready(shown.boards)


def test_whoever_is_chosen_among_several_must_meet_a_latency_more_surely() -> None:
    # The 95 % interval of the median ends below the bound, the one that allows for two rows to choose from does not.
    bound = (TIES[20] + 1 + 3) / 1e6
    targets = {"latency_ms.median": f"< {bound}", "recall": ">= 0.99"}
    alone = board(targets, a=occupied(1))
    assert [v.verdict for v in alone.boards[0].targets] == ["met", "met"]
    chosen = board(targets, a=occupied(1, recall=0.5), b=occupied(1))
    assert [v.verdict for v in chosen.boards[0].targets] == ["met", "missed"]
    assert chosen.boards[0].judged == ref(1).id
    assert chosen.boards[0].targets[0].met_by == 2, "each by itself"


def test_without_targets_nothing_is_said() -> None:
    shown = board({}, a=occupied(1), b=occupied(2))
    assert (shown.boards[0].judged, readiness(shown, shown.boards[0])) == ("", "")
    assert not is_ready(shown.boards)
