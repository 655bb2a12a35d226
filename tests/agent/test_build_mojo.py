from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.damaging import store_damaged
from tests.agent.kernel_folders import KERNELS, QUICK, double_spec, folder_spec, folder_trial, measured
from tunetui_agent.build import Target, open_builder
from tunetui_agent.build.cache import META, ArtifactCache, content_key
from tunetui_agent.build.mojo import MojoBuilder
from tunetui_agent.build.mojo_batches import sources_of
from tunetui_agent.build.mojo_toolchain import Compiler, explain, find_toolchain, run_tool
from tunetui_agent.devices import open_device
from tunetui_agent.devices.cpu import target
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import BuildFinished, Implementation, RunSpec, Trial

FOLDER = KERNELS / "row-sum"

needs_mojo = pytest.mark.skipif(
    not find_toolchain().available, reason=f"the mojo extra is missing: {find_toolchain().reason}"
)


def mojo_of(spec: RunSpec) -> Implementation:
    return next(each for each in spec.kernel.implementations if each.language == "mojo")


def row_sum_trial(unroll: int | str, threads: int = 1, columns: int = 50, rows: int = 37) -> Trial:
    return folder_trial(FOLDER, "mojo", {"rows": rows, "columns": columns}, {"unroll": unroll, "threads": threads})


BATCH = [
    row_sum_trial(1), row_sum_trial(1, threads=2), row_sum_trial(4), row_sum_trial(4, threads=3, rows=1, columns=1),
    row_sum_trial(4, threads=3, rows=101, columns=77),
]  # fmt: skip


def edited(old: str, new: str) -> RunSpec:
    spec = folder_spec(FOLDER)
    text = spec.kernel.files["row_sum.mojo"]
    assert old in text
    files = {**spec.kernel.files, "row_sum.mojo": text.replace(old, new)}
    return replace(spec, kernel=replace(spec.kernel, files=files))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[BuildFinished]]:
    """A cache with two variants, and what was said of them: the front end alone takes seconds.

    There was no C compiler, and the first of them was in the cache already, but damaged.
    """
    cache, spec = tmp_path_factory.mktemp("built"), folder_spec(FOLDER)
    builder = open_builder("mojo", cache)
    store_damaged(cache, str(builder.key(spec, mojo_of(spec), BATCH[0], target())))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
        assert [shutil.which(name) for name in ("cc", "gcc", "clang", "ld")] == [None] * 4
        return cache, builder.build(spec, mojo_of(spec), BATCH, target())


@needs_mojo
def test_a_batch_is_built_once_loaded_and_right(built: tuple[Path, list[BuildFinished]]) -> None:
    cache, records = built
    assert [(record.ok, record.cached) for record in records] == [(True, False)] * 2  # threads share a build
    spec, builder = folder_spec(FOLDER), open_builder("mojo", cache)
    evaluator = Evaluator(spec, open_device("cpu"))
    for trial in BATCH:
        key = builder.key(spec, mojo_of(spec), trial, target())
        outcome = measured(evaluator.evaluate(trial, str(builder.folder(str(key))), lambda _: None))
        assert outcome.artifact == key
        assert outcome.quality["max_abs_error"] < (1e-5 if trial.problem["rows"] == 37 else 1e-4)
    again = builder.build(spec, mojo_of(spec), BATCH, target())
    assert [(record.ok, record.cached) for record in again] == [(True, True)] * 2


@needs_mojo
def test_a_damaged_artifact_is_built_again_and_without_any_c_compiler(built: tuple[Path, list[BuildFinished]]) -> None:
    cache, (first, _) = built
    assert (first.ok, first.cached) == (True, False), first.log
    meta = ArtifactCache(cache).find(first.artifact)
    assert meta is not None
    assert (cache / "builds" / first.artifact / meta["file"]).read_bytes()[:4] == b"\x7fELF"


@needs_mojo
def test_a_variant_of_the_wrong_type_costs_only_itself(built: tuple[Path, list[BuildFinished]], tmp_path: Path) -> None:
    """One that breaks a constraint of the source: tests/agent/test_build_mojo_gpu.py."""
    spec, builder = folder_spec(FOLDER), open_builder("mojo", shutil.copytree(built[0], tmp_path / "cache"))
    trials = [row_sum_trial(unroll) for unroll in (1, "many", 4, "few")]
    records = builder.build(spec, mojo_of(spec), trials, target())
    assert [(record.ok, record.cached) for record in records] == [
        (True, True), (False, False), (True, True), (False, False),
    ]  # fmt: skip
    assert "'unroll' has 'Int' type" in records[1].log.splitlines()[0]


@needs_mojo
def test_a_source_error_is_told_by_file_and_line_without_trying_every_variant(tmp_path: Path) -> None:
    spec = edited("    var share = ", "    var share == ")
    line = next(
        number
        for number, text in enumerate(spec.kernel.files["row_sum.mojo"].splitlines(), 1)
        if "var share ==" in text
    )
    records = open_builder("mojo", tmp_path).build(
        spec, mojo_of(spec), [row_sum_trial(unroll) for unroll in (1, 2, 4, 8)], target()
    )
    assert [record.ok for record in records] == [False] * 4
    assert len({record.log for record in records}) == 1
    assert records[0].log.startswith(f"row_sum.mojo:{line}: ")
    assert str(tmp_path) not in records[0].log


@needs_mojo
def test_a_compiler_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    spec = folder_spec(FOLDER, replace(QUICK, build_timeout_seconds=0.05))
    (record,) = open_builder("mojo", tmp_path).build(spec, mojo_of(spec), [row_sum_trial(1)], target())
    assert not record.ok
    assert record.log.startswith("the Mojo compiler did not finish within 0.05 s")


def test_what_decides_the_binary_decides_the_key(tmp_path: Path) -> None:
    spec, builder = folder_spec(FOLDER), MojoBuilder(tmp_path)

    def key(spec: RunSpec = spec, trial: Trial = row_sum_trial(1), goal: Target = target()) -> str:  # noqa: B008
        return builder.key(spec, mojo_of(spec), trial, goal)

    base = key()
    assert key(trial=row_sum_trial(1, threads=2)) == base
    assert key(trial=row_sum_trial(1, columns=51)) == base
    assert key(trial=row_sum_trial(2)) != base
    assert key(spec=edited("var total", "var  total")) != base
    assert key(goal=replace(target(), architecture="x86_64:another:00000000")) != base
    beside = {**spec.kernel.files, "another.mojo": "def unused():\n    pass\n"}
    assert key(spec=replace(spec, kernel=replace(spec.kernel, files=beside))) == base
    faster = replace(mojo_of(spec), options=["-O1"])
    assert builder.key(spec, faster, row_sum_trial(1), target()) != base


def test_what_a_source_imports_from_its_folder_belongs_to_it() -> None:
    files = {
        "a.mojo": "from b import x\nfrom std.math import ceildiv\n",
        "b.mojo": "import c\n",
        "c.mojo": "",
        "d.mojo": "",
    }
    spec = folder_spec(FOLDER)
    source = replace(mojo_of(spec), source="a.mojo")
    found = sources_of(replace(spec, kernel=replace(spec.kernel, files=files)), source)
    assert set(found) == {"a.mojo", "b.mojo", "c.mojo"}


def test_an_argument_that_mojo_cannot_take_is_that_variants_failure(tmp_path: Path) -> None:
    spec, trial = folder_spec(FOLDER), replace(row_sum_trial(1), dtypes={"matrix": "complex64"})
    (record,) = open_builder("mojo", tmp_path).build(spec, mojo_of(spec), [trial], target())
    assert not record.ok
    assert "'matrix': a input of dtype 'complex64'" in record.log


def test_python_needs_no_build(tmp_path: Path) -> None:
    spec, builder = double_spec(), open_builder("python", tmp_path)
    trial = row_sum_trial(1)
    assert builder.key(spec, spec.kernel.implementations[0], trial, target()) is None
    assert builder.build(spec, spec.kernel.implementations[0], [trial], target()) == []
    assert builder.toolchain().version.startswith("CPython 3.")


def test_an_unknown_language_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no builder for fortran on cpu; known: python on cpu"):
        open_builder("fortran", tmp_path)


def test_the_least_recently_used_artifacts_go_first(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, limit_bytes=250)
    payload = tmp_path / "kernel.so"
    for age, key in enumerate(["a", "b", "c"]):
        payload.unlink(missing_ok=True)
        payload.write_bytes(bytes(100))
        cache.store(key, payload, {})
        os.utime(cache.folder(key) / META, (age, age))
    assert cache.find("a") is not None  # used just now
    assert cache.trim(keep={"b"}) == ["c"]
    assert [cache.find(key) is not None for key in ("a", "b", "c")] == [True, True, False]


def test_what_was_used_within_the_hour_is_not_removed_however_much_there_is(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path, limit_bytes=100)
    payload = tmp_path / "kernel.so"
    for seconds_ago, key in ((7200, "old"), (1800, "of this run"), (0, "new")):
        payload.unlink(missing_ok=True)
        payload.write_bytes(bytes(100))
        cache.store(key, payload, {})
        used = time.time() - seconds_ago
        os.utime(cache.folder(key) / META, (used, used))
    assert ArtifactCache(tmp_path, limit_bytes=100).trim(keep=set()) == ["old"]


def test_an_artifact_without_its_file_is_no_artifact(tmp_path: Path) -> None:
    cache = ArtifactCache(tmp_path)
    payload = tmp_path / "kernel.so"
    payload.write_bytes(b"code")
    cache.store("a", payload, {"symbol": "s"})
    assert cache.find("a") == {"symbol": "s", "file": "kernel.so", "bytes": 4} | {"sha256": cache.find("a")["sha256"]}  # type: ignore[index]
    (cache.folder("a") / "kernel.so").unlink()
    assert cache.find("a") is None
    assert not cache.folder("a").exists()


def test_an_artifact_with_a_damaged_file_is_no_artifact(tmp_path: Path) -> None:
    store_damaged(tmp_path, "a")
    assert ArtifactCache(tmp_path).find("a") is None
    assert not ArtifactCache(tmp_path).folder("a").exists()


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file where the folder should be")
    payload = tmp_path / "kernel.so"
    payload.write_bytes(b"code")
    with pytest.raises(OSError, match="builds"):
        ArtifactCache(tmp_path).store("a", payload, {})


def test_equal_contents_have_equal_keys_whatever_their_order() -> None:
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key("ab", "c") != content_key("a", "bc")


def test_a_tool_that_is_not_there_is_told(tmp_path: Path) -> None:
    compiler = Compiler(tmp_path / "mojo", tmp_path)
    run = run_tool([str(compiler.command)], compiler, None, 1.0)
    assert not run.ok
    assert "could not be started" in run.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("/t/k.mojo:7:20: error: unexpected token\n", "k.mojo:7: unexpected token"),
        (
            "/t/v.mojo:8:5: error: function instantiation failed\n/t/k.mojo:4:5: note: constraint failed: too wide\n",
            "k.mojo:4: constraint failed: too wide",
        ),
        ("lld: error: undefined symbol: x\n", "lld: error: undefined symbol: x"),
        ("", "the compiler failed without a word"),
    ],
)
def test_the_useful_line_of_a_compiler_output_comes_first(text: str, line: str) -> None:
    assert explain(text) == line
