"""The way to a rented machine: what the user's SSH configuration says of its name, at the address that Lambda says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.ssh.sshd import needs_sshd
from tunetui.core.errors import TunetuiError
from tunetui.hosts.lambda_cloud.ledger import Entry
from tunetui.hosts.lambda_cloud.shapes import instances
from tunetui.session.rented import rented, route_to

ENTRY = Entry(
    "tunetui-1x-a10-1f3c9a2e-t1", state="rented", instance="ab" * 16, ip="203.0.113.7", identity_file="/keys/own"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    needs_sshd()
    path = tmp_path / "config"
    path.write_text(
        "Host tunetui-*\n  ProxyCommand relay %h %p %r\n  IdentityFile /keys/usual\n  User somebody\n"
        "Host *\n  HostName elsewhere.example\n"
    )
    return path


async def test_the_configuration_of_its_name_counts_but_for_address_user_and_key(config: Path) -> None:
    hop = (await route_to(ENTRY, config)).hops[-1]
    assert (hop.address, hop.user, hop.known_as) == ("203.0.113.7", "ubuntu", f"lambda-{'ab' * 16}")
    assert hop.identity_files == ("/keys/own", "/keys/usual")
    assert hop.proxy_command == "relay 203.0.113.7 22 ubuntu"


async def test_a_machine_that_is_gone_or_has_no_address_has_no_way(config: Path) -> None:
    with pytest.raises(TunetuiError, match="is not rented any more: terminated"):
        await route_to(replace(ENTRY, state="gone", text="terminated"), config)
    with pytest.raises(TunetuiError, match="has no address yet"):
        await route_to(replace(ENTRY, ip=""), config)


def test_a_name_that_is_not_in_the_ledger_is_a_host_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert rented("tunetui-of-my-own") is None


@pytest.mark.parametrize("ip", ["-oProxyCommand=evil", "evil.example", "10.0.0.7 -x", 7, ""])
def test_an_address_that_is_none_is_not_gone_to(ip: object) -> None:
    [found] = instances([{"id": "ab" * 16, "status": "active", "ip": ip}]) or []
    assert found.ip == ""
