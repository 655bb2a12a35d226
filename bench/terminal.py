"""A program in a pty of its own, behind a link of a given speed: what it writes, when that arrives, and keys sent to it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ANSWERS = (  # what a modern terminal says when it is asked
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),  # synchronized output: yes
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),  # in-band resize: no
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\[c"), b"\x1b[?62;22c"),
)
LONGEST_QUESTION = 12
PACKET_BYTES = 1400
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Terminal:
    """Starts ``command`` and plays the terminal for it.  Times are `time.perf_counter`.

    With ``bytes_per_s`` and ``round_trip_s`` the bytes pass an emulated link with a deep send buffer (sshd and TCP):
    answers and keys take half a round trip, and an answer is given when the question has arrived, not before.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 160,
        rows: int = 48,
        environment: Mapping[str, str] | None = None,
        answers: bool = True,
        bytes_per_s: float | None = None,
        round_trip_s: float = 0.0,
        buffer_bytes: int = 1 << 20,
    ) -> None:
        self._answers, self._rate, self._round_trip_s, self._buffer = answers, bytes_per_s, round_trip_s, buffer_bytes
        self.arrived = bytearray()
        self.bytes_written = 0
        self.first_byte_at: float | None = None
        self.last_byte_at = 0.0
        self.most_queued = 0
        self.ended = False
        self._underway: deque[tuple[float, bytes]] = deque()
        self._queued = 0
        self._link_free_at = 0.0
        self._inbound: deque[tuple[float, bytes]] = deque()
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        for name in ("NO_COLOR", "COLUMNS", "LINES", "SSH_CONNECTION", "TEXTUAL_FPS"):
            environ.pop(name, None)
        self._fd, theirs = pty.openpty()
        self.resize(columns, rows)
        self.started_at = time.perf_counter()
        self.pid = os.posix_spawnp(
            command[0],
            list(command),
            {**environ, **(environment or {})},
            setsid=True,
            file_actions=[  # opened by the leader of a new session, it becomes the terminal that resizes signal
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(theirs), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
        )
        os.close(theirs)
        group = Path(f"/proc/{self.pid}/autogroup")  # a new session is scheduled on its own, whatever our priority
        if os.nice(0) and group.exists():
            group.write_text(str(os.nice(0)), encoding="ascii")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # -------------------------------------------------------------------------------------------- the link

    def pump(self, timeout_s: float = 0.02) -> None:
        """Move bytes both ways once, waiting at most ``timeout_s`` for something to move."""
        now = time.perf_counter()
        while self._inbound and self._inbound[0][0] <= now:
            os.write(self._fd, self._inbound.popleft()[1])
        due = [first[0][0] - now for first in (self._inbound, self._underway) if first]
        timeout_s = max(min([timeout_s, *due]), 0.0)
        if self._queued < self._buffer:
            self._read(timeout_s)
        else:
            time.sleep(min(timeout_s, 0.002))
        now = time.perf_counter()
        while self._underway and self._underway[0][0] <= now:
            self._arrive(self._underway.popleft()[1], now)

    def _read(self, timeout_s: float) -> None:
        ready, _, _ = select.select([self._fd], [], [], timeout_s)
        if not ready:
            return
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        now = time.perf_counter()
        self.bytes_written += len(data)
        for start in range(0, len(data), PACKET_BYTES):
            packet = data[start : start + PACKET_BYTES]
            busy_s = 0.0 if self._rate is None else len(packet) / self._rate
            self._link_free_at = max(self._link_free_at, now) + busy_s
            self._underway.append((self._link_free_at + self._round_trip_s / 2, packet))
            self._queued += len(packet)
        self.most_queued = max(self.most_queued, self._queued)

    def _arrive(self, packet: bytes, now: float) -> None:
        self._queued -= len(packet)
        seen = max(0, len(self.arrived) - LONGEST_QUESTION)
        fresh = len(self.arrived) - seen
        self.arrived += packet
        self.first_byte_at = self.first_byte_at or now
        self.last_byte_at = now
        if not self._answers:
            return
        for question, answer in ANSWERS:
            for match in question.finditer(bytes(self.arrived[seen:])):
                if match.end() > fresh:
                    self._inbound.append((now + self._round_trip_s / 2, answer))

    # ------------------------------------------------------------------------------------------- the user

    def send(self, keys: bytes) -> None:
        """Type ``keys``; they reach the program half a round trip later."""
        self._inbound.append((time.perf_counter() + self._round_trip_s / 2, keys))

    def watch(self, seconds: float) -> None:
        """Let things happen for a while."""
        end = time.perf_counter() + seconds
        while not self.ended and (left := end - time.perf_counter()) > 0:
            self.pump(min(left, 0.05))

    def forget(self) -> None:
        """Look only at what arrives from now on."""
        self.arrived.clear()

    def wait_for(self, needle: bytes, timeout_s: float = 120.0) -> float | None:
        """When ``needle`` had arrived among the bytes not forgotten; None: it did not in time."""
        end, looked = time.perf_counter() + timeout_s, 0
        while True:
            if self.arrived.find(needle, max(0, looked - len(needle))) >= 0:
                return self.last_byte_at
            looked = len(self.arrived)
            if self.ended or time.perf_counter() >= end:
                return None
            self.pump()

    def settle(self, quiet_s: float = 0.5, timeout_s: float = 20.0) -> None:
        """Until nothing has arrived for ``quiet_s``."""
        end = time.perf_counter() + timeout_s
        since = time.perf_counter()
        while not self.ended and time.perf_counter() < end and time.perf_counter() - since < quiet_s:
            before = self.bytes_written
            self.pump()
            if self.bytes_written != before or self._underway:
                since = time.perf_counter()

    # ---------------------------------------------------------------------------------------- the program

    def cpu_s(self) -> float:
        """CPU time of the program so far, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def memory_mb(self) -> dict[str, float]:
        """Resident memory now and at its peak, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        kb = {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "VmHWM")}  # type: ignore[index]
        return {"now": round(kb["VmRSS"] / 1024, 1), "peak": round(kb["VmHWM"] / 1024, 1)}

    def close(self, keys: bytes = b"", grace_s: float = 3.0) -> int | None:
        """End the program: by ``keys`` if it listens, else by force.  Returns its exit status; None if killed."""
        if self._fd < 0:
            return None
        if keys and not self.ended:
            self.send(keys)
        end, status = time.perf_counter() + (grace_s if keys or self.ended else 0.0), None
        while status is None and time.perf_counter() < end:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(code) if pid else None
            if status is None:
                if self.ended:
                    time.sleep(0.01)
                else:
                    self.pump()
        if status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)
        self._fd = -1
        return status
