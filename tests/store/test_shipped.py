"""The folders that ship with tunetui are found in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

import tunetui
from tunetui.core.errors import TunetuiError
from tunetui.store.shipped import shipped_folder


def installed_at(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.mkdir(parents=True)
    monkeypatch.setattr(tunetui, "__file__", str(package / "__init__.py"))


def test_a_checkout_has_its_kernels_at_the_top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed_at(tmp_path / "src" / "tunetui", monkeypatch)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "kernels").mkdir()
    assert shipped_folder("kernels") == tmp_path / "kernels"


def test_this_installation_has_the_kernels_of_this_checkout() -> None:
    names = sorted(path.name for path in (Path(__file__).parents[2] / "kernels").glob("*/kernel.toml"))
    assert sorted(path.name for path in shipped_folder("kernels").glob("*/kernel.toml")) == names


def test_a_wheel_has_its_kernels_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "tunetui"
    installed_at(package, monkeypatch)
    (package / "kernels").mkdir()
    assert shipped_folder("kernels") == package / "kernels"


def test_a_folder_that_merely_lies_two_levels_up_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed_at(tmp_path / "site-packages" / "tunetui", monkeypatch)
    (tmp_path / "kernels").mkdir()
    with pytest.raises(TunetuiError) as caught:
        shipped_folder("kernels")
    assert caught.value.message == "this installation of tunetui lacks its kernels folder"
    assert caught.value.hint == "install tunetui again"
