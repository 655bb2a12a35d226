"""The user's settings: decoded strictly, mistakes by key path, unknown keys only warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunetui.core.errors import ExitCode, InputError
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.settings import (
    MANAGED,
    HostSettings,
    Settings,
    decode_settings,
    load_settings,
    rented_hosts_path,
    settings_path,
)

WHOLE = """
theme = "harbour"
[hosts.a10]
address = "ubuntu@10.0.0.7:2222"
python = "/opt/my env/bin/python"
usd_per_hour = 1.29
arch = "sm_86"
devices = ["GPU-1", "GPU-2"]
offline_wheels = true
[hosts."b 200"]
python = "managed"
[keys]
pause_run = "f5"
"""


def test_everything_that_can_be_set_is_read() -> None:
    found = decode_settings(WHOLE, "settings.toml")
    assert found.hosts["a10"] == HostSettings(
        "ubuntu@10.0.0.7:2222", "/opt/my env/bin/python", 1.29, "sm_86", ("GPU-1", "GPU-2"), offline_wheels=True
    )
    assert found.hosts["b 200"].python == MANAGED
    assert found.addresses() == {"a10": "ubuntu@10.0.0.7:2222"}
    assert found.theme == {"name": "harbour"}
    assert found.keys == {"pause_run": "f5"}
    assert found.warnings == ()


def test_a_theme_may_be_a_table() -> None:
    assert decode_settings('[theme]\nname = "x"\naccent = "#ff0000"', "s").theme == {"name": "x", "accent": "#ff0000"}


def test_unknown_keys_are_warned_of_and_change_nothing() -> None:
    found = decode_settings('colour = 1\n[hosts.a10]\nusd_per_hr = 3\narch = "sm_86"\n', "settings.toml")
    assert found.hosts == {"a10": HostSettings(arch="sm_86")}
    assert found.warnings == (
        'settings.toml: hosts.a10.usd_per_hr: unknown key, ignored; did you mean "usd_per_hour"?',
        'settings.toml: colour: unknown key, ignored; known here: "hosts", "theme" or "keys"',
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hosts = 3", "hosts: expected a table, found 3 (int)"),
        ("[hosts]\na = 1", "hosts.a: expected a table, found 1 (int)"),
        ('[hosts.a]\npython = "python3"', 'hosts.a.python: expected an absolute path on that host, or "managed"'),
        ('[hosts.a]\npython = "/bin/\\u001b[2J"', "hosts.a.python: expected an absolute path"),
        ("[hosts.a]\nusd_per_hour = -1", "hosts.a.usd_per_hour: expected a number >= 0, found -1 (int)"),
        ('[hosts.a]\narch = "90"', 'hosts.a.arch: expected an NVIDIA architecture such as "sm_90"'),
        ('[hosts.a]\ndevices = "GPU-1"', "hosts.a.devices: expected a list of str"),
        ('[hosts.a]\noffline_wheels = "yes"', "hosts.a.offline_wheels: expected true or false"),
        ("theme = 3", "theme: expected a table, found 3 (int)"),
        ("[keys]\nquit = 1", "keys.quit: expected a str, found 1 (int)"),
        ("[hosts.a", "line 1"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_path(text: str, words: str) -> None:
    with pytest.raises(InputError) as told:
        decode_settings(text, "settings.toml")
    assert words in told.value.message
    assert told.value.message.startswith("settings.toml: ")
    assert "\x1b" not in told.value.message
    assert told.value.exit_code == ExitCode.BAD_INPUT


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputError) as told:
        decode_settings("[hosts.a]\npython = 1\narch = 2\n[keys]\nx = 3", "settings.toml")
    assert len(told.value.message.splitlines()) == 3


def test_no_file_is_no_mistake(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == Settings()


@pytest.mark.parametrize(
    ("data", "words"), [(b"theme = '\xff'", "no UTF-8"), (b"#" * (1 << 20) + b"\n", "over 1 MiB"), (None, "cannot be")]
)
def test_a_file_that_is_no_settings_is_told(tmp_path: Path, data: bytes | None, words: str) -> None:
    path = tmp_path / "settings.toml"
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        load_settings(path)


def test_the_file_lies_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert settings_path() == tmp_path / "tunetui" / "settings.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert settings_path() == Path.home() / ".config" / "tunetui" / "settings.toml"


def test_the_price_of_a_rented_machine_is_known_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    ledger = Ledger(rented_hosts_path().parent)
    for name, usd in (("tunetui-a", 1.29), ("tunetui-b", 2.49), ("tunetui-gone", 9.0)):
        ledger.write("LaunchAsked", name, 1.0, usd_per_hour=usd)
    ledger.write("InstanceGone", "tunetui-gone", 2.0)
    own = tmp_path / "settings.toml"
    own.write_text('[hosts.tunetui-b]\npython = "managed"\n[hosts.tunetui-c]\nusd_per_hour = 1\n')
    hosts = load_settings(own).hosts
    assert {name: host.usd_per_hour for name, host in hosts.items()} == {
        "tunetui-a": 1.29, "tunetui-b": 2.49, "tunetui-c": 1.0,
    }  # fmt: skip
    assert hosts["tunetui-b"].python == MANAGED
    assert [bool(host.usd_source) for host in hosts.values()] == [True, False, True]
