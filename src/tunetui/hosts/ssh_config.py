"""Asks the user's own OpenSSH how a host is reached (`ssh -G`), so that its configuration means here what it means there."""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import re
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.routes import Hop, Route
from tunetui.core.starting import answer_of, start_process

_HOST = re.compile(
    r"[A-Za-z0-9_](?:[A-Za-z0-9_.%+-]*[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]+)?"
)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@\\-]*\$?")
_LONGEST_NAME = 255
_MOST_HOPS = 8
_PATIENCE_SECONDS = 20.0  # `Match exec` may run the user's own programs
_NONE = ("none", "/dev/null")
_SYSTEM_CONFIG = Path("/etc/ssh/ssh_config")
_USUAL_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")


@dataclass(frozen=True)
class Target:
    """A host as it was named: ``[user@]host[:port]``."""

    host: str
    user: str = ""
    port: int | None = None


def parse_target(text: str) -> Target:
    """``text`` as ``[user@]host[:port]``, ``[user@][::1]:port`` or an alias of the SSH configuration.

    Raises InputError where it is none: no character that a shell or ssh itself could take for something else.
    """
    user, at, rest = text.rpartition("@")
    host, port = _host_and_port(rest)
    bad = len(text) > _LONGEST_NAME or (at and not _USER.fullmatch(user)) or not _HOST.fullmatch(host)
    if bad or not (port is None or 0 < port < 65536):
        raise InputError(
            f"{clean(text[:80])!r} is not a host",
            hint="a host is an alias of ~/.ssh/config, NAME, USER@NAME or USER@NAME:PORT",
        )
    return Target(host, user, port)


def _host_and_port(text: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::([0-9]{1,5}))?", text, re.ASCII)
    plain = re.fullmatch(r"([^:]*):([0-9]{1,5})", text, re.ASCII)
    found = bracketed or plain
    if found is None:
        return text, None
    return found[1], int(found[2]) if found[2] else None


async def resolve(name: str, config_file: Path | None = None, *, address: str = "") -> Route:
    """The route to a host, as ``ssh`` would take it.  ``config_file`` stands for the user's own configuration.

    ``address`` is where the host is, whatever the configuration says (``HostName``).

    Raises:
        InputError: no host name, or a configuration that ssh itself refuses.
        TunetuiError: there is a configuration, but no ssh to ask what it means.
    """
    return Route(clean(name), tuple(await _hops(parse_target(name), name, config_file, 0, address=address)))


async def _hops(
    target: Target, name: str, config_file: Path | None, depth: int, *, follow: bool = True, address: str = ""
) -> list[Hop]:
    """The hop of a target, behind those of its jump hosts unless somebody else said how to get there."""
    if depth > _MOST_HOPS:
        raise InputError(f"{clean(name)}: ProxyJump leads over more than {_MOST_HOPS} hosts, or in a circle")
    said = await _ask_ssh(target, config_file, address)
    jumps = said.get("proxyjump", ["none"])[0] if follow else "none"
    jump_names = [] if jumps in _NONE else [jump.removeprefix("ssh://").rstrip("/") for jump in jumps.split(",")]
    hops: list[Hop] = []
    for position, jump in enumerate(jump_names):
        hops += await _hops(parse_target(jump), jump, config_file, depth + 1, follow=position == 0)
    return [*hops, _hop(target, said, name, jumped=not follow or bool(jump_names))]


async def _ask_ssh(target: Target, config_file: Path | None, address: str = "") -> dict[str, list[str]]:
    ssh = shutil.which("ssh")
    if ssh is None:
        at = {"hostname": [address]} if address else {}
        return {**_said_by_no_configuration(target, config_file), **at}
    options = [*(["-F", str(config_file)] if config_file else []), *(["-l", target.user] if target.user else [])]
    options += ["-p", str(target.port)] if target.port else []
    options += ["-o", f"HostName={address}"] if address else []
    pipe = asyncio.subprocess.PIPE
    asked = await start_process(
        ssh, "-G", *options, "--", target.host, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            out, err = await answer_of(asked)
    except TimeoutError:
        raise TunetuiError(f"ssh -G {target.host} did not answer within {_PATIENCE_SECONDS:.0f} s") from None
    if asked.returncode:
        said = clean(err.decode(errors="replace").strip())
        raise InputError(f"ssh refuses its configuration for {target.host}: {said or 'no reason given'}")
    found: dict[str, list[str]] = {}
    for line in out.decode(errors="replace").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key.lower(), []).append(value)
    return found


def _said_by_no_configuration(target: Target, config_file: Path | None) -> dict[str, list[str]]:
    """What ssh would say where it has nothing to read, for a machine that does not have it.

    Raises TunetuiError where there is a configuration, as only ssh can tell what it means.
    """
    for path in (config_file, _home() / ".ssh" / "config", _SYSTEM_CONFIG):
        if path is not None and path.exists():
            raise TunetuiError(
                f"ssh is not installed on this machine, and only it can read {clean(str(path))}",
                hint="install OpenSSH's client (package openssh-client)",
            )
    return {
        **({"user": [target.user]} if target.user else {}),
        **({"port": [str(target.port)]} if target.port else {}),
        "identityfile": [f"~/.ssh/{name}" for name in _USUAL_KEYS],
        "userknownhostsfile": ["~/.ssh/known_hosts ~/.ssh/known_hosts2"],
        "globalknownhostsfile": ["/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"],
    }


def _hop(target: Target, said: Mapping[str, list[str]], name: str, *, jumped: bool) -> Hop:
    def one(key: str, default: str = "") -> str:
        return said.get(key, [default])[0]

    address, user = one("hostname", target.host), one("user") or getpass.getuser()
    if not _HOST.fullmatch(address) or not _USER.fullmatch(user):
        raise InputError(f"the SSH configuration of {clean(name)} leads to {clean(f'{user}@{address}'[:200])!r}")
    port = int(one("port", "22"))
    alias = "" if one("hostkeyalias") in ("", "none") else one("hostkeyalias")
    tokens = _tokens(target, address=address, port=port, user=user, alias=alias)

    def paths(values: list[str]) -> tuple[str, ...]:
        return tuple(_path(value, tokens) for value in values if value not in _NONE)

    command = "" if jumped or one("proxycommand", "none") in _NONE else _replaced(one("proxycommand"), tokens)
    timeout = one("connecttimeout")
    return Hop(
        name=clean(name),
        address=address,
        port=port,
        user=user,
        host_key_alias=alias,
        identity_files=paths(said.get("identityfile", [])),
        certificate_files=paths(said.get("certificatefile", [])),
        identities_only=one("identitiesonly") == "yes",
        agent=_agent(one("identityagent", "SSH_AUTH_SOCK"), tokens),
        known_hosts=paths(one("userknownhostsfile").split()),
        global_known_hosts=paths(one("globalknownhostsfile").split()),
        hash_known_hosts=one("hashknownhosts") == "yes",
        proxy_command=command,
        connect_timeout_seconds=float(timeout) if timeout.isascii() and timeout.isdigit() else None,
    )


def _tokens(target: Target, *, address: str, port: int, user: str, alias: str) -> dict[str, str]:
    """What ``%x`` means in paths and commands; see TOKENS in ssh_config(5)."""
    local = socket.gethostname()
    return {
        "%": "%", "d": str(_home()), "h": address, "i": str(os.getuid()), "k": alias or target.host,
        "L": local.split(".")[0], "l": local, "n": target.host, "p": str(port), "r": user, "u": getpass.getuser(),
    }  # fmt: skip


def _home() -> Path:
    """As OpenSSH finds it: from the password file, whatever HOME says."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def _replaced(text: str, tokens: Mapping[str, str]) -> str:
    return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)


def _path(text: str, tokens: Mapping[str, str]) -> str:
    text = re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda found: os.environ.get(found[1], ""), text)
    if text == "~" or text.startswith("~/"):
        text = f"{_home()}{text[1:]}"
    return _replaced(text, tokens)


def _agent(said: str, tokens: Mapping[str, str]) -> str:
    if said == "none":
        return ""
    if said == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK", "")
    if said.startswith("$") and not said.startswith("${"):
        return os.environ.get(said[1:], "")
    return _path(said, tokens)
