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
