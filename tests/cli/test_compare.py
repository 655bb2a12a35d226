"""``tunetui compare``, from the command line to the text and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tests.core.test_compare import planted
from tunetui.cli import main
from tunetui.core.claims import claim_tables
from tunetui.core.compare import compare
from tunetui.core.errors import ExitCode
from tunetui.core.leaderboard import Claim
from tunetui.core.noise_words import noise_in_words
from tunetui.store.leaderboard import read_leaderboard, to_json, to_toml

ROOT = Path(__file__).parents[2]
FIRST, AGAIN = (ROOT / "tests" / "data" / f"h200-{name}.leaderboard.json" for name in ("first", "again"))
QUICKSTART = ROOT / "tests" / "data" / "quickstart.leaderboard.json"
SEED = ROOT / "bench" / "results" / "seed-288.leaderboard.json"
GRID = ROOT / "grids" / "seed-288.toml"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def said(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    assert main(["compare", *(str(word) for word in argv)]) == code
    captured = capsys.readouterr()
    return captured.err if code == ExitCode.BAD_INPUT else captured.out


def test_what_changed_stands_before_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, FIRST, AGAIN)
    assert text.index("changed between them: nothing that is recorded") < text.index("best against best")
    assert "0 SLOWER, 0 FASTER" in text
    (noise,) = compare(read_leaderboard(FIRST), read_leaderboard(AGAIN)).boards[0].noise
    assert f"noise of cuda: {noise_in_words(noise)}" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 160


def test_the_exit_code_is_the_gate_s_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = tmp_path / "slow.leaderboard.json"
    slow.write_bytes(to_json(planted(read_leaderboard(AGAIN), 1.08, 4)))
    assert "REGRESSED" in said(capsys, FIRST, slow, "--fail-over", "3%", code=ExitCode.TARGET_MISSED)
    assert "PASSED" in said(capsys, FIRST, AGAIN, "--fail-over", "10%", code=ExitCode.OK)
    assert "UNDECIDED" in said(capsys, FIRST, AGAIN, "--fail-over", "0.5%", code=ExitCode.UNDECIDED)
    said(capsys, FIRST, slow)  # nobody asked for a judgement


def test_json_has_every_row_and_the_gate(capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(said(capsys, FIRST, AGAIN, "--format", "json", "--fail-over", "10"))
    assert len(data["comparison"]["boards"][0]["rows"]) == 96
    assert data["gate"]["outcome"] == "passed"
    assert data["comparison"]["family_error_percent"] == 5.0


def test_markdown_tables_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, FIRST, AGAIN, "--format", "markdown", "--all")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 98
    assert {line.count(" | ") for line in table if not line.startswith("|-")} == {5}


def test_a_claim_is_always_labelled_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([SEED, GRID], [SEED]):
        for form in ("table", "markdown"):
            text = said(capsys, *argv, "--format", form).replace("\\", "")
            assert "V1 (simulated) [simulated claim, not measured]" in text
            assert "none: simulated" in text
            assert "measured on NVIDIA H200" in text
            assert "reality factor" in text


def test_reality_factors_follow_their_formulas() -> None:
    board = read_leaderboard(SEED)
    claim = Claim(label="V1", simulated=True, latency_ms=2.99, facts={"corpus_size": 3651, "dims": 128})
    (table,) = claim_tables(board, [claim])
    for cell in table.cells:
        assert cell.reality_factor == pytest.approx(cell.measured_ms / 2.99)
        corpus_size, dims = cell.problem["corpus_size"], cell.problem["dims"]
        assert isinstance(corpus_size, int)
        assert isinstance(dims, int)
        work = corpus_size * dims / (3651 * 128)
        assert cell.same_work_factor == pytest.approx(cell.measured_ms / 2.99 / work)
    assert "simulated claim" in table.label
    (honest,) = claim_tables(board, [Claim(label="paper")])
    assert honest.label == "paper [claim, not measured]"
    assert honest.gpu_testing == "not stated"
    assert honest.cells[0].reality_factor is None


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([QUICKSTART, SEED], "no problem in common"),
        ([FIRST], "claims nothing"),
        ([FIRST, ROOT / "grids" / "quickstart.toml"], "without [compare] claims nothing"),
        ([FIRST, AGAIN, "--fail-over", "fast"], "expected a percentage"),
        ([FIRST, AGAIN, "--margin=-1%"], "expected a percentage"),
        ([SEED, GRID, "--fail-over", "3%"], "two leaderboards"),
        ([FIRST, ROOT / "missing.leaderboard.json"], "there is no file"),
    ],
)
def test_what_cannot_be_compared_is_refused(argv: list[object], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in said(capsys, *argv, code=ExitCode.BAD_INPUT)


def test_broken_newer_and_nonsense_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FIRST.read_bytes()
    newer = text.replace(b'"schema_version":1', b'"schema_version":99', 1)
    nonsense = text.replace(b'"median":', b'"median":"quick","was":', 1)
    for name, content in (("cut", text[: len(text) // 2]), ("newer", newer), ("nonsense", nonsense), ("empty", b"")):
        path = tmp_path / f"{name}.leaderboard.json"
        path.write_bytes(content)
        said(capsys, FIRST, path, code=ExitCode.BAD_INPUT)
        said(capsys, path, FIRST, code=ExitCode.BAD_INPUT)


def test_toml_and_json_compare_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "again.leaderboard.toml"
    path.write_bytes(to_toml(read_leaderboard(AGAIN)))
    assert said(capsys, FIRST, path) == said(capsys, FIRST, AGAIN)


def test_hostile_names_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = read_leaderboard(AGAIN)
    run = msgspec.structs.replace(board.run, name="\x1b[2Jcleared | `x`")
    path = tmp_path / "hostile.leaderboard.json"
    path.write_bytes(to_json(msgspec.structs.replace(board, run=run)))
    for form in ("table", "markdown", "json"):
        assert "\x1b" not in said(capsys, FIRST, path, "--format", form)


def test_a_run_held_against_itself_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    said_once = "both are the same run, so this says nothing about a change"
    assert said_once in " ".join(said(capsys, FIRST, FIRST).split())
    assert said_once not in " ".join(said(capsys, FIRST, AGAIN).split())


def test_medians_have_the_digits_that_their_difference_supports(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, FIRST, AGAIN)
    assert "  first   0.0446 ms  cuda" in text
    assert "  second  0.0450 ms  cuda" in text


def test_markdown_is_a_list_and_tables_in_which_nothing_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, FIRST, AGAIN, "--format", "markdown").splitlines()
    assert [
        line for line in lines if line and not line.lstrip().startswith(("- ", "|", "#")) and "changed" not in line
    ] == []
    assert "tile_size" not in "".join(lines)  # its underscore is escaped
