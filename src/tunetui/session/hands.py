"""Which tunetui has a run in hand: the name under which one deals its trials, and what is said of another."""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.store.runs import holder_of

_NAME = re.compile(r"app-(.+)-(\d+)-[0-9a-f]{8}")


def hand_name() -> str:
    """A name that nobody else has, now or later, and that tells people where this process is."""
    host = "".join(c if c.isalnum() or c in "-_" else "-" for c in socket.gethostname())[:40] or "host"
    return f"app-{host}-{os.getpid()}-{secrets.token_hex(4)}"


def in_words(hand: str) -> str:
    """Another hand, for people: "another tunetui (laptop, process 4711)"."""
    found = _NAME.fullmatch(hand)
    if found:
        return named(found[1], found[2])
    return f"another tunetui ({clean(hand)[:80]})" if hand else "another tunetui"


def named(host: str, process: int | str) -> str:
    """A tunetui by where it runs."""
    return f"another tunetui ({clean(host)}, process {process})"


def in_other_hands(folder: Path) -> str:
    """Another tunetui of this machine that has the run kept in ``folder`` in hand; empty where none has."""
    holder = holder_of(folder)
    return named(holder.host, holder.pid) if holder is not None else ""


def deals(who: str) -> str:
    """The one line that whoever only follows is told; ``who`` as `in_words` says it."""
    return f"{who} deals this run; following"


class DealtElsewhereError(TunetuiError):
    """Another tunetui deals the run's trials; ``hand`` is its name, where that is known."""

    def __init__(self, hand: str) -> None:
        super().__init__(f"{in_words(hand)} deals this run")
        self.hand = hand
