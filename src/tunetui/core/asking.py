"""Questions that only a person can answer: engines ask them through this and never draw or read a terminal themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class HostKeyQuestion:
    """A server that nobody has vouched for yet."""

    host: str  # as the user named it
    place: str  # "203.0.113.7 port 22"
    known_as: str  # the name under which the key would be remembered
    algorithm: str  # "ssh-ed25519"
    fingerprint: str  # "SHA256:..."
    stored_in: str  # the known_hosts file; "" where it will be remembered for this session only


class Asker(Protocol):
    """Whoever sits in front of tunetui."""

    async def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Whether this key is the right one.  A refusal is an answer too; nothing was sent to that server yet."""

    async def passphrase(self, what: str, attempt: int) -> str | None:
        """The passphrase of ``what`` (a key file); ``attempt`` counts from 1.  None: the user has none to give."""
