from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_publishing import RECORDS
from tests.core.test_visiting import run_of, scattered
from tunetui.core.definitions import Compare
from tunetui.core.errors import InputError
from tunetui.core.leaderboard import SCHEMA_VERSION, Leaderboard
from tunetui.core.publishing import build_leaderboard
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.store.atomic import StoreError
from tunetui.store.leaderboard import read_json, read_leaderboard, read_toml, to_json, to_toml, write_leaderboard
from tunetui.store.schema import leaderboard_schema
from tunetui.store.toml_writing import _quick_card, dumps

ROOT = Path(__file__).parents[2]
CLAIM = Compare(label='V1 "simulated"', simulated=True, latency_ms=2.99, facts={"corpus_size": 3651})
BOARD = build_leaderboard(fold(Run(), RECORDS), compare=[CLAIM])


def test_both_files_read_back_as_the_leaderboard_that_was_written(tmp_path: Path) -> None:
    paths = write_leaderboard(BOARD, tmp_path / "quick.v2")
    assert [path.name for path in paths] == ["quick.v2.leaderboard.toml", "quick.v2.leaderboard.json"]
    assert [read_leaderboard(path) for path in paths] == [BOARD, BOARD]


def test_any_toml_reader_and_any_json_reader_find_the_same_in_both() -> None:
    assert tomllib.loads(to_toml(BOARD).decode()) == json.loads(to_json(BOARD)) == msgspec.to_builtins(BOARD)


def test_what_is_written_fits_the_published_schema() -> None:
    schema = json.loads((ROOT / "docs" / "leaderboard.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for data in (tomllib.loads(to_toml(BOARD).decode()), json.loads(to_json(BOARD))):
        validator.validate(data)
        assert not validator.is_valid(data | {"odd": 1})


def test_the_published_schema_is_the_one_that_the_structs_make() -> None:
    fresh = leaderboard_schema()
    assert (ROOT / "docs" / "leaderboard.schema.json").read_text() == fresh, "python -m tunetui.store.schema > docs/..."


def test_a_row_of_the_toml_file_is_a_card_that_people_can_read() -> None:
    lines = to_toml(BOARD).decode().splitlines()
    start = lines.index("[[boards.rows]]")
    assert 'configuration = { tile_rows = 4, select = "sort" }' in lines[start : start + 20]
    assert max(len(line) for line in lines) < 400


@pytest.mark.parametrize("read", [read_toml, read_json])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "written by a newer tunetui (schema_version 5; this one knows 4)"),
        ({"schema_version": 0}, "schema_version: expected 1 or more, found 0"),
        ({"schema_version": "1"}, "schema_version: expected `int`, got `str`, found '1'"),
        ({"colour": "red"}, "the file: unknown field `colour`"),
        ({"boards": [{"problem": {}, "rows": [{"trial": 5}]}]}, "boards[0].rows[0].trial: expected `str`, got `int`, found 5"),
        ({"boards": [{"problem": {"k": [1]}}]}, "boards[0].problem"),
        ({"schema_version": None}, "schema_version: expected a leaderboard, found no such key"),
        ({"run": {}}, "run: object missing required field `id`"),
        ({"boards": 3}, "boards: expected `array`, got `int`, found 3"),
    ],
    ids=str,
)  # fmt: skip
def test_a_file_edited_into_nonsense_says_file_place_expected_and_found(
    read: Any, change: dict[str, Any], message: str
) -> None:
    data = {key: value for key, value in (msgspec.to_builtins(BOARD) | change).items() if value is not None}
    text = dumps(data) if read is read_toml else json.dumps(data)
    with pytest.raises(InputError) as caught:
        read(text.encode(), "a.leaderboard.toml")
    assert caught.value.message.startswith(f"a.leaderboard.toml: {message}")


def _edited(place: str, value: object) -> dict[str, Any]:
    """The leaderboard's data with one value changed."""
    data: Any = msgspec.to_builtins(BOARD)
    *way, last = [int(part) if part.isdigit() else part for part in place.split(".")]
    at = data
    for part in way:
        at = at[part]
    at[last] = value
    return dict(data)


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("boards.0.rows.0.latency_ms.median", -1.0, "boards[0].rows[0].latency_ms.median: expected more than 0, found -1"),
        ("boards.0.rows.0.latency_ms.median", 0.0, "boards[0].rows[0].latency_ms.median: expected more than 0, found 0"),
        ("boards.0.rows.0.latency_ms.p99", 1e308, "boards[0].rows[0].latency_ms.p99: expected "),
        ("boards.0.rows.0.latency_ms.ci_low", 9e9, "boards[0].rows[0].latency_ms.ci_low: expected at most the median"),
        ("boards.0.rows.0.samples_ns.0", -5, "boards[0].rows[0].samples_ns: expected more than 0, found -5"),
        ("boards.0.rows.0.rank", "first", 'boards[0].rows[0].rank: expected "1" or "1="'),
        ("boards.0.rows.1.trial", BOARD.boards[0].rows[0].trial, "boards[0].rows: expected each trial once"),
        ("boards.0.winner", ["gone"], "boards[0].winner: expected the trial of a row, found 'gone'"),
        ("boards.0.device", "gone", "boards[0].device: expected the id of one of the devices, found 'gone'"),
        ("success_rate", 7.0, "success_rate: expected 0 to 1, found 7"),
    ],
    ids=str,
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused_with_the_place(
    tmp_path: Path, suffix: str, place: str, value: object, message: str
) -> None:
    path, data = tmp_path / f"a.leaderboard.{suffix}", _edited(place, value)
    path.write_text(dumps(data) if suffix == "toml" else json.dumps(data))
    with pytest.raises(InputError) as caught:
        read_leaderboard(path)
    assert caught.value.message.startswith(f"{path}: {message}")


REPEATED = build_leaderboard(run_of(*scattered()))
"""Its rows were visited a second time, so that they say where another run's median will lie."""


def test_repeat_intervals_are_in_both_files_and_read_back(tmp_path: Path) -> None:
    paths = write_leaderboard(REPEATED, tmp_path / "again")
    assert [read_leaderboard(path) for path in paths] == [REPEATED, REPEATED]
    schema = json.loads((ROOT / "docs" / "leaderboard.schema.json").read_text())
    for data in (tomllib.loads(paths[0].read_text()), json.loads(paths[1].read_bytes())):
        jsonschema.validate(data, schema)
        latency = data["boards"][0]["rows"][0]["latency_ms"]
        assert (
            latency["repeat_low"] < latency["ci_low"] < latency["median"] < latency["ci_high"] < latency["repeat_high"]
        )
        assert (data["schema_version"], "sqrt 2" in data["method"]["repeat"]) == (4, True)


def test_a_file_of_the_version_before_repeat_intervals_is_read_as_it_is() -> None:
    data: Any = msgspec.to_builtins(REPEATED) | {"schema_version": 3}
    del data["method"]["repeat"]
    for row in data["boards"][0]["rows"]:
        del row["latency_ms"]["repeat_low"], row["latency_ms"]["repeat_high"]
    for found in (read_toml(dumps(data).encode(), "old"), read_json(json.dumps(data).encode(), "old")):
        assert msgspec.to_builtins(found) == data
        assert to_json(found) != to_json(REPEATED)


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"repeat_low": -0.1}, "repeat_low: expected 0 or more, found -0.1"),
        ({"repeat_low": 0.99999}, "repeat_low: expected at most ci_low 0.9"),
        ({"repeat_high": 1.001}, "repeat_high: expected at least ci_high 1."),
        ({"repeat_low": None}, "repeat_low: expected a number beside repeat_high, found none"),
        ({"repeat_high": None}, "repeat_high: expected a number beside repeat_low, found none"),
        ({"ci_low": None}, "ci_low: expected a number beside repeat_low, found none"),
        ({"repeat_high": "wide"}, "repeat_high: expected `float | null`, got `str`, found 'wide'"),
    ],
    ids=str,
)  # fmt: skip
def test_a_repeat_interval_that_cannot_be_is_refused_with_its_place(
    tmp_path: Path, suffix: str, changes: dict[str, object], message: str
) -> None:
    data: Any = msgspec.to_builtins(REPEATED)
    latency = data["boards"][0]["rows"][0]["latency_ms"] | changes
    data["boards"][0]["rows"][0]["latency_ms"] = {name: v for name, v in latency.items() if v is not None}
    path = tmp_path / f"a.leaderboard.{suffix}"
    path.write_text(dumps(data) if suffix == "toml" else json.dumps(data))
    with pytest.raises(InputError) as caught:
        read_leaderboard(path)
    assert caught.value.message.startswith(f"{path}: boards[0].rows[0].latency_ms.{message}")


def test_figures_that_are_none_are_refused_where_toml_can_write_them(tmp_path: Path) -> None:
    path = tmp_path / "a.leaderboard.toml"
    for place in ("boards.0.rows.0.latency_ms.median", "boards.0.rows.0.quality.recall"):
        path.write_text(dumps(_edited(place, 12345.5)).replace("12345.5", "-inf"))
        with pytest.raises(InputError, match="expected a finite number, found -inf"):
            read_leaderboard(path)
    for name, found in (("repeat_low", "nan"), ("repeat_high", "inf")):
        path.write_text(re.sub(rf"{name} = [0-9.]+", f"{name} = {found}", to_toml(REPEATED).decode(), count=1))
        with pytest.raises(InputError, match=rf"latency_ms\.{name}: expected a finite number, found {found}"):
            read_leaderboard(path)


@pytest.mark.parametrize("read", [read_toml, read_json])
def test_a_file_cut_in_the_middle_is_not_read(read: Any) -> None:
    text = to_toml(BOARD) if read is read_toml else to_json(BOARD)
    for cut in range(0, len(text) - 60, 97):
        with pytest.raises(InputError):
            read(text[:cut].rstrip(b"}\n") + b"{", "cut")


@given(st.binary())
def test_any_bytes_are_refused_with_the_files_name(data: bytes) -> None:
    for read in (read_toml, read_json):
        with pytest.raises(InputError, match=r"^odd: "):
            read(data, "odd")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_leaderboard(tmp_path / "none.leaderboard.toml")
    with pytest.raises(InputError, match="cannot read"):
        read_leaderboard(tmp_path)


plain = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
)  # fmt: skip
tables = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), plain, max_size=5)


@given(tables)
def test_whatever_is_written_as_toml_is_read_as_it_was(data: dict[str, Any]) -> None:
    assert tomllib.loads(dumps(data)) == data
    assert tomllib.loads(dumps({"a": [data, data]}, inline_below=["a"])) == {"a": [data, data]}


@pytest.mark.parametrize("value", [None, math.nan, math.inf, 2**63, [1, 2**63], b"x"])
def test_what_toml_cannot_hold_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(ValueError, match=r"run\.seed"):
        dumps({"run": {"seed": value}})


@given(st.sampled_from([float, str]), st.data())
def test_figures_and_names_of_any_kind_survive_both_formats(kind: type, data: st.DataObject) -> None:
    names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    values: st.SearchStrategy[Any] = (
        st.floats(allow_nan=False, allow_infinity=False) if kind is float else st.text(st.characters(exclude_categories=["Cs"]))
    )  # fmt: skip
    row = BOARD.boards[0].rows[0]
    extra = data.draw(st.dictionaries(names, values, max_size=4))
    changed = msgspec.structs.replace(row, resources=extra)
    board = msgspec.structs.replace(BOARD.boards[0], rows=[changed])
    leaderboard: Leaderboard = msgspec.structs.replace(BOARD, boards=[board])
    assert read_toml(to_toml(leaderboard), "x") == leaderboard
    assert read_json(to_json(leaderboard), "x") == leaderboard


def test_a_folder_that_does_not_exist_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder") as caught:
        write_leaderboard(BOARD, tmp_path / "nowhere" / "quick")
    assert "mkdir -p" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


_WRITE = """
import os, resource, sys
from pathlib import Path
from tests.store.test_leaderboard import BOARD
from tunetui.store.atomic import StoreError
from tunetui.store.leaderboard import write_leaderboard
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
else:
    os.setgid(65534)
    os.setuid(65534)
try:
    write_leaderboard(BOARD, Path(sys.argv[1]))
except StoreError as error:
    print(error.message)
    print(error.hint)
"""


@pytest.mark.parametrize(("how", "said"), [("full", "make room"), ("read-only", "is {folder} yours")])
def test_a_file_that_cannot_be_written_leaves_the_old_one_whole(tmp_path: Path, how: str, said: str) -> None:
    if how == "read-only" and os.geteuid() != 0:
        tmp_path.chmod(0o500)
    paths = [tmp_path / "quick.leaderboard.toml", tmp_path / "quick.leaderboard.json"]
    for path in paths:
        path.parent.chmod(0o700)
        path.write_text("old")
    tmp_path.chmod(0o500)
    script = (
        _WRITE if os.geteuid() == 0 else _WRITE.replace("os.setgid(65534)", "pass").replace("os.setuid(65534)", "pass")
    )
    if how == "full":
        tmp_path.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "quick"), how], capture_output=True, text=True, cwd=ROOT
    )
    tmp_path.chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert said.format(folder=tmp_path) in done.stdout
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def large(rows: int) -> Leaderboard:
    """Real rows over and over, in two boards with an empty one between them."""
    row = BOARD.boards[0].rows
    boards = [
        msgspec.structs.replace(BOARD.boards[0], rows=[row[n % len(row)] for n in range(rows)]),
        msgspec.structs.replace(BOARD.boards[0], rows=[]),
        msgspec.structs.replace(BOARD.boards[0], rows=[row[n % len(row)] for n in range(rows // 2)]),
    ]
    return msgspec.structs.replace(BOARD, boards=boards)


@pytest.mark.parametrize("rows", [150, 199, 200, 201, 450])
def test_a_large_file_read_by_rows_is_what_reading_it_at_once_finds(rows: int) -> None:
    text = to_toml(large(rows))
    assert read_toml(text, "x") == large(rows) == msgspec.convert(tomllib.loads(text.decode()), Leaderboard)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[boards.rows]]", "[[boards.rows]] # mine"),
        ("[[boards.rows]]", '[["boards".rows]]'),
        ("[[boards.rows]]", "  [[boards.rows]]"),
        ("quality = { recall = 1.0, max_abs_error = 1e-7 }", "\n[boards.rows.quality]\nrecall = 1.0"),
        ('rank = "1="', 'rank = """\n1="""'),
        ('rank = "1="', 'rank = """\\\n[[boards.rows]]\n1="""'),
        ("[[boards]]", "[[ boards ]]"),
        ("\nsamples_ns = [3, 4]", "\nsamples_ns = [\n  3,\n  4\n]"),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("count", [1, 1000])
def test_a_large_file_edited_by_hand_means_what_toml_says(old: str, new: str, count: int) -> None:
    written = to_toml(large(400)).decode()
    text = written.replace(old, new, count)
    assert text != written
    try:
        expected: object = msgspec.convert(tomllib.loads(text), Leaderboard)
    except msgspec.ValidationError:
        expected = None
    try:
        found: object = read_toml(text.encode(), "x")
    except InputError:
        found = None
    assert found == expected


def test_a_mistake_far_down_a_large_file_is_named_with_its_place() -> None:
    text = to_toml(large(400)).decode()
    head, _, tail = text.rpartition("n = 30")
    with pytest.raises(InputError, match=r"boards\[2\]\.rows\[\d+\]\.latency_ms\.n: expected `int`, got `str`"):
        read_toml(f'{head}n = "many"{tail}'.encode(), "x")
    with pytest.raises(InputError, match=r"not TOML: .*at line \d{4}"):
        read_toml(f"{head}n = = 30{tail}".encode(), "x")


ODD = st.text(st.sampled_from(list('":,{}[]\\ \n\x7fa=#\u00e9')), max_size=6)
ODD_VALUES = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | ODD


@given(st.lists(ODD, max_size=3), st.dictionaries(ODD | st.just("k"), ODD_VALUES, max_size=3), ODD, ODD)
def test_rows_written_the_quick_way_are_the_rows_whatever_their_text_holds(
    tags: list[str], telemetry: dict[str, Any], cause: str, key: str
) -> None:
    row = msgspec.structs.replace(
        BOARD.boards[0].rows[1], tags=tags, telemetry=telemetry, cause=cause, unavailable={"p99": cause, key: "n/a"}
    )
    assert tomllib.loads(dumps({"rows": [row]}, inline_below=["rows"])) == {"rows": [msgspec.to_builtins(row)]}


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, math.nan, math.inf])
def test_the_quick_way_refuses_what_toml_cannot_hold_too(value: float) -> None:
    row = msgspec.structs.replace(BOARD.boards[0].rows[1], resources={"registers": value})
    with pytest.raises(ValueError, match=r"rows\.registers"):
        dumps({"rows": [row]}, inline_below=["rows"])


def test_ordinary_rows_are_written_the_quick_way() -> None:
    assert all(_quick_card(row) is not None for row in BOARD.boards[0].rows[1:3])
