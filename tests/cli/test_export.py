"""``tunetui export``: every format read back by what it is for."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.cli.boards import leaderboard, outcomes
from tunetui.cli import main
from tunetui.cli.arguments.export import FORMATS
from tunetui.core.errors import ExitCode
from tunetui.core.exports.choosing import measured
from tunetui.core.leaderboard import Leaderboard
from tunetui.store.leaderboard import read_leaderboard, to_json, write_leaderboard

ROOT = Path(__file__).parents[2]
H200 = ROOT / "tests" / "data" / "h200-first.leaderboard.json"
SEED = ROOT / "bench" / "results" / "seed-288.leaderboard.json"
SCHEMAS = ROOT / "tests" / "data" / "t4"  # of Kernel Tuner 1.5.0
KERNEL_TUNER = os.environ.get("TUNETUI_KERNEL_TUNER", "")
"""A folder with kernel_tuner, python-constraint2 and xmltodict (`pip install --no-deps --target`), where they are not installed."""

ASK_KERNEL_TUNER = """
import json, sys, kernel_tuner
told = []
for path in sys.argv[1:]:
    results, _ = kernel_tuner.tune_cache(path)
    best = min(results, key=lambda each: each["time"])
    told.append({"rows": len(results), "time": best["time"], **{name: best[name] for name in ("tile_size", "row_block") if name in best}})
print(json.dumps(told))
"""


def export(path: Path, form: str, out: Path, *argv: object) -> str:
    assert main(["export", str(path), "--to", form, "-o", str(out), *map(str, argv)]) == 0
    return out.read_text()


@pytest.fixture
def with_failures(tmp_path: Path) -> Path:
    """A hand-made leaderboard with a wrong row and one that was not built: for testing formats alone."""
    return write_leaderboard(leaderboard(outcomes()), tmp_path / "small")[1]


def winners(board: Leaderboard, place: int) -> tuple[float, list[object]]:
    """The smallest median, and the tile sizes of all rows that have it."""
    medians = [(row.latency_ms.median, row) for row in board.boards[place].rows if row.latency_ms is not None]
    least = min(median for median, _ in medians)
    return least, [row.configuration["tile_size"] for median, row in medians if median == least]


@pytest.mark.skipif(
    find_spec("kernel_tuner") is None and not KERNEL_TUNER, reason="needs kernel_tuner 1.5.0 (extra: interop)"
)
def test_kernel_tuner_reads_the_cachefile_and_finds_the_same_winner(with_failures: Path, tmp_path: Path) -> None:
    export(SEED, "kernel-tuner", tmp_path / "seed.json", "--board", 3)
    export(with_failures, "kernel-tuner", tmp_path / "failures.json", "--implementation", "mojo")
    done = subprocess.run(
        [sys.executable, "-c", ASK_KERNEL_TUNER, str(tmp_path / "seed.json"), str(tmp_path / "failures.json")],
        capture_output=True, text=True, check=True, env=os.environ | ({"PYTHONPATH": KERNEL_TUNER} if KERNEL_TUNER else {}),
    )  # fmt: skip
    seed, failures = json.loads(done.stdout.splitlines()[-1])
    time, tile_sizes = winners(read_leaderboard(SEED), 2)
    assert (seed["rows"], seed["time"]) == (96, pytest.approx(time))
    assert seed["tile_size"] in tile_sizes
    assert failures == {
        "rows": 2,
        "time": pytest.approx(0.3101),
        "row_block": 4,
    }  # and neither the wrong nor the unbuilt


def test_a_cachefile_is_closed_and_keyed_as_kernel_tuner_does(tmp_path: Path) -> None:
    text = export(H200, "kernel-tuner", tmp_path / "cache.json")
    assert text.endswith("}\n}")
    data = json.loads(text)
    assert data["tune_params_keys"] == list(data["tune_params"])
    for key, row in data["cache"].items():
        assert key == ",".join(str(row[name]) for name in data["tune_params_keys"])
    board = read_leaderboard(H200)
    assert min(row["time"] for row in data["cache"].values()) == winners(board, 0)[0]
    assert data["problem_size"] == [50000, 768, 1, 10]
    assert any("NVIDIA H200" in line for line in data["tunetui"]["provenance"])


def test_failed_rows_are_failed_to_kernel_tuner_and_keep_their_own_status(with_failures: Path, tmp_path: Path) -> None:
    rows = json.loads(export(with_failures, "kernel-tuner", tmp_path / "c.json", "--implementation", "mojo"))["cache"]
    failed = {row["tunetui_status"]: row["time"] for row in rows.values() if "__error__" in row}
    assert failed == {"wrong": "RuntimeFailedConfig", "build_failed": "CompilationFailedConfig"}


def t4_schemas(name: str) -> list[dict[str, Any]]:
    """Both published versions of 1.0.0: that of Kernel Tuner, and the stricter one that it was made from (SOURCE.md)."""
    of_kernel_tuner = json.loads((SCHEMAS / f"{name}-schema.json").read_text())
    upstream = copy.deepcopy(of_kernel_tuner)
    if name == "results":
        result = upstream["properties"]["results"]["items"]["properties"]
        result["measurements"]["items"]["properties"]["value"]["type"] = "number"
    else:
        upstream["properties"]["metadata"]["properties"]["hardware"]["properties"] = {"lshw": {"type": "array"}}
    return [of_kernel_tuner, upstream]


def test_t4_files_are_valid_against_both_published_schemas(with_failures: Path, tmp_path: Path) -> None:
    for path, argv in ((with_failures, []), (SEED, ["--board", 2]), (H200, [])):
        results = json.loads(export(path, "t4", tmp_path / "t4.json", *argv))
        metadata = json.loads(export(path, "t4-metadata", tmp_path / "meta.json"))
        for name, written in (("results", results), ("metadata", metadata)):
            for schema in t4_schemas(name):
                jsonschema.validate(written, schema)
    words = {"name": "limiter", "value": "registers", "unit": ""}
    with_words = {**results, "results": [{**results["results"][0], "measurements": [words]}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(with_words, t4_schemas("results")[1])
    small = json.loads(export(with_failures, "t4", tmp_path / "t4.json"))["results"]
    assert [each["invalidity"] for each in small] == ["correct", "correct", "correct", "compile", "correctness"]
    numbers = [m["value"] for each in small for m in each.get("measurements", [])]
    assert numbers
    assert all(isinstance(value, int | float) for value in numbers)


def test_no_text_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    board = read_leaderboard(H200)
    first, second, *others = board.boards[0].rows
    rows = [
        msgspec.structs.replace(first, implementation="=cmd|'/C calc'!A0", cause="@SUM(1)"),
        msgspec.structs.replace(second, configuration={"flags": "-O3", "text": "-2.5e3", "number": -2}),
        *others,
    ]
    path = write_leaderboard(
        msgspec.structs.replace(board, boards=[msgspec.structs.replace(board.boards[0], rows=rows)]), tmp_path / "odd"
    )[1]
    found = list(csv.DictReader(io.StringIO(export(path, "csv", tmp_path / "odd.csv"))))
    assert (found[0]["implementation"], found[0]["cause"]) == ("'=cmd|'/C calc'!A0", "'@SUM(1)")
    assert (found[1]["flags"], found[1]["text"], found[1]["number"]) == ("'-O3", "-2.5e3", "-2")


def test_csv_has_every_trial_with_its_provenance(tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(export(SEED, "csv", tmp_path / "seed.csv"))))
    board = read_leaderboard(SEED)
    assert len(rows) == sum(len(each.rows) for each in board.boards)
    assert {row["device_name"] for row in rows} == {"NVIDIA H200"}
    assert all(row["compiler"] and row["kernel_source"] and row["measured_at"] for row in rows)
    assert len(list(csv.DictReader(io.StringIO(export(SEED, "csv", tmp_path / "one.csv", "--board", 1))))) == len(
        board.boards[0].rows
    )


def test_markdown_is_whole_and_nothing_in_it_is_markup(with_failures: Path, tmp_path: Path) -> None:
    text = export(with_failures, "markdown", tmp_path / "small.md")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in tables}) == 1
    assert "recall 0.8 is below 1" in text
    seed = export(SEED, "markdown", tmp_path / "seed.md")
    assert "claim, not measured" in seed
    assert seed.count("\n## ") == 5  # three problems, the claim, provenance


@pytest.mark.parametrize(("compiler", "argv"), [("gcc", ["-std=c99", "-x", "c"]), ("g++", ["-std=c++11", "-x", "c++"])])
def test_the_header_compiles_and_holds_the_winners(compiler: str, argv: list[str], tmp_path: Path) -> None:
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"no {compiler} here")
    export(SEED, "c-header", tmp_path / "tuned.h")
    source = tmp_path / "main.c"
    source.write_text(
        '#include <stdio.h>\n#include "tuned.h"\nint main(void) {\n'
        "    for (int i = 0; i < SEMANTIC_SEARCH_TUNED_COUNT; i++)\n"
        '        printf("%lld %lld %.17g\\n", semantic_search_tuned_table[i].corpus_size,\n'
        "               semantic_search_tuned_table[i].tile_size, semantic_search_tuned_table[i].latency_ms);\n"
        "    return 0;\n}\n"
    )
    flags = [*argv, "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "main")]
    subprocess.run([found, *flags, str(source)], check=True, capture_output=True)
    told = subprocess.run([str(tmp_path / "main")], check=True, capture_output=True, text=True).stdout.splitlines()
    board = read_leaderboard(SEED)
    for line, each in zip(told, board.boards, strict=True):
        corpus_size, tile_size, latency = line.split()
        best = next(row for row in measured(each) if row.implementation == "cuda")
        assert best.latency_ms is not None
        assert (int(corpus_size), int(tile_size)) == (each.problem["corpus_size"], best.configuration["tile_size"])
        assert float(latency) == best.latency_ms.median


def test_one_board_alone_gives_macros(tmp_path: Path) -> None:
    text = export(SEED, "c-header", tmp_path / "tuned.h", "--board", 3)
    assert "#define SEMANTIC_SEARCH_TILE_SIZE " in text


def test_the_mojo_module_compiles_and_is_known_at_compile_time(tmp_path: Path) -> None:
    mojo = Path(sys.executable).parent / "mojo"
    if not mojo.exists():
        pytest.skip("no Mojo here")
    export(SEED, "mojo", tmp_path / "tuned.mojo")
    (tmp_path / "main.mojo").write_text(
        "from tuned import COUNT, CORPUS_SIZE, DEVICE, TILE_SIZE\n\n"
        "def place(corpus_size: Int) -> Int:\n    for at in range(COUNT):\n"
        "        if materialize[CORPUS_SIZE]()[at] == corpus_size:\n            return at\n    return -1\n\n"
        "def main():\n    comptime at = place(50000)\n    comptime tile = TILE_SIZE[at]\n    print(tile)\n"
    )
    built = tmp_path / "main"
    subprocess.run(
        [str(mojo), "build", "main.mojo", "-o", str(built)], cwd=tmp_path, check=True, capture_output=True, timeout=300
    )
    told = subprocess.run([str(built)], check=True, capture_output=True, text=True).stdout
    best = next(row for row in measured(read_leaderboard(SEED).boards[2]) if row.implementation == "mojo")
    assert int(told) == best.configuration["tile_size"]


def test_wisdom_has_a_line_for_every_problem(tmp_path: Path) -> None:
    lines = export(SEED, "wisdom", tmp_path / "s.wisdom").splitlines()
    head, *rows = [json.loads(line) for line in lines if not line.startswith("#")]
    assert head["version"] == "1.0"
    assert head["key"] == "semantic-search"
    assert [row["problem_size"][0] for row in rows] == [
        board.problem["corpus_size"] for board in read_leaderboard(SEED).boards
    ]
    assert all(len(row["config"]) == len(head["tunable_parameters"]) for row in rows)


def test_wisdom_is_refused_where_its_reader_could_not_tell_the_problems_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = ROOT / "bench" / "results" / "search-shapes.leaderboard.json"
    assert main(["export", str(shapes), "--to", "wisdom", "--implementation", "cuda"]) == ExitCode.BAD_INPUT
    said = capsys.readouterr().err
    assert "differ in dtype alone" in said
    assert "--board 2" in said
    export(shapes, "wisdom", tmp_path / "one.wisdom", "--board", 2, "--implementation", "cuda")


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_where_its_figures_come_from(form: str, tmp_path: Path) -> None:
    text = export(H200, form, tmp_path / "out")
    board = read_leaderboard(H200)
    for words in (board.run.id, "NVIDIA H200", board.devices[0].driver):
        assert words in text.replace("\\", "")


@pytest.mark.parametrize("form", FORMATS)
def test_hostile_names_end_no_comment_and_reach_no_terminal(form: str, tmp_path: Path) -> None:
    board = read_leaderboard(H200)
    run = msgspec.structs.replace(board.run, name="*/ int x; /*\x1b[2J\n#error")
    device = msgspec.structs.replace(board.devices[0], name='H200"); */\nsystem("\\')
    path = tmp_path / "hostile.leaderboard.json"
    path.write_bytes(to_json(msgspec.structs.replace(board, run=run, devices=[device])))
    text = export(path, form, tmp_path / "out.h")
    assert "\x1b" not in text
    if form == "c-header":
        assert not any(line.startswith("#error") for line in text.splitlines())
        if (gcc := shutil.which("gcc")) is not None:
            subprocess.run([gcc, "-fsyntax-only", "-x", "c", str(tmp_path / "out.h")], check=True, capture_output=True)


def test_a_format_of_one_board_asks_which(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("kernel-tuner", "t4"):
        assert main(["export", str(SEED), "--to", form]) == ExitCode.BAD_INPUT
        assert "--board 3: corpus_size=50000" in capsys.readouterr().err
    assert main(["export", str(SEED), "--to", "csv", "--board", "9"]) == ExitCode.BAD_INPUT
    assert main(["export", str(SEED), "--to", "mojo", "--implementation", "nobody"]) == ExitCode.BAD_INPUT
    assert "there is: " in capsys.readouterr().err


def test_stdout_is_the_default_and_a_file_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(H200), "--to", "wisdom"]) == 0
    printed = capsys.readouterr().out
    assert printed == export(H200, "wisdom", tmp_path / "w")
    capsys.readouterr()
    assert main(["export", str(H200), "--to", "wisdom", "-o", str(tmp_path / "none" / "w")]) == ExitCode.UNAVAILABLE
