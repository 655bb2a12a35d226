"""Servers and roads for a test, taken down after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ssh.sshd import Sshd

MakeServer = Callable[..., Sshd]


@pytest.fixture
def servers(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeServer]:
    """Makes a server; its folder is named by the first argument.

    It has the agent already where the module says ``USED_HOSTS``: its tests are of what comes after that.
    """
    made: list[Sshd] = []
    used = {"used": getattr(request.module, "USED_HOSTS", False)}

    def make(name: str = "host", **options: object) -> Sshd:
        server = Sshd(tmp_path / name, **used | options)  # type: ignore[arg-type]
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def server(servers: MakeServer) -> Sshd:
    return servers()
