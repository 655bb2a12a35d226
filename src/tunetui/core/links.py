"""What is known of the link to one host at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LinkPhase = Literal["connecting", "ready", "lost", "catching-up", "dead"]


@dataclass(frozen=True)
class LinkState:
    """One state of one link; a new one replaces it."""

    host: str
    state: LinkPhase
    since: float  # seconds since the epoch, by this machine's clock
    text: str = ""  # for people: why it was lost, what it waits for
    asked: str = ""  # what the host was asked and has not answered for a while: "list its runs"
    asked_at: float = 0.0


@dataclass(frozen=True)
class Reached:
    """Whom a link over SSH reached, and how; every text is clean."""

    address: str  # "user@10.0.0.7 port 22"
    via: tuple[str, ...] = ()  # jump hosts, the first first
    host_key: str = ""  # algorithm and fingerprint
    login: str = ""  # the key that was accepted
    server: str = ""  # version of its SSH server
