"""``tunetui insight``: what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.boards import leaderboard, outcomes
from tunetui.cli import main
from tunetui.core.errors import ExitCode
from tunetui.store.leaderboard import write_leaderboard

ROOT = Path(__file__).parents[2]
SEED = ROOT / "bench" / "results" / "seed-288.leaderboard.json"


def test_axes_pairs_and_the_cheapest_row_are_printed_for_every_board(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["insight", str(SEED)]) == 0
    said = capsys.readouterr().out
    assert said.count("least shared memory within 1 % of the fastest") == 3
    assert said.count("only together: ") == 6
    assert "the best at each value loses" in said
    assert "Shapley value" in " ".join(said.split()), "lines break where the terminal is narrow"


def test_json_has_everything_and_a_price_makes_what_a_million_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["insight", str(SEED), "--board", "2", "--usd-per-hour", "3.79", "--format", "json"]) == 0
    (board,) = json.loads(capsys.readouterr().out)["boards"]
    assert board["problem"]["corpus_size"] == 25000
    assert {each["axis"] for one in board["importances"] for each in one["axes"]} == {
        "tile_size",
        "block_size",
        "shared_memory_kb",
    }
    assert "price" in {each["what"] for each in board["cheapest"]}


def test_names_from_files_reach_no_terminal_and_few_rows_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_leaderboard(leaderboard(outcomes(text="\x1b[2Jevil")), tmp_path / "small")[1]
    assert main(["insight", str(path)]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "2 measured rows are too few" in " ".join(said.split())


def test_what_cannot_be_said_is_refused(tmp_path: Path) -> None:
    assert main(["insight", str(SEED), "--board", "7"]) == ExitCode.BAD_INPUT
    assert main(["insight", str(SEED), "--within", "0"]) == ExitCode.BAD_INPUT
    assert main(["insight", str(tmp_path / "none.leaderboard.json")]) == ExitCode.BAD_INPUT
