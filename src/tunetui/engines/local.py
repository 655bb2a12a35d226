"""An agent on this machine: child processes and the same host folder that a remote agent has."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import tunetui_agent
from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.starting import answer_of, end_process, start_process
from tunetui.core.waiting import Silence
from tunetui.engines.allowances import SilentError, Wait, allowance
from tunetui.engines.archive import agent_archive, agent_sha256, installed_code
from tunetui_agent.compiled import is_sealed, write_compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.engines.allowances import Allowance, OnWait

_STDERR_TAIL_BYTES = 8192
_CLOSE_SECONDS = 2.0
_FROM_FOLDER = (
    "import sys; sys.path.insert(0, {!r}); from tunetui_agent.commands import main; sys.exit(main(sys.argv[1:]))"
)


class LocalLink:
    """Runs agent commands on this machine."""

    host = "local"
    retries: int | None = 8

    def __init__(self, root: Path, python: str = sys.executable, on_wait: OnWait = lambda *_: None) -> None:
        """``root`` is the host folder (private, usually ~/.cache/tunetui); ``python`` is what agents are started with."""
        self._root, self._python, self._on_wait = root, python, on_wait
        self._archive: Path | None = None
        self._ahead: dict[str, asyncio.subprocess.Process] = {}  # commands that were begun before they are asked for

    async def look_ahead(self) -> None:
        """Begin now what a run asks for soon: a "probe" for nothing but modules, and a "start"."""
        with contextlib.suppress(OSError, TunetuiError):  # said when it is asked for
            for arguments, code in ((["probe", "--modules-follow"], self._installed()), (["start"], None)):
                self._ahead[arguments[0]] = await self._spawn(arguments, asyncio.subprocess.PIPE, code)

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        """Run one agent command to its end; its stdout.

        Raises:
            SilentError: it hangs.
            TunetuiError: it ended with an exit status other than 0 and said nothing on stdout.
        """
        with Wait(self.host, allowance(arguments).words, self._on_wait) as wait:
            try:
                return await self._ask(arguments, stdin, allowance(arguments))
            except SilentError:
                if not allowance(arguments).again:
                    raise
                wait.again()
                return await self._ask(arguments, stdin, allowance(arguments), twice=True)

    async def _ask(self, arguments: Sequence[str], stdin: bytes, allowed: Allowance, *, twice: bool = False) -> bytes:
        process, told = self._begun(arguments)
        process = process or await self._spawn(arguments, stderr=asyncio.subprocess.PIPE)
        silence = Silence(allowed.silent_seconds)
        try:
            stdout, stderr = await silence.limit(answer_of(process, told + stdin, silence.heard))
        except TimeoutError:
            raise SilentError(self.host, allowed.words, allowed.silent_seconds, twice=twice) from None
        if process.returncode and not stdout.strip():
            said = clean(stderr.decode(errors="replace").strip()[-2000:])
            raise TunetuiError(f"the agent's {arguments[0]} ended with status {process.returncode}: {said}")
        return stdout

    async def open(self, arguments: Sequence[str]) -> LocalStream:
        """A running agent command to talk with."""
        stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by LocalStream.close
        try:
            return LocalStream(await self._spawn(arguments, stderr=stderr.fileno()), stderr)
        except BaseException:
            stderr.close()
            raise

    async def close(self) -> None:
        """Nothing is held between commands, but what was begun ahead of one that never came."""
        while self._ahead:
            await end_process(self._ahead.popitem()[1])

    def _begun(self, arguments: Sequence[str]) -> tuple[asyncio.subprocess.Process | None, bytes]:
        """The process that was begun ahead of this command, and what it is to be told first."""
        modules = _modules_of(arguments)
        told = b"" if modules is None else json.dumps(modules).encode() + b"\n"
        if modules is None and list(arguments) != ["start"]:
            return None, b""
        process = self._ahead.pop(arguments[0], None)
        return (process, told) if process is not None and process.returncode is None else (None, b"")

    async def _spawn(
        self, arguments: Sequence[str], stderr: int, code: list[str] | None = None
    ) -> asyncio.subprocess.Process:
        """An agent command, from the archive or from other ``code``."""
        code = code or [str(self._archive or self._place_archive())]
        command = [self._python, *code, arguments[0], "--root", str(self._root), *arguments[1:]]
        pipe = asyncio.subprocess.PIPE
        # Its own session: the terminal's Ctrl-C is for the app, which then asks the agent to stop.
        return await start_process(*command, stdin=pipe, stdout=pipe, stderr=stderr, start_new_session=True)

    def _installed(self) -> list[str] | None:
        """The agent as this app has it, for a command that leaves nothing running: the archive is written meanwhile."""
        source = Path(tunetui_agent.__path__[0]).parent
        return ["-P", "-c", _FROM_FOLDER.format(str(source))] if self._python == sys.executable else None

    def _place_archive(self) -> Path:
        folder = self._root / "agent"
        target = folder / f"{agent_sha256()}.pyz"
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(exist_ok=True, mode=0o700)
            if not target.exists() or target.read_bytes() != agent_archive():
                part = folder / f".{os.getpid()}.part"
                part.write_bytes(agent_archive())
                part.replace(target)
        except OSError as error:
            raise TunetuiError(
                f"cannot write the agent to {folder}: {error.strerror}",
                hint="set XDG_CACHE_HOME to a folder of yours with free space",
            ) from None
        self._archive = self._compiled(target)
        return self._archive

    def _compiled(self, packed: Path) -> Path:
        """The same compiled for the Python that runs us, under the name that a host reached over SSH gives it."""
        tag = hashlib.sha256(os.fsencode(os.path.realpath(self._python))).hexdigest()[:12]
        target = packed.with_suffix(f".{tag}.pyz")
        if self._python != sys.executable:
            return packed
        try:
            if not (target.exists() and is_sealed(target.read_bytes())):
                write_compiled(packed, target, installed_code)
        except OSError:  # a full disk costs time, not the run
            return packed
        return target


def _modules_of(arguments: Sequence[str]) -> list[str] | None:
    """The modules that a "probe" for nothing else is for; None for any other command."""
    flag = "--module="
    if arguments[0] != "probe" or not all(each.startswith(flag) for each in arguments[1:]):
        return None
    return [each.removeprefix(flag) for each in arguments[1:]]


class LocalStream:
    """The two byte streams of one agent process on this machine."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: IO[bytes]) -> None:
        self._process, self._stderr = process, stderr
        if process.stdin is None or process.stdout is None:
            raise TunetuiError("the agent was started without pipes")
        self._stdin, self._stdout = process.stdin, process.stdout

    async def read(self) -> bytes:
        return await self._stdout.read(1 << 16)

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    async def close(self, *, at_once: bool = False) -> str:
        with self._stderr as file:
            with contextlib.suppress(OSError):
                self._stdin.close()
            await end_process(self._process, 0.0 if at_once else _CLOSE_SECONDS)
            file.seek(max(0, file.seek(0, os.SEEK_END) - _STDERR_TAIL_BYTES))
            return clean(file.read().decode(errors="replace").strip())
