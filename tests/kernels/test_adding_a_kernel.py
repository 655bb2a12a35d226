"""The walk-through of docs/adding-a-kernel.md, done to the letter in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.agent.kernel_folders import KERNELS, folder_spec, folder_trial, measured
from tunetui.store.definitions import load_definitions
from tunetui_agent.build import open_builder
from tunetui_agent.build.mojo_toolchain import find_toolchain
from tunetui_agent.devices import open_device
from tunetui_agent.devices.cpu import target
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.messages import Trial, Value

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-kernel.md"

needs_mojo = pytest.mark.skipif(
    not find_toolchain().available, reason=f"the mojo extra is missing: {find_toolchain().reason}"
)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with every file that the page shows."""
    found = re.findall(r"^File `([^`]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for name, text in found:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(folder: Path, trials: list[Trial], cache: Path) -> list[float]:
    """Builds and measures the trials; the worst error that the kernel's check found for each."""
    spec, evaluator = folder_spec(folder), Evaluator(folder_spec(folder), open_device("cpu"))
    implementation = next(each for each in spec.kernel.implementations if each.name == trials[0].implementation)
    builder = open_builder(implementation.language, cache)
    failures = [each.log for each in builder.build(spec, implementation, trials, target()) if not each.ok]
    assert not failures, failures[0]
    errors = []
    for trial in trials:
        key = builder.key(spec, implementation, trial, target())
        artifact = str(builder.folder(key)) if key else None
        errors.append(measured(evaluator.evaluate(trial, artifact, lambda _: None)).quality["max_abs_error"])
    return errors


def test_the_page_shows_every_file_of_the_kernel(written: Path) -> None:
    names = {path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()}
    assert names == {"axpy.toml"} | {
        f"axpy/{name}" for name in ("kernel.toml", "reference.py", "axpy_numpy.py", "axpy.mojo")
    }


def test_the_app_takes_the_kernel_and_its_grid(written: Path) -> None:
    definitions = load_definitions(written / "axpy.toml")
    assert definitions.kernel.name == definitions.grid.name == "axpy"


def test_the_numpy_implementation_runs_as_written(written: Path) -> None:
    trials = [
        folder_trial(written / "axpy", "numpy", {"size": size}, {"chunk": chunk})
        for size in (1000, 100_003)
        for chunk in (4096, 65536)
    ]
    assert max(run(written / "axpy", trials, written / "cache")) < 1e-6


@needs_mojo
def test_the_mojo_implementation_runs_as_written(written: Path) -> None:
    trials = [
        folder_trial(written / "axpy", "mojo", {"size": size}, {"unroll": unroll, "threads": threads})
        for size in (1000, 100_003)
        for unroll in (1, 4)
        for threads in (1, 3)
    ]
    assert max(run(written / "axpy", trials, written / "cache")) < 1e-6


@pytest.mark.parametrize("method", ["sum", "einsum", "matvec"])  # as Mojo: tests/agent/test_build_mojo.py
def test_the_shipped_small_example_is_right(method: str, tmp_path: Path) -> None:
    problems: list[dict[str, Value]] = [{"rows": 1, "columns": 1}, {"rows": 101, "columns": 77}]
    trials = [folder_trial(KERNELS / "row-sum", "numpy", problem, {"method": method}) for problem in problems]
    assert max(run(KERNELS / "row-sum", trials, tmp_path)) < 1e-4
