"""What was rented through tunetui, on disk before it is asked for: one line for each thing that happened, none ever removed.

A name that stands here once is looked for in every later list of instances, whatever became of it: a launch whose reply was lost, one
that took effect late, one that was taken for gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError

FILE = "ledger.jsonl"
PRICES_FILE = "hosts.toml"
"""The prices of what is rented, in the form of the user's settings, which are read with it."""
State = Literal["asked", "unclear", "rented", "ending", "gone", "refused", "never seen"]
OPEN: frozenset[State] = frozenset({"asked", "unclear", "rented", "ending"})
"""States in which something may cost."""
_SECONDS_PER_HOUR, _SECONDS_PER_MINUTE = 3600.0, 60.0


@dataclass(frozen=True)
class Entry:
    """One launch and what is known of it."""

    name: str
    type: str = ""
    region: str = ""
    usd_per_hour: float | None = None
    key_mark: str = ""  # of the key that it is seen with
    user: str = "ubuntu"
    identity_file: str = ""  # the private key for SSH; "": the usual ones
    gpus: int = 1
    asked_at: float = 0.0  # Unix seconds
    state: State = "asked"
    instance: str = ""  # its id, once that is known
    ip: str = ""
    seen: bool = False  # in a list of instances
    end_accepted: bool = False  # Lambda said that it ends it
    ready_at: float | None = None  # SSH and CUDA have answered
    gone_at: float | None = None
    text: str = ""  # why it is in this state

    @property
    def is_open(self) -> bool:
        """Whether it may cost."""
        return self.state in OPEN

    def usd_until(self, now: float) -> float | None:
        """What it has cost at most, by the minute from the launch on; None where the price is not known.

        ``usd_per_hour * ceil(minutes) / 60``: Lambda bills from when a machine is healthy, which is later.
        """
        if self.usd_per_hour is None:
            return None
        until = now if self.gone_at is None else self.gone_at
        minutes = max(1, -(-int(max(0.0, until - self.asked_at)) // int(_SECONDS_PER_MINUTE)))
        return self.usd_per_hour * minutes * _SECONDS_PER_MINUTE / _SECONDS_PER_HOUR


class LedgerError(TunetuiError):
    """The ledger cannot be written: then nothing is launched."""


class Ledger:
    """The file, and the entries folded from it."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is made, for its owner alone, when something is written."""
        self.path = folder / FILE

    def entries(self) -> dict[str, Entry]:
        """Every launch by its name, as the file tells at this moment.  Raises LedgerError."""
        entries: dict[str, Entry] = {}
        for record in self._records():
            apply(entries, record)
        return entries

    def open_entries(self) -> list[Entry]:
        """Those that may cost, the oldest first."""
        return [entry for entry in self.entries().values() if entry.is_open]

    def write(self, kind: str, name: str, at: float, **fields: Any) -> None:
        """One more line, on the disk when this returns.

        Raises:
            LedgerError: it is not there for certain.
        """
        record = {"kind": kind, "t": round(at, 3), "name": name, **fields}
        line = json.dumps(record, ensure_ascii=True, allow_nan=False).encode() + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = not self.path.exists()
            with _held(self.path) as file:
                size = os.fstat(file).st_size
                torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
                _write_whole(file, b"\n" + line if torn else line)
                os.fsync(file)
                if new:
                    _sync_folder(self.path.parent)
                self._write_prices()
        except OSError as error:
            raise LedgerError(
                f"the ledger of rented machines cannot be written: {clean(str(self.path))}: {error.strerror}",
                hint="nothing is launched without it: make room, or make the folder yours",
            ) from None

    def _write_prices(self) -> None:
        """For whoever wants a price and not the story; the ledger stays the truth where this fails."""
        path = self.path.with_name(PRICES_FILE)
        priced = [entry for entry in self.open_entries() if entry.usd_per_hour is not None]
        lines = [f"[hosts.{json.dumps(entry.name)}]\nusd_per_hour = {entry.usd_per_hour!r}\n" for entry in priced]
        new = path.with_name(f".{PRICES_FILE}.new")
        with contextlib.suppress(OSError):
            new.write_text("".join(lines))
            new.replace(path)

    def _records(self) -> Iterator[Mapping[str, Any]]:
        """Lines that can be read; a torn one says nothing."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise LedgerError(
                f"the ledger of rented machines cannot be read: {clean(str(self.path))}: {error.strerror}"
            ) from None
        for line in raw.split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line)
                if isinstance(record, dict) and isinstance(record.get("name"), str):
                    yield record


def apply(entries: dict[str, Entry], record: Mapping[str, Any]) -> None:
    """Fold one record; kinds that are not known say nothing."""
    name, kind = clean(str(record["name"])), record.get("kind")
    if kind == "LaunchAsked":
        entries.setdefault(name, _asked(name, record))
        return
    entry = entries.get(name)
    if entry is None:
        # Its first line was lost: what is left of it is enough to look for it.
        entry = Entry(name, asked_at=_number(record.get("t")), state="unclear")
    at, text, identity = _number(record.get("t")), _text(record.get("text")), _text(record.get("instance"))
    match kind:
        case "LaunchAccepted" | "InstanceSeen":
            entry = replace(
                entry,
                state="ending" if entry.state == "ending" else "rented",
                instance=identity or entry.instance,
                ip=_text(record.get("ip")) or entry.ip,
                seen=entry.seen or kind == "InstanceSeen",
                key_mark=_text(record.get("key_mark")) or entry.key_mark,
                usd_per_hour=entry.usd_per_hour if entry.usd_per_hour is not None else _price(record),
                gone_at=None,
                text="",
            )
        case "LaunchUnclear":
            entry = replace(entry, state="unclear" if entry.state == "asked" else entry.state, text=text)
        case "LaunchRefused":
            entry = replace(entry, state="refused" if not entry.instance else entry.state, gone_at=at, text=text)
        case "InstanceReady":
            entry = replace(entry, ready_at=at)
        case "EndAsked":
            entry = replace(entry, state="ending")
        case "EndAccepted":
            entry = replace(entry, end_accepted=True)
        case "InstanceGone":
            entry = replace(entry, state="gone", gone_at=at, text=text)
        case "NeverSeen":
            entry = replace(entry, state="never seen", gone_at=at, text=text)
        case _:
            return
    entries[name] = entry


def _asked(name: str, record: Mapping[str, Any]) -> Entry:
    return Entry(
        name,
        type=_text(record.get("type")),
        region=_text(record.get("region")),
        usd_per_hour=_price(record),
        key_mark=_text(record.get("key_mark")),
        user=_text(record.get("user")) or "ubuntu",
        identity_file=_text(record.get("identity_file")),
        gpus=int(_number(record.get("gpus", 1))),
        asked_at=_number(record.get("t")),
    )


@contextlib.contextmanager
def _held(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _write_whole(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(value: Any) -> str:
    return clean(value) if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0


def _price(record: Mapping[str, Any]) -> float | None:
    value = record.get("usd_per_hour")
    return _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
