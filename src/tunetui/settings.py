"""What the user set once for all runs (settings.toml), and where tunetui keeps things on this machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError
from tunetui.core.mistakes import Mistakes, nearest, one_of
from tunetui.core.tables import Table, parse_toml

MANAGED = "managed"
"""As a host's ``python``: an environment of our own, whatever else the host has."""

RENTED_HOSTS = "hosts.toml"
_FROM_LAMBDA = "Lambda Cloud, when it was launched"
_ARCHITECTURE = re.compile(r"sm_[0-9]{2,3}[af]?", re.ASCII)
_MOST_BYTES = 1 << 20
_ROOT_KEYS = ("hosts", "theme", "keys")
_HOST_KEYS = ("address", "python", "usd_per_hour", "arch", "devices", "offline_wheels")


@dataclass(frozen=True)
class HostSettings:
    """``[hosts.NAME]``: a machine under a name of the user's own."""

    address: str = ""  # an alias of ~/.ssh/config or user@host:port; "": the name itself
    python: str = ""  # path of the Python to measure with; "managed": one of our own; "": found out
    usd_per_hour: float | None = None  # for the whole machine
    arch: str = ""  # of its GPUs, such as "sm_86": building can begin before the host is reached
    devices: tuple[str, ...] = ()  # ids ("GPU-...") of those to use; none: all
    offline_wheels: bool = False  # the host has no way out: send what its environment is built from
    usd_source: str = ""  # who named the price; "": the settings


@dataclass(frozen=True)
class Settings:
    """What the file said; ``warnings`` are lines about keys that mean nothing here."""

    hosts: Mapping[str, HostSettings] = field(default_factory=dict)
    theme: Mapping[str, str] = field(default_factory=dict)  # ``theme = "NAME"`` is {"name": "NAME"}
    keys: Mapping[str, str] = field(default_factory=dict)  # command to key
    warnings: tuple[str, ...] = ()

    def addresses(self) -> dict[str, str]:
        """Name of a host to where it really is, for those that say so."""
        return {name: each.address for name, each in self.hosts.items() if each.address}


def load_settings(path: Path | None = None) -> Settings:
    """The user's settings, and the prices of rented machines beside them; the defaults where there is no file.

    Raises:
        InputError: the file cannot be read, is no TOML, or a value is wrong; every mistake with its key path.
    """
    settings = _own_settings(path or settings_path())
    hosts = dict(settings.hosts)
    for name, rented in _rented_hosts().items():
        own = hosts.get(name, rented)
        if own.usd_per_hour is None:
            own = replace(own, usd_per_hour=rented.usd_per_hour, usd_source=rented.usd_source)
        hosts[name] = own
    return replace(settings, hosts=hosts)


def _own_settings(path: Path) -> Settings:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        text = raw.decode()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise InputError(clean(f"{path}: the settings cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        raise InputError(clean(f"{path}: the settings are no UTF-8 text: byte {error.start}")) from None
    if len(raw) > _MOST_BYTES:
        raise InputError(clean(f"{path}: settings of over {_MOST_BYTES >> 20} MiB"))
    return decode_settings(text, str(path))


def decode_settings(text: str, source: str) -> Settings:
    """Settings from TOML text.  Raises InputError with every mistake; unknown keys are warnings."""
    mistakes, warnings = Mistakes(source), Mistakes(source)
    table = Table(parse_toml(text, source), (), mistakes)
    hosts = {name: _host(own, warnings) for name, own in table.table("hosts").tables()}
    settings = Settings(hosts=hosts, theme=_theme(table), keys=_texts(table.table("keys")))
    _warn_of_unknown(table, _ROOT_KEYS, warnings)
    mistakes.raise_if_any()
    said = tuple(f"{warnings.place(one.path)}: {clean(one.text)}" for one in warnings.found)
    return Settings(settings.hosts, settings.theme, settings.keys, said)


def settings_path() -> Path:
    """``$XDG_CONFIG_HOME/tunetui/settings.toml``, else below ``~/.config``."""
    return _xdg("XDG_CONFIG_HOME", ".config") / "tunetui" / "settings.toml"


def cache_folder() -> Path:
    """The host folder of the local agent: ``$XDG_CACHE_HOME/tunetui``, else ``~/.cache/tunetui``."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "tunetui"


def rented_hosts_path() -> Path:
    """Settings of the machines that are rented just now, written with the ledger of them."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "tunetui" / "lambda" / RENTED_HOSTS


def _rented_hosts() -> Mapping[str, HostSettings]:
    """What the ledger says in another form: where it cannot be read, a price is missing, and nothing else."""
    path = rented_hosts_path()
    try:
        with path.open("rb") as file:
            hosts = decode_settings(file.read(_MOST_BYTES).decode(), str(path)).hosts
        return {name: replace(host, usd_source=_FROM_LAMBDA) for name, host in hosts.items()}
    except (OSError, UnicodeDecodeError, InputError):
        return {}


def _xdg(variable: str, default: str) -> Path:
    """A relative path is ignored, as the XDG specification says."""
    base = Path(os.environ.get(variable, ""))
    return base if base.is_absolute() else Path.home() / default


def _host(table: Table, warnings: Mistakes) -> HostSettings:
    host = HostSettings(
        address=table.text("address", ""),
        python=_python(table),
        usd_per_hour=table.number("usd_per_hour", low=0),
        arch=table.text("arch", ""),
        devices=tuple(table.texts("devices") or ()),
        offline_wheels=table.flag("offline_wheels", False),
    )
    if host.arch and not _ARCHITECTURE.fullmatch(host.arch):
        table.wrong("arch", 'an NVIDIA architecture such as "sm_90"')
    _warn_of_unknown(table, _HOST_KEYS, warnings)
    return host


def _python(table: Table) -> str:
    text = table.text("python", "")
    if text and text != MANAGED and not (text.startswith(("/", "~/")) and text.isprintable()):
        table.wrong("python", f'an absolute path on that host, or "{MANAGED}"')
    return text


def _theme(table: Table) -> dict[str, str]:
    if "theme" in table and isinstance(table.take("theme"), str):
        return {"name": table.text("theme")}
    return _texts(table.table("theme"))


def _texts(table: Table) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, str):
            found[key] = value
        else:
            table.wrong(key, "a str")
    return found


def _warn_of_unknown(table: Table, known: Iterable[str], warnings: Mistakes) -> None:
    names = list(known)
    for key in table.names():
        if key not in names:
            close = nearest(key, names)
            meant = f'did you mean "{close}"?' if close else f"known here: {one_of(names)}"
            warnings.add((*table.path, key), f"unknown key, ignored; {meant}")
