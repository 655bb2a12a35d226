"""The app with a stopwatch: ``python -m tests.ssh.stopwatch FILE ARGUMENTS...`` notes when links are lost and found again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """One change of a link; ``at`` is CLOCK_MONOTONIC, which all processes of a machine share."""

    at: float
    host: str
    said: str  # "attached" | "lost"


def marks(path: Path) -> list[Mark]:
    """What was noted so far; a line that is being written is left for the next look."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return list(_read(whole.splitlines()))


def _read(lines: list[str]) -> Iterator[Mark]:
    for line in lines:
        at, said, host = line.split(" ", 2)
        yield Mark(float(at), host, said)


def main() -> int:
    """Run tunetui as it is, but for the notes."""
    from tunetui.cli import main as tunetui
    from tunetui.session.links import Links

    file = Path(sys.argv[1]).open("a", buffering=1)  # noqa: SIM115 - as long as the process
    told = Links.host_followed

    def note(self: Links, host: str, said: str) -> None:
        file.write(f"{time.monotonic()!r} {said} {host}\n")
        told(self, host, said)

    Links.host_followed = note  # type: ignore[method-assign]
    sys.argv[1:2] = []
    return tunetui()


if __name__ == "__main__":
    sys.exit(main())
