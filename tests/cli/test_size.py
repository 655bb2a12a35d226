"""``tunetui size``, from the command line to the text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunetui.cli import main
from tunetui.core.errors import ExitCode

H200 = Path(__file__).parents[1] / "data" / "h200-first.leaderboard.json"


def said(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    assert main(["size", str(H200), *map(str, argv)]) == code
    captured = capsys.readouterr()
    return captured.err if code == ExitCode.BAD_INPUT else captured.out


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "tunetui"
    folder.mkdir()
    return folder / "settings.toml"


def test_the_table_names_headroom_and_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--qps", 5000, "--p99", 50, "--usd-per-hour", 3.79)
    assert "headroom: 30 %" in text
    assert "devices = the fewest N" in text
    assert "cheapest: 1 x NVIDIA H200 with batches of 1, 0.211 USD per million queries" in text
    assert "the kernel alone" in text


def test_missing_prices_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "prices are missing" in said(capsys, "--qps", 5000, "--p99", 50)


def test_a_host_s_price_comes_from_the_settings(own_settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = json.loads(H200.read_text())["devices"][0]["host"]
    own_settings.write_text(f"[hosts.{host}]\nusd_per_hour = 8.0\n")
    argv = ("--qps", 5000, "--p99", 50, "--format", "json", "--devices-per-host", 4)
    (plan,) = json.loads(said(capsys, *argv))["plans"]
    assert (plan["devices"], plan["hosts"], plan["usd_per_hour"]) == (1, 1, 8.0)  # a whole host is paid
    (dearer,) = json.loads(said(capsys, *argv, "--usd-per-hour", "NVIDIA H200=40"))["plans"]
    assert dearer["usd_per_hour"] == 40.0


def test_a_bound_that_nothing_meets_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot be promised" in said(capsys, "--qps", 5000, "--p99", 0.01, code=ExitCode.TARGET_MISSED)


@pytest.mark.parametrize(
    "argv",
    [
        ("--qps", "0", "--p99", "50"),
        ("--qps", "many", "--p99", "50"),
        ("--qps", "1", "--p99", "inf"),
        ("--qps", "1", "--p99", "1", "--headroom", "100%"),
        ("--qps", "1", "--p99", "1", "--usd-per-hour", "cheap"),
        ("--qps", "1", "--p99", "1", "--usd-per-hour", "A10=-1"),
        ("--qps", "1", "--p99", "1", "--usd-per-hour", "no such device=1"),
        ("--qps", "1", "--p99", "1", "--devices-per-host", "0"),
        ("--qps", "1"),
    ],
)
def test_nonsense_is_refused(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert "error" in said(capsys, *argv, code=ExitCode.BAD_INPUT)
