from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.kernel_folders import double_spec, double_trial, measured
from tunetui_agent.builder import BuilderDesk
from tunetui_agent.devices import open_device
from tunetui_agent.evaluate import Evaluator
from tunetui_agent.modules import find_module


def test_a_module_is_found_with_its_version_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tunetui_library"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "_version.py").write_text("# made by a tool\n__version__ = '14.2.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = find_module("tunetui_library")
    assert (found.language, found.available, found.version) == ("module:tunetui_library", True, "14.2.0")
    assert "tunetui_library" not in sys.modules


def test_a_distribution_tells_its_modules_version() -> None:
    import numpy as np

    assert find_module("numpy").version == np.__version__


@pytest.mark.parametrize("name", ["tunetui_nowhere", "os.path", "../etc"])
def test_a_module_that_is_not_there_is_a_reason(name: str) -> None:
    found = find_module(name)
    assert not found.available
    assert found.reason == f"the Python module {name} is not installed"


def test_a_run_is_told_of_the_modules_that_its_implementations_require(tmp_path: Path) -> None:
    spec = double_spec()
    (own,) = spec.kernel.implementations
    spec = replace(
        spec, kernel=replace(spec.kernel, implementations=[replace(own, requires=["numpy", "nowhere_here"])])
    )
    answer = BuilderDesk(spec, tmp_path).answer({"ask": "toolchains", "kind": "cpu"})
    assert {each["language"]: each["available"] for each in answer["toolchains"]} == {
        "python": True,
        "module:nowhere_here": False,
        "module:numpy": True,
    }


def test_a_row_of_a_baseline_is_tagged_so() -> None:
    spec = double_spec()
    (own,) = spec.kernel.implementations
    library = replace(spec, kernel=replace(spec.kernel, implementations=[replace(own, baseline=True)]))
    tags = [
        measured(Evaluator(each, open_device("cpu")).evaluate(double_trial(), None, lambda _: None)).tags
        for each in (library, spec)
    ]
    assert "baseline" in tags[0]
    assert "baseline" not in tags[1]
