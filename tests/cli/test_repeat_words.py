"""Where another run's median will lie, as exports, pages and verifications have it."""

from __future__ import annotations

import csv
import io
import json
from html import escape

import msgspec

from tests.core.test_another_run import said_of
from tests.core.test_verifying import before, now, verified
from tests.core.test_visiting import again, run_of, scattered
from tunetui.cli.exports import as_csv
from tunetui.cli.narration import Face
from tunetui.cli.verify import verification_lines
from tunetui.core.another_run import REPEAT_METHOD
from tunetui.core.exports.html import html
from tunetui.core.exports.tuners import kernel_tuner_cache, t4_results
from tunetui.core.leaderboard import Latency
from tunetui.core.publishing import build_leaderboard

KNOWN, UNKNOWN = build_leaderboard(run_of(*scattered())), build_leaderboard(run_of(again(1, 1_200_000)))


def latency() -> Latency:
    found = KNOWN.boards[0].rows[0].latency_ms
    assert found
    return found


def test_a_csv_has_both_ends_behind_the_other_latencies_and_empty_cells_where_nothing_is_promised() -> None:
    known, unknown = (list(csv.reader(as_csv([board]))) for board in (KNOWN, UNKNOWN))
    head = known[0]
    latencies = [name for name in head if name.startswith("latency_ms.")]
    assert latencies[-2:] == ["latency_ms.repeat_low", "latency_ms.repeat_high"]
    assert latencies == head[head.index(latencies[0]) :][: len(latencies)]
    at = head.index("latency_ms.repeat_low")
    assert [float(cell) for cell in known[1][at : at + 2]] == [latency().repeat_low, latency().repeat_high]
    assert (unknown[0], unknown[1][at : at + 2]) == (head, ["", ""])


def test_other_tuners_files_have_both_ends_where_they_have_the_interval() -> None:
    for board in (KNOWN, UNKNOWN):
        own = board.boards[0]
        cached = next(iter(json.loads(kernel_tuner_cache(board, own, "numpy"))["cache"].values()))
        measurements = json.loads(t4_results(board, own))["results"][0]["measurements"]
        named = {each["name"]: each["value"] for each in measurements if each["unit"] == "ms"}
        for found in (cached, named):
            assert "time_ci_lo" in found
            ends = (found.get("time_repeat_lo"), found.get("time_repeat_hi"))
            assert ends == ((latency().repeat_low, latency().repeat_high) if board is KNOWN else (None, None))


def test_a_page_says_it_of_the_winner_and_by_which_method() -> None:
    known, unknown = (html(board, board.boards) for board in (KNOWN, UNKNOWN))
    assert f"; {said_of(KNOWN)}</p>" in known
    assert f"<li>{escape(REPEAT_METHOD)}</li>" in known
    assert "another run" not in unknown


def test_a_verification_says_whether_now_lies_where_another_run_was_to_lie() -> None:
    for percent, where in ((0.0, "within"), (20.0, "outside")):
        face = Face(io.StringIO(), is_terminal=False, width=80, colour=False)
        lines = verification_lines(verified(before(), now(percent)), before(), face)
        (said,) = [line for line in lines if "another run" in line]
        assert said.startswith("  another run 95 %: between 0.30")
        assert said.endswith(f" ms; now lies {where}")
    unknown = verified(before(visits=False), now(0.0))
    assert not [line for line in verification_lines(unknown, before(), face) if "another run" in line]
    assert b'"in_repeat_interval":null' in msgspec.json.encode(unknown)
