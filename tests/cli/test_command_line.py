"""The command line itself: what it loads, what it refuses, which code it leaves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tunetui
from tunetui.cli import commands, main
from tunetui.core.errors import ExitCode, InputError, TunetuiError

HEAVY = ("rich", "numpy", "msgspec", "textual", "asyncssh", "tomli_w")


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("argv", [None, ["--help"], ["show", "--help"], ["--version"]])
def test_nothing_heavy_is_loaded_to_start_or_to_explain(argv: list[str] | None) -> None:
    call = f"tunetui.cli.main({argv!r})" if argv else "None"
    proc = run_python(f"import sys, tunetui.cli; {call}; print(*(m for m in {HEAVY!r} if m in sys.modules), sep=',')")
    assert proc.returncode == 0, proc.stderr
    assert proc.stdout.splitlines()[-1] == ""


def test_help_fits_eighty_columns_and_names_every_command_and_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(name in text for name in commands.COMMANDS)
    assert {str(int(code)) for code in ExitCode} <= set(re.findall(r"\d+", text.split("exit codes:")[1]))


@pytest.mark.parametrize("name", sorted(commands.COMMANDS))
def test_every_command_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"tunetui {name}" in text
    assert "examples:" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tunetui {tunetui.__version__}\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "tunetui: error: the app needs a terminal\n  tunetui --batch GRID"),
        (["shwo"], "there is no command 'shwo'\n  did you mean 'show'?"),
        (["grid.toml"], "the app needs a terminal"),
        (["a.leaderboard.toml"], "tunetui show FILE prints a leaderboard"),
        (["grid.toml", "--replay", "x"], "one thing at a time"),
        (["--replay", "x", "--speed", "0"], "expected a number above 0, found '0'"),
        (["--batch", "g.toml", "--replay", "x"], "--batch draws no app"),
        (["--dry-run"], "--dry-run goes with --batch\n  tunetui --batch GRID"),
        (["--fresh"], "no grid is named\n  --fresh goes with one: tunetui GRID or tunetui --batch GRID"),
        (["--batch"], "argument --batch: expected one argument"),
        (["--btach", "x"], "unrecognized arguments"),
        (["--batch", "g.toml", "--format", "xml"], "invalid choice: 'xml'"),
        (["--batch", "g.toml", "--build-jobs", "-1"], "error: argument --build-jobs"),
        (["show"], "the following arguments are required: FILE"),
        (["show", "x.toml", "--top", "ten"], "expected a whole number, found 'ten'"),
        (["\x1b]0;owned\x07"], "there is no command '\\x1b]0;owned\\x07'"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_hint_and_code_2(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == ExitCode.BAD_INPUT
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.startswith("tunetui: error: ")
    assert "\x1b" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_error_leaves_its_own_exit_code(
    code: ExitCode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = TunetuiError("no\x1b[31m way", hint="try\nagain")
    error.exit_code = code

    def refuse(argv: list[str]) -> ExitCode:
        raise error

    monkeypatch.setattr(commands, "dispatch", refuse)
    assert main(["show", "x"]) == code
    assert capsys.readouterr().err == "tunetui: error: no\\x1b[31m way\n  try\n  again\n"


def test_the_module_runs_as_a_program() -> None:
    proc = subprocess.run(
        [sys.executable, "-m", "tunetui", "--version"], capture_output=True, text=True, timeout=300, check=True
    )
    assert proc.stdout == f"tunetui {tunetui.__version__}\n"


def test_a_reader_that_leaves_early_costs_no_traceback(tmp_path: Path) -> None:
    code = (
        "import sys, tunetui.cli.commands as c\n"
        "def flood(argv):\n"
        "    [print('x' * 1000) for _ in range(1000)]\n"
        "c.dispatch = flood\n"
        "from tunetui.cli import main\n"
        "sys.exit(main([]))\n"
    )
    proc = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert proc.stdout is not None
    assert proc.stderr is not None
    proc.stdout.read(10)
    proc.stdout.close()
    assert proc.stderr.read() == b""
    proc.stderr.close()
    assert proc.wait(timeout=300) == 141


def test_an_input_error_is_bad_input() -> None:
    assert InputError("x").exit_code == ExitCode.BAD_INPUT
