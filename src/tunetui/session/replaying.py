"""A recorded journal played again: the same fold at another speed, labelled as what it is."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from tunetui.core.clocks import Clocks
from tunetui.core.errors import InputError
from tunetui.core.figures import counted
from tunetui.core.records import RecordError, decode_envelope
from tunetui.core.row_table import RowTable
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.store.archive import JournalArchive
from tunetui.store.atomic import explained
from tunetui.store.recovery import Position

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tunetui.core.events import Record

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)
_LONGEST_PAUSE_SECONDS = 5.0
"""Of the journal's own time; a night between two starts of a run is no part of the show."""
_LOOK_SECONDS = 0.004
"""What one look may take, so that whoever draws gets to draw; what is due and was not folded comes with the next."""
_READ_BYTES = 1 << 16
_FOLDED_AT_ONCE_BYTES = 100_000
"""Of the journal: decoded, records are several times as large."""


class Replay:
    """A journal read line by line as its time comes: memory does not grow with what is still to come."""

    def __init__(self, journal: Path, speed: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the journal; nothing is shown before the first look at `snapshot`.

        Raises:
            InputError: the file cannot be read, or the speed is not more than 0.
        """
        if not speed > 0:
            raise InputError(f"a replay's speed must be more than 0, found {speed:g}")
        try:
            self._file: BinaryIO = journal.open("rb", buffering=_READ_BYTES)
        except OSError as error:
            raise InputError(explained(error, journal, "read").message) from None
        self.journal, self.speed, self.paused = journal, speed, False
        self.damaged = 0
        """Lines that could not be used."""
        self._clock, self._looked = clock, clock()
        self._run = Run(rows=RowTable(archive=JournalArchive(journal)))
        self._positions: dict[str, Position] = {}
        self._clocks = Clocks()
        self._read_bytes = 0
        self._next = self._read()
        self.t = self._next.t if self._next else 0.0
        """The journal's own time that is reached, in Unix seconds."""
        self.began = self.t

    @property
    def at_end(self) -> bool:
        """Whether everything was shown."""
        return self._next is None

    @property
    def snapshot(self) -> Run:
        """The state of the run at the time that is reached by now."""
        now = self._clock()
        if not self.paused:
            self.t += (now - self._looked) * self.speed
        self._looked = now
        self._show()
        return self._run

    def finish(self) -> Run:
        """Show all that is left at once."""
        while not self.at_end:
            self.t = float("inf")
            self._fold_some()
        self.t = self._run.updated or self.began
        return self._run

    def faster(self) -> None:
        """The next speed of `SPEEDS`."""
        self.speed = next((speed for speed in SPEEDS if speed > self.speed), self.speed)

    def slower(self) -> None:
        """The speed of `SPEEDS` before."""
        self.speed = next((speed for speed in reversed(SPEEDS) if speed < self.speed), self.speed)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def label(self) -> str:
        """What stands on every screen: that it is a replay, on which device, when it was recorded, and what it lacks."""
        devices = ", ".join(dict.fromkeys(device.name or device.id for device in self._run.devices.values()))
        when = datetime.fromtimestamp(self.began).astimezone().strftime("%Y-%m-%d %H:%M") if self.began else ""
        how = "at the end" if self.at_end else "paused" if self.paused else f"{self.speed:g}x"
        lacks = f"{counted(self.damaged, 'line')} damaged" if self.damaged else ""
        return " · ".join(filter(None, [f"REPLAY {how}", devices, when, lacks]))

    @property
    def is_behind(self) -> bool:
        """Whether the last look could not show all that was due."""
        return self._next is not None and self._next.t <= self.t

    def _show(self) -> None:
        end = time.perf_counter() + _LOOK_SECONDS
        while self._fold_some() and time.perf_counter() < end:
            pass

    def _fold_some(self) -> bool:
        """Fold the next records that are due, some hundreds at most; whether there are more."""
        due: list[Record] = []
        began = self._read_bytes
        while self._next is not None and self._read_bytes - began < _FOLDED_AT_ONCE_BYTES:
            if self._next.t > self.t + _LONGEST_PAUSE_SECONDS * max(self.speed, 1.0):
                self.t = self._next.t
            if self._next.t > self.t:
                break
            due.append(self._next)
            self._next = self._read()
        if due:
            self._run = fold(self._run, due)
        return self.is_behind

    def _read(self) -> Record | None:
        """The next record that can be used, as `recover` would take it."""
        for line in self._file:
            at = self._read_bytes
            self._read_bytes += len(line)
            if not line.strip():
                continue
            try:
                record = decode_envelope(line, at)
            except RecordError:
                self.damaged += 1
                continue
            position = self._positions.setdefault(record.source, Position())
            if position.holds(record.seq):
                self.damaged += 1
                continue
            position.take(record.seq, 0)
            return self._clocks.told(record)
        return None
