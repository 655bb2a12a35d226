"""Follows a run: raw journal lines to stdout as they are written, command lines from stdin to the agent.

Control lines, which are not part of the journal, begin with ``{"ctl"``: "attached" first; "hb" once a second while
nothing else is said; "dealer" when somebody begins to deal the run's trials or is gone; "error" where it cannot be followed
or a command could not be handed over; "dead" when the agent is gone without a last record.  Lines that a full disk has torn
are left out.  An empty line on stdin says only that the follower is there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any, BinaryIO

from tunetui_agent.dealers import (
    SILENCE_SECONDS,
    NotTheDealerError,
    as_dealer,
    dealer_of,
    is_attach,
    note_of,
    present_dealer,
)
from tunetui_agent.folder import boot_id, is_held, is_last_record
from tunetui_agent.inbox import deliver
from tunetui_agent.protocol import PROTOCOL
from tunetui_agent.watch import Watch

if TYPE_CHECKING:
    from tunetui_agent.folder import RunFolder

HEARTBEAT_SECONDS = 1.0
_CHUNK_BYTES = 1 << 18
_STDERR_TAIL_BYTES = 2000


def attach(run: RunFolder, *, from_seq: int, offset: int, epoch: str, client: str) -> int:
    """Serve one follower until the run ends, the agent is found dead, or stdin ends.  Returns the exit status.

    Args:
        offset: bytes into the journal where record ``from_seq`` is thought to begin; a wrong one costs a scan.
        epoch: refuse to follow unless the run's agent has this epoch; "" follows any.
        client: a newer attach of the same client ends an older one, whose link may be half open; "" is nobody's.
    """
    meta = run.read_meta()
    if meta is None:
        return _refuse("no-such-run", run=run.name)
    if meta.get("protocol") != PROTOCOL:
        return _refuse("protocol", have=meta.get("protocol"), want=PROTOCOL, agent=meta.get("agent"))
    if epoch and epoch != meta.get("epoch"):
        return _refuse("epoch", have=meta.get("epoch"), want=epoch)
    if client:
        _replace_older(run, client)
    try:
        watch = Watch(run.journal, run.lock)
        journal = run.journal.open("rb", buffering=0)
        presence = os.open(run.watched, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return _refuse("no-such-run", run=run.name, text=str(error))
    fcntl.flock(presence, fcntl.LOCK_SH)  # until we end
    with journal:
        at = _begin_at(journal, from_seq, offset)
        size = os.fstat(journal.fileno()).st_size
        _say({"ctl": "attached", "meta": meta, "from_seq": from_seq, "size_bytes": size, "dealer": dealer_of(run)})
        Follower(run, watch, journal, at, from_seq, client).follow()
    return 0


class Follower:
    """Tails one journal and carries commands the other way."""

    def __init__(self, run: RunFolder, watch: Watch, journal: BinaryIO, at: int, from_seq: int, client: str) -> None:
        self._run, self._watch, self._journal, self._client = run, watch, journal, client
        self._journal.seek(at)
        self._skip_to = _head(from_seq) if at == 0 and from_seq > 0 else b""
        self._torn = b""
        self._commands = b""
        self._spoke = self._looked = time.monotonic()
        self._heard: float | None = None  # that the follower is there; once it says so, silence means that it is not
        self._dealer = dealer_of(run)

    def follow(self) -> None:
        """Until the last record, the agent's death, or the end of stdin."""
        found_dead = False
        while True:
            read, ended = self._pass_on()
            if ended or self._is_left():
                return
            self._look_for_dealer()
            if read:
                continue
            if found_dead:  # looked once more after its lock was found free
                _say(self._obituary())
                return
            if not is_held(self._run.lock):
                found_dead = True
                continue
            rest = self._spoke + HEARTBEAT_SECONDS - time.monotonic()
            if rest <= 0:
                _say({"ctl": "hb", "t": round(time.time(), 3)})
                self._spoke, rest = time.monotonic(), HEARTBEAT_SECONDS
            if self._watch.wait([0], rest) and not self._take_commands():
                return

    def _pass_on(self) -> tuple[bool, bool]:
        """Copy what the journal has gained; whether there was anything, and whether it was the end."""
        data = self._journal.read(_CHUNK_BYTES)
        if not data:
            return False, False
        *lines, self._torn = (self._torn + data).split(b"\n")
        if self._skip_to:
            while lines and not lines[0].startswith(self._skip_to):
                del lines[0]
            self._skip_to = b"" if lines else self._skip_to
        lines = list(filter(_is_whole, lines))
        if lines:
            _write(b"\n".join(lines) + b"\n")
            self._spoke = time.monotonic()
        return True, any(map(is_last_record, lines))

    def _is_left(self) -> bool:
        return self._heard is not None and time.monotonic() > self._heard + SILENCE_SECONDS

    def _look_for_dealer(self) -> None:
        """Once a second: whether somebody else begins to deal, or stops."""
        now = time.monotonic()
        if now < self._looked + HEARTBEAT_SECONDS:
            return
        self._looked = now
        dealer = present_dealer(self._run)
        if dealer != self._dealer:
            self._dealer = dealer
            _say({"ctl": "dealer", "dealer": dealer})

    def _take_commands(self) -> bool:
        """Hand over what stdin has; whether it is still open."""
        data = os.read(0, 1 << 16)
        if not data:
            return False
        *lines, self._commands = (self._commands + data).split(b"\n")
        if b"" in lines or self._heard is not None:
            self._heard = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(note_of(self._run, self._client))
        commands = b"".join(line + b"\n" for line in lines if line)
        if commands:
            try:
                with as_dealer(self._run, self._client):
                    deliver(self._run, commands)
            except NotTheDealerError as dealer:
                _say({"ctl": "error", "error": "dealt", "dealer": str(dealer)})
                return False
            except OSError as error:
                if error.errno == errno.ENXIO:  # nobody listens any more: what follows will say how the run ended
                    return True
                _say({"ctl": "error", "error": "not-delivered", "text": error.strerror or str(error)})
        return True

    def _obituary(self) -> dict[str, Any]:
        said = b""
        with contextlib.suppress(OSError), self._run.stderr.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _STDERR_TAIL_BYTES))
            said = log.read()
        meta = self._run.read_meta() or {}
        rebooted = meta.get("boot_id", "") != boot_id()
        return {
            "ctl": "dead",
            "torn_bytes": len(self._torn),
            "rebooted": rebooted,
            "stderr": said.decode(errors="replace"),
        }


def _begin_at(journal: BinaryIO, from_seq: int, offset: int) -> int:
    """``offset`` if record ``from_seq`` begins there or will, else 0."""
    size = os.fstat(journal.fileno()).st_size
    if not 0 < offset <= size:
        return 0
    head = os.pread(journal.fileno(), len(_head(from_seq)) + 1, offset - 1)
    return offset if head[:1] == b"\n" and (offset == size or head[1:] == _head(from_seq)) else 0


def _head(seq: int) -> bytes:
    return b'{"seq":%d,' % seq


_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')


def _is_whole(line: bytes) -> bool:
    """Whether a record is not torn: a prefix ends inside a string, or lacks its last brace.

    Parsing each line would cost a replay dearly; braces and brackets inside strings count for nothing.
    """
    outside = _STRING.sub(b"", line)
    return outside.endswith(b"}") and b'"' not in outside and outside.count(b"{") == outside.count(b"}")


def _replace_older(run: RunFolder, client: str) -> None:
    """End an older attach of this client; done by a file, which a full disk may refuse without harm."""
    note = note_of(run, client)
    with contextlib.suppress(OSError, ValueError):
        older = int(note.read_bytes())
        if older != os.getpid() and is_attach(older, client):
            os.kill(older, signal.SIGKILL)
    with contextlib.suppress(OSError):
        note.write_bytes(str(os.getpid()).encode())


def _refuse(error: str, **more: Any) -> int:
    _say({"ctl": "error", "error": error, **more})
    return 1


def _say(control: dict[str, Any]) -> None:
    _write(json.dumps(control, separators=(",", ":")).encode() + b"\n")


def _write(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
