"""A cloud of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lambda_cloud.cloud import KEY, Cloud
from tests.lambda_cloud.renting import Clock, Renting
from tests.lambda_cloud.server import served
from tests.lambda_cloud.users import PUBLIC, User


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock) -> Cloud:
    return Cloud(clock.now)


@pytest.fixture
def renting(cloud: Cloud, clock: Clock, tmp_path: Path) -> Iterator[Renting]:
    with served(cloud) as url:
        yield Renting(url, tmp_path / "lambda", cloud, clock)


@pytest.fixture
def user(
    cloud: Cloud, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[User]:
    cloud.keys[0]["public_key"] = PUBLIC
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "id_ed25519").write_text("the other half")
    (ssh / "id_ed25519.pub").write_text(PUBLIC.replace("me@here", "another comment"))
    for name, value in {
        "HOME": tmp_path, "XDG_DATA_HOME": tmp_path / "data", "XDG_CONFIG_HOME": tmp_path / "config", "LAMBDA_API_KEY": KEY,
        "COLUMNS": 200,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr("tunetui.session.renting.SystemClock", lambda: clock)
    with served(cloud) as url:
        monkeypatch.setenv("TUNETUI_LAMBDA_URL", url)
        yield User(tmp_path, cloud, capsys, monkeypatch)
