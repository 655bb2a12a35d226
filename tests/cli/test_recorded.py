"""A leaderboard measured for real: ``tunetui --batch grids/quickstart.toml`` on a busy two-core machine, recorded.

``tests/data/quickstart.leaderboard.json`` is that run's file as it was written; replace it by a new run's.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tunetui.cli import main
from tunetui.core.text_fitting import text_width

RECORDED = Path(__file__).parents[1] / "data" / "quickstart.leaderboard.json"


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["show", str(RECORDED), *argv]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("width", [80, 120])
def test_a_real_leaderboard_fits_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert max(text_width(line) for line in shown(capsys).splitlines()) <= width


def test_both_languages_are_ranked_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(shown(capsys, "--format", "csv"))))
    assert len(rows) == 24
    assert {row["implementation"] for row in rows} == {"mojo", "numpy"}
    ranks = [int(row["rank"]) for row in rows]
    assert ranks == sorted(ranks)


def test_figures_of_real_rows_can_be_sorted_and_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(
        capsys, "--format", "csv", "--where", "implementation == 'mojo' and threads == 1 and recall == 1",
        "--sort", "latency_ms.p95", "--descending", "--columns", "threads,latency_ms.p95",
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text)))
    figures = [float(row["latency_ms.p95"]) for row in rows]
    assert len(rows) == 8
    assert {row["threads"] for row in rows} == {"1"}
    assert figures == sorted(figures, reverse=True)
