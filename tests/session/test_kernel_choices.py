"""Which kernels Setup offers: shipped, lying near, named by grids here, and those of the latest runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunetui.session.setting_up import kernel_choices
from tunetui.store.definitions import shipped_kernels


def kernel(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "kernel.toml").write_text("")
    return folder


def test_kernels_are_offered_once_each_by_the_name_that_a_grid_here_would_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    kernel(here / "mine")
    kernel(elsewhere / "theirs")
    (here / "mine.toml").write_text('kernel = "./mine"\n')
    for name, used in (("a", "theirs"), ("b", "./theirs"), ("c", "gone"), ("d", "row-sum")):
        run = tmp_path / "data" / "tunetui" / "runs" / name
        run.mkdir(parents=True)
        (run / "journal.jsonl").write_text("")
        (run / "asked.json").write_text(
            json.dumps({"grid": {"kernel": used}, "grid_path": str(elsewhere / "grid.toml"), "hosts": []})
        )
    (tmp_path / "data" / "tunetui" / "runs" / "a" / "asked.json").write_text("{")
    assert kernel_choices(here) == [*shipped_kernels(), "./mine", "../elsewhere/theirs"]
