"""``tunetui doctor``, from the command line to the text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tunetui.cli import main
from tunetui.cli.doctor import report, summary
from tunetui.cli.narration import Face
from tunetui.core.errors import ExitCode, TunetuiError
from tunetui.core.examination import Examination, decode_examination

COMMAND = "$ /home/ann/project/.venv/bin/python3 -m pip install 'cupy-cuda13x[ctk]' nvidia-ml-py"


def check(name: str, status: str, found: str = "all right", advice: str = "", section: str = "Host") -> dict[str, str]:
    return {"section": section, "name": name, "status": status, "found": found, "advice": advice}


def examined(*checks: dict[str, str]) -> Examination:
    return decode_examination({"ok": True, "host": "lambda-a10", "checks": list(checks), "protocol": 1})


def face(width: int | None) -> Face:
    return Face(io.StringIO(), is_terminal=False, width=width, colour=False)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")


def test_this_machines_cpu_passes_and_every_line_says_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu"]) == ExitCode.OK
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    labels = [line[2:6].strip() for line in lines if line.startswith("  ") and line[2] != " "]
    assert len(labels) > 10
    assert set(labels) <= {"OK", "WARN", "n/a"}
    assert ", no failures" in lines[-1]
    assert "\x1b" not in said.out


def test_a_device_that_is_not_there_fails_with_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "GPU-none"]) == ExitCode.UNAVAILABLE
    text = capsys.readouterr().out
    assert "FAIL  device" in text
    assert "there is no GPU-none here" in text


def test_json_holds_the_same_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu", "--format", "json"]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert {"Python", "NumPy", "disk"} <= {check["name"] for check in found["checks"]}
    assert set(found["checks"][0]) == {"section", "name", "status", "found", "advice"}


def test_lines_are_aligned_and_advice_stands_below() -> None:
    found = examined(
        check("disk", "ok", "78 GiB free"),
        check("CPU governor", "warning", "powersave", "make it steady"),
        check("driver", "n/a", "none", section="NVIDIA driver"),
    )
    assert report(found, face(80)) == [
        "Host (lambda-a10)",
        "  OK    disk          78 GiB free",
        "  WARN  CPU governor  powersave",
        "                      -> make it steady",
        "",
        "NVIDIA driver",
        "  n/a   driver        none",
        "",
        "1 OK, 1 warning, no failures, 1 n/a",
    ]


def test_long_texts_keep_to_the_width_and_commands_stay_in_one_piece() -> None:
    found = examined(check("CuPy", "failure", "word " * 40, f"{'advice ' * 30}\n{COMMAND}"))
    lines = report(found, face(60))
    too_long = [line for line in lines if len(line) > 60]
    assert [line.strip() for line in too_long] == [COMMAND]
    assert " ".join(" ".join(lines).split()).count("word") == 40


@pytest.mark.parametrize(
    ("statuses", "text"),
    [
        (["ok"], "1 OK, no warnings, no failures"),
        (["failure", "failure", "warning"], "0 OK, 1 warning, 2 failures"),
        (["n/a", "warning", "warning"], "0 OK, 2 warnings, no failures, 1 n/a"),
    ],
)
def test_the_summary_counts(statuses: list[str], text: str) -> None:
    assert summary(examined(*(check(f"c{n}", status) for n, status in enumerate(statuses)))) == text


def test_what_a_host_says_cannot_steer_the_terminal() -> None:
    found = examined(check("GPU\x1b[2J", "ok", "\x1b]0;owned\x07\nnext\u202e", "do\x9b31m\nthis", section="a\rb"))
    text = "\n".join(report(found, face(None)))
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\\x1b]0;owned\\x07 next\\u202e" in text


@pytest.mark.parametrize(
    "answer",
    [{}, {"host": "h", "checks": 3}, {"host": "h", "checks": [check("x", "superb")]}, {"host": "h", "checks": [{}]}],
)
def test_an_answer_of_another_shape_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(TunetuiError, match="doctor answered with something unexpected"):
        decode_examination(answer)
