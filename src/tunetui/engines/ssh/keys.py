"""The keys that a host is offered, one after the other as ssh offers them; passphrases only when nothing else is left."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh

from tunetui.core.cleaning import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncssh import SSHAgentClient, SSHKey, SSHKeyPair

    from tunetui.core.asking import Asker
    from tunetui.core.routes import Hop

PASSPHRASE_TRIES = 3
_AGENT_SECONDS = 10.0
_UNREADABLE = (OSError, ValueError, asyncssh.Error)


@dataclass
class KeyRing:
    """Keys that the user has opened for one host: a link that is made again asks for no passphrase again."""

    asker: Asker | None  # who knows passphrases; None: nobody
    opened: dict[str, SSHKey] = field(default_factory=dict)  # by path
    accepted: set[bytes] = field(default_factory=set)  # public keys that hosts on the way have let in before


class Keys:
    """What one hop can be offered.  Nothing is asked until every key that needs no passphrase was refused."""

    def __init__(self, hop: Hop, ring: KeyRing) -> None:
        self.tried: list[str] = []  # for people, in order
        self.used = ""  # the last one offered: after a login, the one that was accepted
        self._hop, self._ring = hop, ring
        self._ready: list[SSHKeyPair] = []  # opened, in the order of the configuration
        self._locked: list[str] = []  # files that need a passphrase
        self._agent: SSHAgentClient | None = None
        self._round: Iterator[tuple[str, SSHKeyPair]] = iter(())
        self._names: dict[bytes, str] = {}
        self._in_files: set[bytes] = set()  # public keys whose private part is at hand
        self._offered: SSHKeyPair | None = None

    async def load(self) -> None:
        """Read the key files and ask the agent what it has."""
        for path in self._hop.identity_files:
            if path in self._ring.opened:
                self._add(path, self._ring.opened[path])
            elif Path(path).is_file():
                self._read(path, None)
        self._ready = [*await self._from_agent(), *self._ready]

    def begin(self) -> None:
        """A new connection: everything that is open is offered again, from the first."""
        self.tried = [f"{path} (locked)" for path in self._locked]
        self._round = iter([(self._name(pair), pair) for pair in self._ready])

    def next(self) -> SSHKeyPair | None:
        """The next key to offer."""
        name, self._offered = next(self._round, ("", None))
        pair = self._offered
        if pair is not None:
            self.used = name
            self.tried.insert(len(self.tried) - len(self._locked), name)
        return pair

    @property
    def sure(self) -> SSHKeyPair | None:
        """The key on offer, if it signs unasked: to ask first whether it will do is a round trip for nothing.

        One from a file does, as ssh uses it; one in an agent or a token, where somebody may have to say yes each time, if
        it was accepted before.
        """
        offered = self._offered
        if offered is None or offered.public_data in self._ring.accepted:
            return offered
        return offered if offered.public_data in self._in_files else None

    def accepted(self) -> None:
        """The key on offer let us in."""
        if self._offered is not None:
            self._ring.accepted.add(self._offered.public_data)

    async def unlock(self) -> bool:
        """Have the user open one more key; whether there is one."""
        while self._locked and self._ring.asker is not None:
            path = self._locked.pop(0)
            for attempt in range(1, PASSPHRASE_TRIES + 1):
                given = await self._ring.asker.passphrase(path, attempt)
                if given is None:
                    break
                before = len(self._ready)
                # Deriving a key from a passphrase is slow on purpose.
                if await asyncio.to_thread(self._read, path, given) and len(self._ready) > before:
                    self._ready = self._ready[before:] + self._ready[:before]
                    return True
        return False

    def close(self) -> None:
        """Let go of the agent."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    # ------------------------------------------------------------------ where they come from

    def _read(self, path: str, passphrase: str | None) -> bool:
        """Open one key file; one that is locked is kept for later."""
        try:
            key = asyncssh.read_private_key(path, passphrase)
        except asyncssh.KeyEncryptionError:
            return False
        except asyncssh.KeyImportError as error:
            if passphrase is None and "passphrase" in str(error).lower():
                self._locked.append(path)
            return False
        except _UNREADABLE:
            return False  # ssh skips it too
        if passphrase is not None:
            self._ring.opened[path] = key
        self._add(path, key)
        return True

    def _add(self, path: str, key: SSHKey) -> None:
        """One opened key, behind its certificates."""
        certificates = [c for c in (*self._hop.certificate_files, f"{path}-cert.pub") if Path(c).is_file()]
        offers: list[SSHKey | tuple[SSHKey, str]] = [*((key, certificate) for certificate in certificates), key]
        for one in offers:
            try:
                loaded = asyncssh.load_keypairs([one])
            except _UNREADABLE:
                continue  # a certificate of another key
            for pair in loaded:
                if pair.public_data not in self._names:
                    self._names[pair.public_data] = path
                    self._ready.append(pair)
                    if not pair.algorithm.startswith((b"sk-", b"webauthn-")):
                        self._in_files.add(pair.public_data)

    async def _from_agent(self) -> list[SSHKeyPair]:
        """The agent's keys: those of the configured files first, and no others if those alone are to be used."""
        if not self._hop.agent:
            return []
        try:
            async with asyncio.timeout(_AGENT_SECONDS):
                self._agent = await asyncssh.connect_agent(self._hop.agent)
                held: list[Any] = list(await self._agent.get_keys())
        except _UNREADABLE:
            return []  # an agent that does not answer is no agent
        configured = self._configured()
        own = [pair for pair in held if pair.public_data in configured]
        others = [pair for pair in held if pair.public_data not in configured]
        for pair in held:
            comment = clean(pair.get_comment(errors="replace") or pair.get_algorithm())
            self._names[pair.public_data] = f"{configured.get(pair.public_data, comment)} (agent)"
        chosen = own if self._hop.identities_only else own + others
        offered = {pair.public_data for pair in chosen}
        self._in_files -= offered
        self._ready = [pair for pair in self._ready if pair.public_data not in offered]
        self._locked = [path for path in self._locked if not offered & _public_data(path)]
        return chosen

    def _configured(self) -> dict[bytes, str]:
        """Public keys of the configured files, with their paths; a file need not hold more than the public part."""
        return {data: path for path in self._hop.identity_files for data in _public_data(path)}

    def _name(self, pair: SSHKeyPair) -> str:
        return self._names.get(pair.public_data, pair.get_algorithm())


def _public_data(path: str) -> set[bytes]:
    found = set()
    for candidate in (f"{path}.pub", path):
        try:
            found.add(asyncssh.read_public_key(candidate).public_data)
        except _UNREADABLE:
            continue
    return found
