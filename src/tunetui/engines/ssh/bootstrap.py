"""Begins every command on a host: the first stage puts the agent in place if it is not there, and becomes it.

The command line is a constant followed by two words of hexadecimal digits: nothing in it means anything to any shell. A
warm command costs no more round trips than any command does.
"""

from __future__ import annotations

import ast
import json
import secrets
import zlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from tunetui.core.cleaning import clean
from tunetui.engines.allowances import allowance
from tunetui.engines.archive import agent_archive, agent_sha256
from tunetui.engines.ssh.failures import HostError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunetui.engines.ssh.streams import Channel

FIRST = "import sys,zlib,binascii;exec(zlib.decompress(binascii.unhexlify(sys.argv[1])))"
_MOST_NOISE_BYTES = 1 << 20
_SHOWN_NOISE = 600
_NOT_FOUND = 127
OLDEST_PYTHON = "3.10"


@cache
def _stage() -> str:
    """The first stage's source as hexadecimal digits, without what only readers need."""
    tree = ast.parse(files("tunetui.engines.ssh").joinpath("first_stage.py").read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ImportFrom) and node.module == "typing")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    call = "\nrun(json.loads(__import__('binascii').unhexlify(sys.argv[2]).decode('ascii')))\n"
    return zlib.compress((ast.unparse(tree) + call).encode(), 9).hex()


def make_ready() -> None:
    """Make what every conversation takes, ahead of the first one; in any thread."""
    agent_sha256()


def make_stage() -> None:
    """The same of the first stage; in the main thread only: Python 3.11 fails where two threads make syntax trees at once."""
    _stage()


def waiting_command() -> str:
    """A command line that waits on its stdin for what to do: what a command costs before its first word, in advance."""
    return _command_line({"wait": True, "nonce": "", "first": FIRST})


def ending_command(process: tuple[int, str]) -> str:
    """A command line that ends a process of ours which hangs, if it is still the one that it was."""
    return _command_line({"end": list(process)})


def _command_line(asked: dict[str, Any]) -> str:
    return f"python3 -I -c '{FIRST}' {_stage()} {json.dumps(asked).encode().hex()}"


class Conversation:
    """What is said before the agent itself speaks."""

    def __init__(self, host: str, arguments: Sequence[str], *, sure: bool) -> None:
        """``sure``: the agent was there a moment ago, so what follows on stdin is for the agent already."""
        self.host = host
        self.sure = sure
        self.facts: dict[str, Any] = {}
        self._nonce = f"\x1e{secrets.token_hex(8)} "
        self._asked = {
            "nonce": self._nonce, "agent": agent_sha256(), "size": len(agent_archive()), "sure": sure,
            "facts": not sure, "arguments": list(arguments), "first": FIRST,
            "alone_seconds": allowance(arguments).alone_seconds,
        }  # fmt: skip

    @property
    def command(self) -> str:
        """The command line, the same in every shell."""
        return _command_line(self._asked)

    @property
    def line(self) -> bytes:
        """The same for a host where `waiting_command` waits."""
        return json.dumps(self._asked).encode() + b"\n"

    async def carry_out(self, channel: Channel) -> bool:
        """Up to the moment where the agent takes over; False where it was not there although we were ``sure``.

        Raises HostError: what is wrong with the host.
        """
        answer = await self._answer(channel)
        if answer["k"] == "miss":
            if self.sure:
                return False
            await channel.write(agent_archive())
            answer = await self._answer(channel)
        if answer["k"] == "ready":
            self.facts = answer
            match answer.get("process"):
                case [int(pid), str(began)] if pid > 1:
                    channel.process = pid, began
            return True
        raise _trouble(self.host, answer)

    async def _answer(self, channel: Channel) -> dict[str, Any]:
        nonce = self._nonce.encode()
        heard = b""
        while True:
            at = heard.find(nonce)
            end = heard.find(b"\n", at) if at >= 0 else -1
            if end >= 0:
                channel.unread(heard[end + 1 :])
                return self._decoded(heard[at + len(nonce) : end])
            if len(heard) > _MOST_NOISE_BYTES:
                raise self._noisy(heard)
            data = await channel.read()
            if not data:
                await channel.finished()
                raise self._ended(channel, heard)
            heard += data

    def _decoded(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
            if isinstance(answer, dict) and isinstance(answer.get("k"), str):
                return answer
        except ValueError:
            pass
        raise HostError(f"{self.host}: the host answered with something else than expected", code="bootstrap")

    def _noisy(self, heard: bytes) -> HostError:
        return HostError(
            f"{self.host}: start-up files there print without end, beginning with: {_shown(heard)}",
            code="noise",
            hint="what runs in a shell without a terminal must not print: look at ~/.bashrc there",
        )

    def _ended(self, channel: Channel, heard: bytes) -> HostError:
        """No answer at all: the shell could not, or would not, run our command."""
        said = _shown(heard + b"\n" + channel.stderr.encode())
        lowered = said.lower()
        if channel.exit_status == _NOT_FOUND or ("python3" in lowered and "not found" in lowered):
            return HostError(
                f"{self.host}: there is no python3 on the host{_quoted(said)}",
                code="no-python",
                hint=f"tunetui needs Python {OLDEST_PYTHON} or newer there: sudo apt install python3",
            )
        status = "" if channel.exit_status is None else f" (exit status {channel.exit_status})"
        return HostError(
            f"{self.host}: the host ended our command before it began{status}{_quoted(said)}",
            code="shell",
            hint="a start-up file that exits, or a forced command? try: ssh HOST true",
        )


def _trouble(host: str, answer: dict[str, Any]) -> HostError:
    code, text = str(answer.get("error", "bootstrap")), clean(str(answer.get("text", answer))[:500])
    path = clean(str(answer.get("path", ""))[:300])
    said = {
        "old-python": f"the newest Python is {clean(str(answer.get('have', '?'))[:20])}, tunetui needs {OLDEST_PYTHON}",
        "disk-full": f"no room for the agent: {text}",
        "read-only": f"the agent's folder is on a disk that cannot be written: {text}",
        "folder": f"the agent's folder cannot be used: {text}",
        "unsafe": f"the agent's folder is not private: {text}",
        "full": f"no further process can be started there: {text}",
        "no-interpreter": f"the chosen Python is gone: {path}",
    }.get(code, text)
    elsewhere = "or set XDG_CACHE_HOME there, where sshd hands it on"
    hint = {
        "old-python": "install a newer one beside it (package python3.10 or newer); it is found by that name",
        "disk-full": f"free some space there, {elsewhere}",
        "read-only": f"make it writable, {elsewhere}",
        "folder": f"make it yours and writable, {elsewhere}",
        "unsafe": f"on the host: chmod 700 {path}" if "written by others" in text else f"remove it, {elsewhere}",
    }.get(code, "")
    kind = UnreachableError if code == "full" else HostError
    return kind(f"{host}: {said}", code=code, hint=hint)


def _shown(data: bytes) -> str:
    return clean(data.decode(errors="backslashreplace").strip())[-_SHOWN_NOISE:]


def _quoted(said: str) -> str:
    return f"; it said: {said}" if said else ""
