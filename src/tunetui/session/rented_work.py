"""Whether rented machines have work, as far as the journals on this machine tell; nobody is asked."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.session.library import read_run
from tunetui.session.rented import open_ledger, rented
from tunetui.session.run_life import LARGEST_READ_BYTES, unended
from tunetui.store.runs import list_runs, runs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui.hosts.lambda_cloud.ledger import Entry

_SECONDS_PER_MINUTE = 60.0


@dataclass(frozen=True)
class AtWork:
    """What is known here of the work on one rented machine."""

    entry: Entry
    runs: tuple[str, ...]  # names of runs whose agents there have not ended
    idle_since: float | None  # Unix seconds; None while there are such runs
    heard_at: float  # when anything was last heard of work there
    followed: bool  # a tunetui here follows one of the runs


def at_work(name: str) -> AtWork | None:
    """Whether a rented machine has work, as far as the journals here tell; None where it is not rented."""
    entry = rented(name)
    return _at_work(entry) if entry is not None and entry.is_open else None


def unattended(now: float, *, idle_minutes: float, silent_minutes: float) -> list[AtWork]:
    """Rented machines that cost, and have had no work for so long, or work that nobody here has heard of for so long."""
    found = [_at_work(entry) for entry in open_ledger().open_entries()]
    idle, silent = now - idle_minutes * _SECONDS_PER_MINUTE, now - silent_minutes * _SECONDS_PER_MINUTE
    return [
        each
        for each in found
        if (each.idle_since is not None and each.idle_since <= idle)
        or (each.idle_since is None and not each.followed and each.heard_at <= silent)
    ]


def _at_work(entry: Entry) -> AtWork:
    latest, runs, followed = entry.ready_at or entry.asked_at, [], False
    for kept in list_runs(runs_root()):
        if kept.updated < entry.asked_at or not _names(kept.journal, entry.name):
            continue
        latest = max(latest, kept.updated)
        followed = followed or kept.holder is not None
        if kept.holder is not None or kept.bytes > LARGEST_READ_BYTES:
            runs.append(kept.name)
            continue
        try:
            if entry.name in unended(read_run(kept.journal)).values():
                runs.append(kept.name)
        except TunetuiError:
            runs.append(kept.name)  # what cannot be read is not taken for over
    return AtWork(entry, tuple(runs), None if runs else latest, latest, followed)


def _names(journal: Path, host: str) -> bool:
    try:
        with journal.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return text.find(host.encode()) >= 0
    except (OSError, ValueError):  # removed meanwhile, or empty
        return False
