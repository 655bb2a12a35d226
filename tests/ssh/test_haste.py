"""The order of what is said on the wire: what a login and the first command no longer wait for, and what they still do."""

from __future__ import annotations

from typing import Any

import asyncssh
import pytest

from tests.ssh.conftest import MakeServer
from tests.ssh.reaching import config, listed, reached, said
from tests.ssh.sshd import Sshd, make_key
from tests.ssh.test_reaching import NO_RUNS

SERVICE_REQUEST, SERVICE_ACCEPT, LOGIN, REFUSED, LOGGED_IN, OPEN, CHANNEL_REQUEST, OPENED = 5, 6, 50, 51, 52, 90, 98, 91


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every packet of every connection, in order: ("sent" | "received", its number)."""
    packets: list[tuple[str, int]] = []
    connection: Any = asyncssh.connection.SSHConnection
    logger: Any = asyncssh.packet.SSHPacketLogger
    logged, process = logger.log_sent_packet, connection.process_packet

    def log_sent_packet(self: Any, kind: int, *rest: Any) -> None:
        packets.append(("sent", kind))
        logged(self, kind, *rest)

    def process_packet(self: Any, kind: int, *rest: Any) -> Any:
        packets.append(("received", kind))
        return process(self, kind, *rest)

    monkeypatch.setattr(logger, "log_sent_packet", log_sent_packet)
    monkeypatch.setattr(connection, "process_packet", process_packet)
    return packets


async def test_login_and_channels_are_on_their_way_before_any_of_it_is_answered(
    server: Sshd, wire: list[tuple[str, int]]
) -> None:
    link = await reached(config(server))
    assert await listed(link) == NO_RUNS
    order = [wire.index(("sent", each)) for each in (SERVICE_REQUEST, LOGIN, OPEN, CHANNEL_REQUEST)]
    assert order == sorted(order)
    assert wire.index(("sent", LOGIN)) < wire.index(("received", SERVICE_ACCEPT))
    assert wire.index(("sent", OPEN)) < wire.index(("received", LOGGED_IN)), (
        "a near server may accept the service first"
    )
    assert wire.index(("received", OPENED)) < wire.index(("sent", CHANNEL_REQUEST))
    assert wire.count(("sent", LOGIN)) == 1
    assert wire.count(("sent", OPEN)) == wire.count(("received", OPENED))


async def test_channels_behind_a_login_that_fails_are_opened_behind_the_one_that_does_not(
    servers: MakeServer, wire: list[tuple[str, int]]
) -> None:
    server = servers()
    stranger, friend = make_key(server.folder / "stranger"), make_key(server.folder / "friend")
    server.authorize(friend)
    link = await reached(config(server, f"IdentityFile {stranger}", f"IdentityFile {friend}"))
    assert await listed(link) == NO_RUNS
    assert wire.count(("received", REFUSED)) == 1
    assert wire.count(("received", LOGGED_IN)) == 1
    channels = wire.count(("received", OPENED))
    assert wire.count(("sent", OPEN)) > channels > 0, "some were asked for more than once, and each was opened once"


async def test_nothing_hurries_before_the_host_has_shown_its_key(server: Sshd, wire: list[tuple[str, int]]) -> None:
    await said(config(server, known=False))
    assert ("sent", SERVICE_REQUEST) not in wire
    assert ("sent", LOGIN) not in wire
    assert ("sent", OPEN) not in wire


async def test_an_asyncssh_that_is_not_known_from_inside_takes_its_time(
    server: Sshd, wire: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("haste", "spares", "connecting"):
        monkeypatch.setattr(f"tunetui.engines.ssh.{module}.IS_KNOWN", False)
    link = await reached(config(server))
    assert await listed(link) == NO_RUNS
    assert wire.index(("received", SERVICE_ACCEPT)) < wire.index(("sent", LOGIN))
    assert wire.index(("received", LOGGED_IN)) < wire.index(("sent", OPEN))
