"""Every test of the app has folders of its own, so that nothing of the user's is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.resting import at_rest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.delenv("NO_COLOR", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def resting(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("textual.app.wait_for_idle", "textual.pilot.wait_for_idle"):
        monkeypatch.setattr(place, at_rest)
