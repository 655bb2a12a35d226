"""References that outlive the worker that computed them, within one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.agent.agent_runs import Host, spec
from tests.tiny_kernels import REFERENCE
from tunetui_agent import references
from tunetui_agent.references import References

FILES = {"reference.py": "text"}


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3),
        {"scores": np.ones(3), "rows": np.arange(3)},
        (np.zeros(2), np.ones((1, 1), bool)),
    ],
)
def test_arrays_come_back_as_they_were(tmp_path: Path, value: Any) -> None:
    References(tmp_path / "new", FILES).write("k", value)
    found = References(tmp_path / "new", FILES).read("k")
    np.testing.assert_equal(found, value)
    assert type(found) is type(value)


@pytest.mark.parametrize("value", ["text", [np.ones(3)], {"a": 1.0}, np.array([None]), {"a/b": np.ones(1)}, {}])
def test_what_is_no_array_is_not_kept(tmp_path: Path, value: Any) -> None:
    References(tmp_path, FILES).write("k", value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_large_is_computed_by_each_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MOST_BYTES", 79)
    References(tmp_path, FILES).write("k", np.ones(10))
    assert References(tmp_path, FILES).read("k") is None


def test_a_torn_file_is_no_reference(tmp_path: Path) -> None:
    kept = References(tmp_path, FILES)
    kept.write("k", np.ones(1000))
    (file,) = tmp_path.iterdir()
    for size in (4000, 10, 0):
        file.write_bytes(file.read_bytes()[:size])
        assert kept.read("k") is None


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = References(tmp_path / "file", FILES)
    kept.write("k", np.ones(3))
    assert kept.read("k") is None


def test_other_sources_problems_and_inputs_have_other_references() -> None:
    one, other = References(None, FILES), References(None, {"reference.py": "another text"})
    keys = [
        one.key({"n": 1}, {"x": 5}),
        one.key({"n": 2}, {"x": 5}),
        one.key({"n": 1}, {"x": 6}),
        other.key({"n": 1}, {"x": 5}),
    ]
    assert len(set(keys)) == 4
    assert one.key({"n": 1, "k": 2}) == one.key({"k": 2, "n": 1})


def test_a_fresh_worker_takes_over_what_the_run_has_computed(host: Host) -> None:
    log = host.root / "computed"
    run = spec("references", revisit_percent=5.0, min_samples=6)
    told = f"def reference(problem, inputs):\n    open({str(log)!r}, 'a').write('x')\n    return _reference(problem, inputs)\n"
    run["kernel"]["files"]["reference.py"] = REFERENCE.replace("def reference(", "def _reference(") + "\n" + told
    records = host.measure(run, "a", "b")
    assert sum(each["kind"] == "TrialMeasured" and each["stage"] == "revisit" for each in records) == 8
    assert len(log.read_text()) == 3, "two sets for verification and one for timing, each once"
    assert not (host.root / "runs" / "references" / "references").exists()
