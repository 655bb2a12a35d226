"""Host names are taken apart without ever meaning anything to a shell, and configurations mean what ssh takes them for."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ssh.sshd import needs_sshd
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.routes import Hop
from tunetui.hosts import ssh_config
from tunetui.hosts.ssh_config import Target, parse_target, resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lambda-a10", Target("lambda-a10")),
        ("me@lambda-a10", Target("lambda-a10", "me")),
        ("me@10.0.0.7:2222", Target("10.0.0.7", "me", 2222)),
        ("host.example.com:22", Target("host.example.com", "", 22)),
        ("[::1]:2222", Target("::1", "", 2222)),
        ("me@[fe80::1%eth0]", Target("fe80::1%eth0", "me")),
        ("::1", Target("::1")),
        ("first.last@host_1", Target("host_1", "first.last")),
        ("me@company@host", Target("host", "me@company")),
    ],
)
def test_a_host_is_named_as_people_name_it(text: str, expected: Target) -> None:
    assert parse_target(text) == expected


@given(st.text(max_size=40))
def test_whatever_is_taken_for_a_host_has_no_character_of_a_shell_and_is_no_option(text: str) -> None:
    try:
        target = parse_target(text)
    except InputError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.%+:-]+", target.host)
    assert not target.host.startswith("-")
    assert re.fullmatch(r"[A-Za-z0-9_.+@\\$-]*", target.user)
    assert not target.user.startswith("-")


async def only(config: Path, name: str = "box") -> Hop:
    route = await resolve(name, config)
    assert route.name == name
    return route.hops[-1]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    needs_sshd()
    return tmp_path / "config"


async def test_what_ssh_reads_is_what_counts(config: Path) -> None:
    (config.parent / "10.inc").write_text("Host box\n  User first\n")
    (config.parent / "20.inc").write_text("Host box\n  User second\n  Port 2222\n")
    config.write_text(
        f"Include {config.parent}/*.inc\n"
        "Match host box exec true\n  HostName 10.0.0.7\n  HostKeyAlias lambda-1\n"
        f"Host *\n  IdentityFile {config.parent}/%r-%h\n  CertificateFile {config.parent}/c\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {config.parent}/a {config.parent}/b\n  ConnectTimeout 7\n  IdentityAgent none\n"
    )
    hop = await only(config)
    assert (hop.address, hop.port, hop.user, hop.host_key_alias) == ("10.0.0.7", 2222, "first", "lambda-1")
    assert hop.identity_files == (f"{config.parent}/first-10.0.0.7",)
    assert hop.certificate_files == (f"{config.parent}/c",)
    assert hop.known_hosts == (f"{config.parent}/a", f"{config.parent}/b")
    assert (hop.identities_only, hop.connect_timeout_seconds, hop.agent) == (True, 7.0, "")
    assert hop.known_as == "lambda-1"


async def test_what_is_said_with_the_name_wins(config: Path) -> None:
    config.write_text("Host box\n  User somebody\n  Port 2222\n")
    hop = await only(config, "me@box:2200")
    assert (hop.user, hop.port, hop.known_as) == ("me", 2200, "[box]:2200")


async def test_jump_hosts_come_first_each_with_its_own_settings(config: Path) -> None:
    config.write_text(
        "Host box\n  ProxyJump one,me@two:2200\n"
        "Host one\n  ProxyJump zero\n  User first\n"
        "Host two\n  ProxyJump never\n  HostName 10.0.0.2\n"
        "Host zero\n  Port 2000\n"
    )
    route = await resolve("box", config)
    found = [(hop.name, hop.address, hop.port) for hop in route.hops]
    assert found == [("zero", "zero", 2000), ("one", "one", 22), ("me@two:2200", "10.0.0.2", 2200), ("box", "box", 22)]
    assert route.hops[1].user == "first"


async def test_jump_hosts_in_a_circle_are_refused(config: Path) -> None:
    config.write_text("Host box\n  ProxyJump other\nHost other\n  ProxyJump box\n")
    with pytest.raises(InputError, match="in a circle"):
        await resolve("box", config)


async def test_the_tokens_of_a_proxy_command_are_replaced(config: Path) -> None:
    config.write_text("Host box\n  HostName 10.0.0.7\n  Port 2222\n  User me\n  ProxyCommand relay %h %p %r %n 100%%\n")
    assert (await only(config)).proxy_command == "relay 10.0.0.7 2222 me box 100%"


async def test_files_that_are_none_are_left_out(config: Path) -> None:
    config.write_text("Host box\n  UserKnownHostsFile none\n  GlobalKnownHostsFile /dev/null\n  ProxyJump none\n")
    hop = await only(config)
    assert (hop.known_hosts, hop.global_known_hosts, hop.proxy_command) == ((), (), "")


async def test_the_agent_is_found_where_it_is_said_to_be(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("OTHER_AGENT", "/run/other")
    for line, expected in [
        ("", "/run/agent"), ("IdentityAgent SSH_AUTH_SOCK", "/run/agent"), ("IdentityAgent $OTHER_AGENT", "/run/other"),
        ("IdentityAgent /run/%n.sock", "/run/%n.sock"), ("IdentityAgent none", ""),
    ]:  # fmt: skip
        config.write_text(f"Host box\n  {line}\n")
        found = (await only(config)).agent
        assert found == expected.replace("%n", "box")


async def test_without_ssh_and_without_a_configuration_its_usual_places_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ssh_config, "_home", lambda: tmp_path)
    monkeypatch.setattr(ssh_config, "_SYSTEM_CONFIG", tmp_path / "ssh_config")
    hop = (await resolve("me@10.0.0.7:2222")).hops[-1]
    assert (hop.address, hop.port, hop.user, hop.known_as) == ("10.0.0.7", 2222, "me", "[10.0.0.7]:2222")
    assert f"{tmp_path}/.ssh/id_ed25519" in hop.identity_files
    assert hop.known_hosts[0] == f"{tmp_path}/.ssh/known_hosts"
    for path in (tmp_path / "ssh_config", tmp_path / ".ssh" / "config"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("Host 10.0.0.7\n")
        with pytest.raises(TunetuiError, match=f"only it can read {path}"):
            await resolve("me@10.0.0.7:2222")
        path.unlink()


async def test_what_ssh_says_of_a_host_without_a_configuration_is_what_is_taken_where_it_is_missing(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("")
    asked = await only(config, "me@box:2200")
    monkeypatch.setenv("PATH", str(config.parent))
    monkeypatch.setattr(ssh_config, "_SYSTEM_CONFIG", config.parent / "none")
    config.unlink()
    found = await only(config, "me@box:2200")
    usual = [path for path in asked.identity_files if path.endswith(("rsa", "ecdsa", "ed25519"))]  # others come and go
    assert set(usual) <= set(found.identity_files)
    assert dataclasses.replace(found, identity_files=()) == dataclasses.replace(asked, identity_files=())
