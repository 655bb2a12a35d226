"""What is kept on this machine: runs, leaderboards and grids to choose from, and a run's journal read back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError
from tunetui.core.figures import counted
from tunetui.core.leaderboard import SUFFIXES
from tunetui.store.journal import fold_journal
from tunetui.store.runs import JOURNAL, list_runs, runs_root

if TYPE_CHECKING:
    from tunetui.core.snapshot import Run
    from tunetui.store.runs import KeptRun

_RECORDS_SHOWN = 200
_OF_MANY = (b'"kind":"TrialsQueued"', b'"kind":"TrialsDealt"')
"""Records that name every trial of a plan."""
_ARTIFACT = re.compile(rb'"artifact":"([0-9a-f]+)"')
_GRID_BYTES = 100_000


@dataclass(frozen=True)
class Evidence:
    """What a run's journal says of one trial: its raw records as they were written, and its build's log."""

    records: list[str]
    build_log: str = ""
    left_out: int = 0
    """Records beyond the first `_RECORDS_SHOWN`."""


def kept_runs() -> list[KeptRun]:
    """Every run whose journal is kept here, the latest first."""
    return list_runs(runs_root())


def kept_leaderboards(folder: Path) -> list[Path]:
    """Saved leaderboards in a folder, the latest first; of two files with one content, the TOML one."""
    tomls = set(folder.glob(f"*{SUFFIXES['.toml']}"))
    stems = {path.name.removesuffix(SUFFIXES[".toml"]) for path in tomls}
    alone = {p for p in folder.glob(f"*{SUFFIXES['.json']}") if p.name.removesuffix(SUFFIXES[".json"]) not in stems}
    return sorted(tomls | alone, key=lambda path: (-path.stat().st_mtime, path.name))


def kept_grids(folder: Path) -> list[Path]:
    """Grid files in a folder and in its ``grids``, by name."""
    found = [*folder.glob("*.toml"), *(folder / "grids").glob("*.toml")]
    return sorted(path for path in found if _is_grid(path))


def find_journal(asked: str) -> Path:
    """The journal that ``asked`` names: a file, a run's folder, or a run by its name or the beginning of it.

    Raises:
        InputError: there is none, or several begin so.
    """
    if not asked:  # every name begins so: a script's empty variable must not mean the only run that there is
        raise InputError("no run is named", hint="tunetui runs lists them")
    path = Path(asked)
    if path.is_file():
        return path
    if (path / JOURNAL).is_file():
        return path / JOURNAL
    runs = kept_runs()
    exact = [run for run in runs if run.name == asked]
    found = exact or [run for run in runs if run.name.startswith(asked)]
    if len(found) == 1:
        return found[0].journal
    if found:
        names = ", ".join(run.name for run in found[:8])
        raise InputError(clean(f"{asked!r} could be any of {names}"), hint="write more of the name")
    names = ", ".join(run.name for run in runs[:8]) or "none is kept here"
    raise InputError(clean(f"there is no run {asked!r}"), hint=clean(f"runs: {names}"))


def read_run(journal: Path) -> Run:
    """The state of a run as its journal tells it.  Raises StoreError."""
    return read_damaged_run(journal)[0]


def read_damaged_run(journal: Path) -> tuple[Run, str]:
    """As `read_run`, and in words what of the journal could not be used; empty where all of it could."""
    run, found = fold_journal(journal)
    damaged = len(found.damage) + bool(found.torn_bytes)
    if not damaged:
        return run, ""
    first = f"line {found.damage[0].line}: {found.damage[0].reason}" if found.damage else "the last one is cut off"
    return run, f"{clean(str(journal))}: {counted(damaged, 'line')} could not be read ({first}); all others are shown"


def journal_of(run: str) -> Path | None:
    """The journal of the run that a leaderboard was made from; None where it is not kept here (any more)."""
    if not run or os.sep in run or run in {".", ".."}:
        return None
    path = runs_root() / run / JOURNAL
    return path if path.is_file() else None


def evidence_of(journal: Path, trial: str) -> Evidence:
    """The raw records of one trial, in the order they were written; text that could steer a terminal made visible.

    They name the artifact that ran; what its compiler said stands in front of them, so the journal is read twice.

    Raises:
        InputError: the journal cannot be read.
    """
    wanted = trial.encode()
    records: list[str] = []
    built: set[bytes] = set()
    found = 0
    for line in _lines_of(journal):
        if wanted in line and not any(kind in line for kind in _OF_MANY):
            found += 1
            built.update(_ARTIFACT.findall(line))
            if len(records) < _RECORDS_SHOWN:
                records.append(clean(line.decode(errors="backslashreplace")).rstrip("\n"))
    logs = [
        _log_in(line)
        for line in (_lines_of(journal) if built else ())
        if b'"BuildFinished"' in line and not built.isdisjoint(_ARTIFACT.findall(line))
    ]
    return Evidence(records, "\n".join(filter(None, logs)), found - len(records))


def _lines_of(journal: Path) -> Iterator[bytes]:
    try:
        with journal.open("rb") as lines:
            yield from lines
    except OSError as error:
        raise InputError(clean(f"{journal}: {error.strerror or error}")) from None


def _log_in(line: bytes) -> str:
    from tunetui.core.records import RecordError, decode_envelope
    from tunetui_agent.messages import BuildFinished

    try:
        event = decode_envelope(line).event
    except RecordError:
        return ""
    return event.log if isinstance(event, BuildFinished) else ""


def _is_grid(path: Path) -> bool:
    """Whether a TOML file reads like a grid: a kernel named at its top level."""
    if path.name.endswith(SUFFIXES[".toml"]):
        return False
    try:
        text = path.read_bytes()[:_GRID_BYTES]
    except OSError:
        return False
    top = (b"\n" + text).partition(b"\n[")[0]
    return any(line.lstrip().partition(b"=")[0].strip() == b"kernel" for line in top.splitlines())
