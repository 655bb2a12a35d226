"""A child process of the supervisor: JSON lines over pipes that never block, a bounded log, a clean end."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import zipimport
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tunetui_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
LOG_BYTES = 1024 * 1024
"""The log file and the one before it hold at most this much each."""
_TAIL_BYTES = 4096
_READS_AT_ONCE = 16  # a child that prints without end must not keep the supervisor from its other duties


def archive() -> Path | None:
    """The .pyz that this agent runs from, or None when it runs from a folder."""
    loader = getattr(tunetui_agent.__spec__, "loader", None)
    return Path(loader.archive).resolve() if isinstance(loader, zipimport.zipimporter) else None


def agent_command(*arguments: str) -> list[str]:
    """How to start another process of this very agent with this very interpreter."""
    apart = ["-I"] if sys.flags.isolated else ["-E"] * sys.flags.ignore_environment
    flags = apart + ["-S"] * sys.flags.no_site
    packed = archive()
    if packed:
        return [sys.executable, *flags, str(packed), *arguments]
    return [sys.executable, *flags, "-m", "tunetui_agent", *arguments]


def agent_environment() -> dict[str, str]:
    """Our environment, in which an agent that runs from a folder is found again."""
    environment = dict(os.environ)
    if archive() is None:
        source = str(Path(tunetui_agent.__file__).resolve().parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [source, environment.get("PYTHONPATH", "")]))
    return environment


class Log:
    """A file that grows to a limit, is then set aside once, and grows again."""

    def __init__(self, path: Path, limit_bytes: int = LOG_BYTES) -> None:
        self._path, self._limit_bytes = path, limit_bytes

    def write(self, data: bytes) -> None:
        """Append; a full disk costs the log, not the run."""
        with contextlib.suppress(OSError):
            with self._path.open("ab") as file:
                file.write(data)
                size = file.tell()
            if size > self._limit_bytes:
                self._path.replace(self._path.with_name(self._path.name + ".1"))


class Child:
    """One process in its own process group.

    ``on_message`` gets each object it sends; what it prints goes to the log.  A line that is no JSON object is
    printing too.  The owner learns of its end by asking `exit_status` after a SIGCHLD.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: dict[str, str],
        selector: selectors.BaseSelector,
        on_message: Callable[[dict[str, Any]], None],
        log: Log,
    ) -> None:
        """Raises OSError where no process can be started."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._process.pid
        self.printed = b""  # the end of what it printed
        self._selector, self._on_message, self._log = selector, on_message, log
        self._closed = False
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._in, self._out, self._err = (_descriptor(pipe) for pipe in self._pipes())
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe, False)
        selector.register(self._out, selectors.EVENT_READ, self._read_messages)
        selector.register(self._err, selectors.EVENT_READ, self._read_printed)

    def send(self, message: dict[str, Any]) -> None:
        """Queue one object for it; never blocks."""
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._write()

    def exit_status(self) -> int | None:
        """None while it lives; else as in `subprocess.Popen.returncode`, after everything it said was delivered."""
        status = self._process.poll()
        if status is not None:
            self._read_messages()
            self._read_printed()
        return status

    def kill(self) -> None:
        """SIGKILL to its whole process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, timeout_seconds: float) -> bool:
        """Whether it is gone after at most this long."""
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """Forget its pipes.  The selector may have told of them already: what comes of that is nothing."""
        self._closed = True
        for pipe in (self._in, self._out, self._err):
            self._unregister(pipe)
        for stream in self._pipes():
            if stream:
                stream.close()

    def _pipes(self) -> tuple[Any, Any, Any]:
        return self._process.stdin, self._process.stdout, self._process.stderr

    def _write(self) -> None:
        if self._closed:
            return
        try:
            while self._outgoing:
                del self._outgoing[: os.write(self._in, self._outgoing)]
        except BlockingIOError:
            with contextlib.suppress(KeyError):  # registered already
                self._selector.register(self._in, selectors.EVENT_WRITE, self._write)
            return
        except BrokenPipeError:
            self._outgoing.clear()  # its end is announced by SIGCHLD
        self._unregister(self._in)

    def _read_messages(self) -> None:
        for chunk in self._chunks(self._out):
            self._incoming += chunk
            if b"\n" not in chunk:
                if len(self._incoming) > MAX_MESSAGE_BYTES:
                    self.kill()
                continue
            *lines, rest = bytes(self._incoming).split(b"\n")
            self._incoming = bytearray(rest)
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict):
            self._on_message(message)
        else:
            self._keep_printed(line + b"\n")

    def _read_printed(self) -> None:
        for chunk in self._chunks(self._err):
            self._keep_printed(chunk)

    def _keep_printed(self, data: bytes) -> None:
        self.printed = (self.printed + data)[-_TAIL_BYTES:]
        self._log.write(data)

    def _chunks(self, pipe: int) -> list[bytes]:
        chunks: list[bytes] = []
        if self._closed:  # its descriptors may be another child's by now
            return chunks
        try:
            while len(chunks) < _READS_AT_ONCE:
                chunk = os.read(pipe, 65536)
                if not chunk:
                    self._unregister(pipe)
                    break
                chunks.append(chunk)
        except BlockingIOError:
            pass
        return chunks

    def _unregister(self, pipe: int) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(pipe)


def death_of(status: int) -> str:
    """What an exit status says, in words."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"killed by {name}" + (", probably for want of memory" if status == -signal.SIGKILL else "")


def _descriptor(stream: Any) -> int:
    return int(stream.fileno())
