"""A leaderboard as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.cli.boards import PROBLEM, failed, leaderboard, measured, outcomes, ref
from tunetui.cli.exports import as_csv, as_json
from tunetui.cli.narration import Face
from tunetui.cli.report import measured_rows, print_leaderboard, report_lines, unmet_targets
from tunetui.core.board_figures import metric_header
from tunetui.core.leaderboard import Leaderboard
from tunetui.core.text_fitting import text_width
from tunetui_agent.messages import TrialMeasured

GRID: dict[str, Any] = {
    "name": "quickstart", "kernel": "semantic-search",
    "targets": {
        "latency_ms.median": "< 50", "success_rate": "> 0.95", "latency_ms.p95": "< 0.312", "power_w": "< 10",
    },
    "compare": {"label": "V1", "simulated": True, "latency_ms": 2.99, "corpus_size": 3651},
}  # fmt: skip


def face(width: int | None = None, *, ascii_only: bool = False) -> tuple[Face, io.StringIO]:
    stream = io.StringIO()
    return Face(stream, is_terminal=False, width=width, colour=False, ascii_only=ascii_only), stream


def report(shown: Leaderboard, width: int | None = None) -> list[str]:
    return report_lines(shown, face(width)[0])


def test_the_whole_report_reads_like_this() -> None:
    assert report(leaderboard(grid=GRID)) == [
        "semantic-search corpus_size=10000 dims=768 on Example CPU (2 cores, 8 GiB)",
        "             row  median  ±95%     p95   throughput  bandwidth          max abs",
        " #  impl   block      ms     %      ms  M vectors/s       GB/s  recall    error  tags",
        "1=  mojo       4  0.3101  0.32  0.3123        32.25      99.1    1.000  2.4e-07  -",
        "1=  mojo       2  0.3109  0.40  0.3136        32.16      98.8    1.000  2.4e-07  -",
        " 3  numpy      -  4.21    1.1   4.31           2.38       7.30   1.000  2.4e-07  noisy",
        "in every row: threads=2",
        "in every row that has it: select=argpartition",
        "not ranked: 2 configurations",
        "  build failed: error: no such register",
        "    mojo row_block=8 threads=2",
        "  wrong: recall 0.8 is below 1",
        "    mojo row_block=1 threads=2",
        "targets, judged on the fastest of 2 tied winners (none meets them all) with its uncertainty:",
        "  met        latency_ms.median < 50: 0.3101, between 0.3091 and 0.3111",
        "  missed     success_rate > 0.95: 0.6",
        "  undecided  latency_ms.p95 < 0.312: 0.312 (p95's interval needs at least 72 samples, has 25)",
        "  undecided  power_w < 10: n/a: power_w was not measured on this device",
        "not ready: success_rate missed, latency_ms.p95 undecided, power_w undecided",
        "",
        "claim, not measured: V1 - latency_ms=2.99 corpus_size=3651 (simulated by its author; never ranked)",
    ]


def test_rows_that_were_raced_are_marked_and_the_mark_is_explained() -> None:
    first, second, *others = outcomes()[:3]
    lines = report(leaderboard([*(replace(each, stage="finalists") for each in (first, second)), *others]))
    assert [line[:10] for line in lines[2:6]] == [" #   impl ", "1=*  mojo ", "1=*  mojo ", " 3   numpy"]
    assert lines[6] == "* measured in turns, in one race of the finalists; the other figures come from the sweep"


def test_in_eighty_columns_lesser_columns_give_way_and_are_named() -> None:
    lines = report(leaderboard(), 80)
    assert lines[1:3] == [
        "             row  median  ±95%     p95   throughput  bandwidth",
        " #  impl   block      ms     %      ms  M vectors/s       GB/s  recall  tags",
    ]
    assert lines[6] == "left out for width: quality.max_abs_error (--format csv has all)"


ON_A_GPU: dict[str, Any] = {
    "resources": {
        "registers": 64, "spill_bytes": 0, "dynamic_shared_bytes": 32768, "occupancy_theoretical_percent": 37.5,
        "occupancy_limiter": "shared memory", "occupancy_achieved_percent": 35.561,
    },
    "telemetry": {"sm_clock_mhz": 1980.0, "power_w": 135.31},
}  # fmt: skip


def gpu_board() -> Leaderboard:
    first, second, *_ = outcomes()
    assert isinstance(first, TrialMeasured)
    assert isinstance(second, TrialMeasured)
    return leaderboard([replace(first, **ON_A_GPU), second])


def test_rows_of_a_gpu_show_their_occupancy_even_in_eighty_columns() -> None:
    lines = report(gpu_board(), 80)
    assert lines[1:5] == [
        "            row  median  ±95%     p95   throughput  theor  achvd",
        " #  impl  block      ms     %      ms  M vectors/s  occ %  occ %  recall",
        "1=  mojo      4  0.3101  0.32  0.3123        32.25   37.5   35.6   1.000",
        "1=  mojo      2  0.3109  0.40  0.3136        32.16    -      -     1.000",
    ]
    left_out = " ".join(lines[5:8])
    assert "occupancy_limiter" in left_out
    assert "occupancy_achieved" not in left_out


def test_with_room_a_gpus_rows_say_what_it_did_meanwhile() -> None:
    (_, above, heads, row, *_) = report(gpu_board())
    assert above.split()[-9:] == ["achvd", "occupancy", "spills", "shared", "clock", "power", "max", "abs", "build"]
    assert "limited by" in heads
    assert row.split()[-11:] == [
        "35.6",
        "shared",
        "memory",
        "64",
        "0",
        "32768",
        "1980",
        "135.3",
        "1.000",
        "2.4e-07",
        "1.25",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 132])
def test_a_report_fits_the_terminal(width: int) -> None:
    assert max(text_width(line) for line in report(leaderboard(grid=GRID), width)) <= width


def test_every_problem_has_its_own_table() -> None:
    larger = {**PROBLEM, "corpus_size": 50_000}
    results = [*outcomes(), measured(ref(9, "mojo", {"row_block": 4, "threads": 2}, larger), 1_500_000, 900)]
    headings = [line for line in report(leaderboard(results)) if line.startswith("semantic-search ")]
    assert headings == [
        "semantic-search corpus_size=10000 dims=768 on Example CPU (2 cores, 8 GiB)",
        "semantic-search corpus_size=50000 dims=768 on Example CPU (2 cores, 8 GiB)",
    ]


def test_a_run_that_ended_early_says_so_in_the_heading() -> None:
    assert report(leaderboard(reason="interrupted"))[0].endswith("(interrupted)")
    assert report(leaderboard(reason=""))[0].endswith("(not finished)")


def test_failures_of_one_cause_stand_together_and_none_is_dropped_in_silence() -> None:
    results = [failed(ref(n, "mojo", {"row_block": n}, PROBLEM), "crashed", "signal 11") for n in range(7)]
    lines = report(leaderboard(results))
    assert lines[1:3] == ["not ranked: 7 configurations", "  crashed: signal 11"]
    assert lines[-1] == "    and 2 more (--format csv has all)"


def test_too_few_samples_for_an_interval_are_said() -> None:
    result = measured(ref(1, "mojo", {"row_block": 4}, PROBLEM), 310_100, 200)
    short = replace(result, samples_ns=[310_000, 311_000, 312_000])
    row = report(leaderboard([short]))[3]
    assert row.split()[:4] == ["1", "mojo", "0.311", "n/a"]


@pytest.mark.parametrize("hostile", ["[red]x", "[/]", "\x1b]0;t\x07", "\x1b[2J", "\x9b2J", "\u202eabc", "a\tb\nc"])
def test_hostile_text_is_literal_in_every_form(hostile: str) -> None:
    results = [*outcomes(text=hostile), failed(ref(8, "numpy", {"select": hostile}, PROBLEM), "wrong", hostile)]
    shown = leaderboard(results, grid={"name": "x", "kernel": "x", "compare": {"label": hostile, hostile: hostile}})
    for form in ("table", "json", "csv"):
        out, stream = face(80)
        print_leaderboard(shown, form, out)
        assert all(character == "\n" or character.isprintable() for character in stream.getvalue())
    assert hostile in ("[red]x", "[/]") or hostile not in "\n".join(report(shown))
    if hostile.startswith("["):
        assert hostile in "\n".join(report(shown))


def test_json_is_the_leaderboard_itself() -> None:
    shown = leaderboard(outcomes(text="b\u202ea\x1b é 🦊"), grid=GRID)
    assert msgspec.json.decode(as_json(shown), type=Leaderboard) == shown


def test_csv_has_every_trial_and_every_figure_in_full() -> None:
    rows = list(csv.DictReader(io.StringIO("\n".join(as_csv([leaderboard()])))))
    assert [row["rank"] for row in rows] == ["1", "1", "3", "", ""]
    assert [row["status"] for row in rows] == ["measured"] * 3 + ["build_failed", "wrong"]
    assert rows[0]["latency_ms.median"] == "0.3101"
    assert rows[0]["throughput_vectors_per_s"] == repr(10_000 / 310_100e-9)
    assert rows[3]["latency_ms.median"] == ""
    assert rows[2]["tags"] == "noisy"
    assert rows[0]["stage"] == "sweep"


def test_csv_columns_do_not_depend_on_what_was_measured() -> None:
    header = as_csv([leaderboard()])[0].split(",")
    nothing = as_csv([leaderboard([result for result in outcomes() if hasattr(result, "cause")])])[0].split(",")
    assert [name for name in header if name not in nothing] == ["select", "quality.max_abs_error", "quality.recall"]


def test_a_terminal_without_unicode_gets_ascii() -> None:
    out, stream = face(ascii_only=True)
    print_leaderboard(leaderboard(), "table", out)
    assert stream.getvalue().isascii()


def test_only_headings_are_coloured_and_only_where_wanted() -> None:
    stream = io.StringIO()
    colourful = Face(stream, is_terminal=True, width=80, colour=True)
    coloured = [line for line in report_lines(leaderboard(), colourful) if "\x1b" in line]
    assert coloured
    assert all(line.endswith("\x1b[0m") for line in coloured)
    assert not any("\x1b" in line for line in report(leaderboard()))


@pytest.mark.parametrize(
    ("metric", "header"),
    [
        ("throughput_vectors_per_s", ("throughput", "vectors/s")),
        ("bandwidth_gb_per_s", ("bandwidth", "GB/s")),
        ("arithmetic_gflop_per_s", ("arithmetic", "GFLOP/s")),
        ("bandwidth_percent", ("bandwidth", "%")),
        ("vectors_per_s", ("vectors", "vectors/s")),
        ("bandwidth_percent_of_ceiling", ("ceiling", "%")),
        ("ratio", ("ratio", "")),
        ("per", ("per", "")),
    ],
)
def test_a_metric_is_headed_by_its_name_and_unit(metric: str, header: tuple[str, str]) -> None:
    assert metric_header(metric) == header


def test_what_decides_the_exit_code_is_counted() -> None:
    shown = leaderboard(grid=GRID)
    assert measured_rows(shown) == 3
    assert [verdict.metric for verdict in unmet_targets(shown)] == ["success_rate", "latency_ms.p95", "power_w"]
