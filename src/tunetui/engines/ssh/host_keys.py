"""Which host keys are trusted: the user's known_hosts files, read as OpenSSH reads them, and added to as OpenSSH would."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from tunetui.core.asking import Asker, HostKeyQuestion
from tunetui.engines.ssh.failures import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncssh import SSHKey

    from tunetui.core.routes import Hop

PREFERRED = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
)  # fmt: skip


@dataclass(frozen=True)
class HostKeyPolicy:
    """What is trusted without a question: nothing, unless the user said so."""

    fingerprints: tuple[str, ...] = ()  # "SHA256:...": a key with one of these is the right one
    accept_new: bool = False  # a host that was never seen is trusted; a changed key never is


@dataclass
class Known:
    """What the known_hosts files say of one hop."""

    trusted: list[SSHKey] = field(default_factory=list)
    authorities: list[SSHKey] = field(default_factory=list)
    revoked: list[SSHKey] = field(default_factory=list)
    places: dict[str, list[str]] = field(default_factory=dict)  # fingerprint to "file:line"

    @property
    def algorithms(self) -> list[str]:
        """Host key algorithms to offer, those of known keys first, so that the server shows a key that can be told."""
        own = [name.decode() for key in self.trusted for name in key.sig_algorithms]
        authorities = (
            ["ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-512-cert-v01@openssh.com"] if self.authorities else []
        )
        return list(dict.fromkeys([*authorities, *own, *PREFERRED]))


class HostKeys:
    """The trust in the hosts of one app: what files say, what the user answers, and what was answered before."""

    def __init__(self, policy: HostKeyPolicy, asker: Asker | None) -> None:
        """Without an ``asker`` an unknown host is refused."""
        self._policy, self._asker = policy, asker
        self._accepted: dict[str, SSHKey] = {}  # by known_as; holds also where no file could be written

    def known(self, hop: Hop) -> Known:
        """What is known of a hop at this moment."""
        found = Known()
        for path in (*hop.known_hosts, *hop.global_known_hosts):
            for number, line in _lines(Path(path)):
                matched = _matches(line, hop)
                found.trusted += matched[0]
                found.authorities += matched[1]
                found.revoked += matched[2]
                for key in matched[0]:
                    found.places.setdefault(key.get_fingerprint(), []).append(f"{path}:{number}")
        if hop.known_as in self._accepted:
            found.trusted.append(self._accepted[hop.known_as])
        return found

    async def judge(self, where: str, hop: Hop, key: SSHKey, known: Known) -> None:
        """Whether a key that the files do not vouch for is to be trusted.

        Raises:
            HostError: "host-key-changed", "host-key-unknown", "host-key-declined".
        """
        shown = key.get_fingerprint()
        if known.trusted:
            raise _changed(where, hop, key, known)
        if shown in self._policy.fingerprints:
            return
        if self._policy.fingerprints:
            raise HostError(
                f"{where}: {hop.place} shows the host key {key.get_algorithm()} {shown}, which is none of --host-key",
                code="host-key-unknown",
                hint="nothing was sent to it; ask whoever runs the machine for its fingerprint",
            )
        if self._policy.accept_new:
            return
        await self._ask(where, hop, key)

    async def _ask(self, where: str, hop: Hop, key: SSHKey) -> None:
        shown, algorithm = key.get_fingerprint(), key.get_algorithm()
        if self._asker is None:
            raise HostError(
                f"{where}: the host key of {hop.place} is not known: {algorithm} {shown}",
                code="host-key-unknown",
                hint=f"if that is its fingerprint: --host-key {shown}\n"
                "or connect once with ssh, or take whatever it shows the first time: --accept-new-host-key",
            )
        store = _store(hop)
        question = HostKeyQuestion(
            host=where,
            place=hop.place,
            known_as=hop.known_as,
            algorithm=algorithm,
            fingerprint=shown,
            stored_in=str(store or ""),
        )
        if not await self._asker.confirm_host_key(question):
            raise HostError(
                f"{where}: the host key {algorithm} {shown} was not accepted; nothing was sent to {hop.place}",
                code="host-key-declined",
            )

    def remember(self, hop: Hop, key: SSHKey) -> str:
        """Keep a key that was accepted, once the host has let us in; why that failed, or ""."""
        self._accepted[hop.known_as] = key
        store = _store(hop)
        if store is None:
            return ""
        try:
            _append(store, f"{_name(hop)} {key.export_public_key().decode().strip()}")
        except OSError as error:
            return f"{store}: {error.strerror or error}"
        return ""


def _changed(where: str, hop: Hop, key: SSHKey, known: Known) -> HostError:
    places = [
        f"{old.get_algorithm()} {old.get_fingerprint()} ({', '.join(known.places.get(old.get_fingerprint(), ['here']))})"
        for old in known.trusted
    ]
    file = next(iter(known.places.get(known.trusted[0].get_fingerprint(), [""]))).rpartition(":")[0]
    remove = f"ssh-keygen -R '{hop.known_as}'{f' -f {file}' if file else ''}"
    return HostError(
        f"{where}: the host key of {hop.place} has changed; nothing was sent to it\n"
        f"  known: {'; '.join(places)}\n"
        f"  shown: {key.get_algorithm()} {key.get_fingerprint()}",
        code="host-key-changed",
        hint="another machine at the same address, or somebody in between. If you know that the machine was\n"
        f"replaced, remove the old key: {remove}",
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _matches(line: str, hop: Hop) -> tuple[list[SSHKey], list[SSHKey], list[SSHKey]]:
    """Trusted, authorities and revoked; a line that cannot be read says nothing."""
    port = hop.port if not hop.host_key_alias and hop.port != 22 else None
    try:
        found = asyncssh.import_known_hosts(line + "\n").match(hop.host_key_alias or hop.address, "", port)
    except (ValueError, asyncssh.Error):
        return [], [], []
    return list(found[0]), list(found[1]), list(found[2])


def _store(hop: Hop) -> Path | None:
    """Where OpenSSH would write a new key: the first of the user's files."""
    return Path(hop.known_hosts[0]) if hop.known_hosts else None


def _name(hop: Hop) -> str:
    if not hop.hash_known_hosts:
        return hop.known_as
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, hop.known_as.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        size = os.fstat(file).st_size
        torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        os.write(file, f"{chr(10) if torn else ''}{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)
