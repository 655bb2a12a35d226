"""``tunetui show``, from the command line to the text."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.cli.boards import GRID_WITH_CLAIM, PROBLEM, leaderboard, measured, outcomes, ref
from tunetui.cli import main
from tunetui.core.errors import ExitCode
from tunetui.core.leaderboard import Leaderboard
from tunetui.store.leaderboard import read_leaderboard, write_leaderboard


@pytest.fixture
def saved(tmp_path: Path) -> list[Path]:
    """One leaderboard in TOML and in JSON."""
    return write_leaderboard(leaderboard(grid=GRID_WITH_CLAIM), tmp_path / "small")


def said(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    assert main([str(word) for word in argv]) == code
    captured = capsys.readouterr()
    assert (captured.err == "") == (code == 0)
    return captured.out if code == 0 else captured.err


def implementations(text: str) -> list[str]:
    """The second column of the table's body."""
    rows = [line.split() for line in text.splitlines()]
    return [row[1] for row in rows if len(row) > 3 and row[0].rstrip("=").isdigit()]


def test_toml_and_json_show_the_same(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    toml, json_text = (said(capsys, "show", path) for path in saved)
    assert toml == json_text
    assert implementations(toml) == ["mojo", "mojo", "numpy"]


def test_several_files_follow_each_other_under_their_names(
    saved: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "show", *saved)
    assert [line for line in text.splitlines() if line.startswith("== ")] == [f"== {path}" for path in saved]


def test_any_column_sorts_either_way_and_ranks_stay(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", saved[0], "--sort", "latency_ms.p95", "--descending")
    assert implementations(text) == ["numpy", "mojo", "mojo"]
    assert text.splitlines()[3].startswith(" 3  numpy")
    by_block = said(capsys, "show", saved[0], "--sort", "row_block", "--columns", "row_block,p95")
    assert [line.split()[0] for line in by_block.splitlines()[3:8]] == ["1", "2", "4", "8", "-"]


def test_rows_are_filtered_and_the_first_are_kept(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert implementations(said(capsys, "show", saved[0], "--where", "row_block >= 2 and recall == 1")) == [
        "mojo",
        "mojo",
    ]
    assert implementations(said(capsys, "show", saved[0], "--where", "rank <= 1", "--top", "1")) == ["mojo"]
    assert "no row to show" in said(capsys, "show", saved[0], "--where", "row_block > 99")


def test_problems_without_a_row_that_was_asked_for_have_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = [each for n in (1000, 2000, 3000) for each in outcomes({"corpus_size": n, "dims": 8})]
    numbered = [replace(each, trial=replace(each.trial, id=f"{place:016x}")) for place, each in enumerate(several)]
    (file, _) = write_leaderboard(leaderboard(numbered), tmp_path / "several")
    text = said(capsys, "show", file, "--where", "corpus_size == 2000")
    assert text.count("semantic-search") == 1
    assert "no row to show of 2 other problems" in text


def test_failed_rows_can_be_asked_for(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", saved[0], "--where", "status == 'wrong'")
    assert "recall 0.8 is below 1" in text
    assert "no such register" not in text


def test_exactly_the_asked_columns_are_shown(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", saved[0], "--columns", "rank,corpus_size,build_seconds,tags,n", "--where", "rank > 0")
    assert text.splitlines()[1:6] == [
        "    corpus  build",
        " #    size      s  tags    n",
        "1=   10000   1.25  -      25",
        "1=   10000   1.25  -      25",
        " 3   10000   -     noisy  25",
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--sort", "latency_ms.mediam"], "did you mean 'latency_ms.median'?"),
        (["--columns", "rank,recal"], "did you mean 'quality.recall'?"),
        (["--columns", " , "], "--columns names no column"),
        (["--where", "row_blok > 1"], "--where: row_blok is not known here"),
        (["--where", "row_blok > 1"], "did you mean row_block?"),
        (["--where", "row_block >"], "cannot read the expression"),
        (["--descending"], "--descending needs a column"),
        (["--columns", "rank", "--format", "json"], "--columns has no meaning with --format json"),
    ],
)
def test_what_cannot_be_shown_is_bad_input(
    argv: list[str], message: str, saved: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said(capsys, "show", saved[0], *argv, code=ExitCode.BAD_INPUT)


def test_a_file_that_is_missing_or_is_no_leaderboard_is_bad_input_and_nothing_is_printed(
    saved: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("name = 'grid'\n")
    for wrong in (tmp_path / "gone.leaderboard.toml", other):
        assert main(["show", str(saved[0]), str(wrong)]) == ExitCode.BAD_INPUT
        captured = capsys.readouterr()
        assert captured.out == ""
        assert wrong.name in captured.err


def test_json_holds_the_chosen_rows(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(said(capsys, "show", saved[1], "--format", "json", "--where", "rank == 1"))
    assert [row["configuration"]["row_block"] for row in shown["boards"][0]["rows"]] == [4, 2]
    whole = said(capsys, "show", saved[0], "--format", "json").encode()
    assert msgspec.json.decode(whole, type=Leaderboard) == read_leaderboard(saved[1])


def test_csv_joins_files_under_one_header(saved: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(said(capsys, "show", *saved, "--format", "csv", "--top", "2"))))
    assert [row["implementation"] for row in rows] == ["mojo"] * 4
    some = said(capsys, "show", saved[0], "--format", "csv", "--columns", "rank,median", "--top", "1")
    assert some.splitlines() == ["rank,latency_ms.median", "1,0.3101"]


def test_every_problem_is_filtered_and_cut_on_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    larger = {**PROBLEM, "corpus_size": 50_000}
    results = [*outcomes(), measured(ref(9, "numpy", {"select": "sort"}, larger), 1_500_000, 900)]
    paths = write_leaderboard(leaderboard(results), tmp_path / "two")
    assert implementations(said(capsys, "show", paths[0], "--top", "1")) == ["mojo", "numpy"]


def test_hostile_strings_of_a_file_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "[red]\x1b]0;t\x07\x9b2J\u202ea[/]"
    paths = write_leaderboard(leaderboard(outcomes(text=hostile)), tmp_path / "hostile")
    for form in ("table", "json", "csv"):
        text = said(capsys, "show", paths[1], "--format", form, "--sort", "select")
        assert all(character == "\n" or character.isprintable() for character in text)
