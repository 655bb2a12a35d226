"""Every test of the app has folders of its own, so that nothing of the user's is read or written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.e2e.workplace import furnish
from tests.lambda_cloud.cloud import KEY, Cloud
from tests.lambda_cloud.renting import Clock
from tests.lambda_cloud.server import served
from tests.lambda_cloud.users import PUBLIC
from tests.tui.resting import at_rest
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.settings import rented_hosts_path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATA", "CACHE", "STATE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    furnish(tmp_path / "cache" / "tunetui")
    monkeypatch.delenv("NO_COLOR", raising=False)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(autouse=True)
def resting(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("textual.app.wait_for_idle", "textual.pilot.wait_for_idle"):
        monkeypatch.setattr(place, at_rest)
    monkeypatch.setattr(Pilot._wait_for_screen, "__defaults__", (300.0,))  # seconds; of itself it gives up after thirty


@pytest.fixture
def cloud(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Lambda Cloud as tests know it, with an account of which the key is set."""
    clock = Clock()
    made = Cloud(clock.now)
    made.keys[0]["public_key"] = PUBLIC
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("the other half")
    (home / ".ssh" / "id.pub").write_text(PUBLIC)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LAMBDA_API_KEY", KEY)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("tunetui.session.renting.SystemClock", lambda: clock)
    with served(made) as url:
        monkeypatch.setenv("TUNETUI_LAMBDA_URL", url)
        yield made


@pytest.fixture
def rented(cloud: Cloud) -> str:
    """A machine that the ledger knows."""
    machine = cloud.add("tunetui-1x-a10-12345678-t1")
    ledger = Ledger(rented_hosts_path().parent)
    ledger.write("LaunchAsked", machine.name, cloud.now(), type="gpu_1x_a10", usd_per_hour=1.29, key_mark="aa656a95")
    ledger.write("LaunchAccepted", machine.name, cloud.now(), instance=machine.id)
    return machine.id
