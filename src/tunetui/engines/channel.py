"""One agent over any two byte streams: ask it, follow a run's journal, send it commands."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from tunetui.core.cleaning import clean
from tunetui.core.errors import AwayError, TunetuiError
from tunetui.core.waiting import Cancellation, within
from tunetui_agent.messages import encode_command

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is not one of ours: the stream is refused before memory is spent on it."""
MAX_BYTES_WITH_START = 256 << 10
"""Commands that an agent gets as it is started; more would only delay the start, and follow it."""
SILENCE_SECONDS = 5.0
"""The agent beats every second; a stream silent for longer is dead."""
BEAT_SECONDS = 2.0
"""How often whoever deals a run says that it is there."""
FIRST_BACKOFF_SECONDS, LAST_BACKOFF_SECONDS = 0.02, 5.0
DEALT = "dealt"
"""The code of a refusal: another tunetui deals the run, "dealer" in the answer says which."""


class AgentStream(Protocol):
    """Two byte streams to one agent command."""

    async def read(self) -> bytes:
        """Some bytes, or b"" at the end."""

    async def write(self, data: bytes) -> None: ...

    async def close(self, *, at_once: bool = False) -> str:
        """End the stream, wait for its process; what it said on stderr (a bounded tail), cleaned.

        ``at_once``: nothing is heard of it any more, so nothing is waited for.
        """


class Link(Protocol):
    """A way to reach the agent on one host."""

    host: str
    retries: int | None  # consecutive failed attachments before giving up; None: never

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        """Run one agent command to its end; its stdout.  Raises SilentError where it hangs."""

    async def open(self, arguments: Sequence[str]) -> AgentStream: ...

    async def close(self) -> None:
        """Let go of the host; what runs there runs on."""


class AgentRefusedError(TunetuiError):
    """The agent answered with a refusal; ``code`` is stable, ``answer`` is all it said."""

    def __init__(self, message: str, *, code: str, answer: dict[str, Any], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.answer = answer


class LineFramer:
    """Bytes in, whole lines out (without their newline); performs no I/O."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes.  Raises TunetuiError at a line over `MAX_LINE_BYTES`."""
        self._pending += data
        if b"\n" not in data:
            if len(self._pending) > MAX_LINE_BYTES:
                raise TunetuiError(f"the agent sent a line of over {MAX_LINE_BYTES >> 20} MiB")
            return []
        *lines, rest = bytes(self._pending).split(b"\n")
        self._pending = bytearray(rest)
        return lines


@dataclass
class Position:
    """How far a source's journal has been taken over."""

    next_seq: int = 0
    offset: int = 0
    epoch: str = ""


@dataclass
class Outbox:
    """Commands on their way up; each is sent again after a lost link until the agent accepts it."""

    waiting: dict[str, bytes] = field(default_factory=dict)
    fresh: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    _with_start: set[str] = field(default_factory=set)
    _handed_over: set[str] = field(default_factory=set)

    def with_start(self) -> bytes:
        """The first of them, as lines that an agent is given as it is started: as many as hold up nothing."""
        lines = b""
        for command, line in self.waiting.items():
            if len(lines) + len(line) > MAX_BYTES_WITH_START:
                break
            lines += line
            self._with_start.add(command)
        return lines

    def started(self) -> None:
        """The agent was started with them: they are on its disk."""
        self._handed_over |= self._with_start

    def send(self, command: Any) -> None:
        """Queue one command for sending."""
        line = encode_command(command)
        self.waiting[command.command] = line
        self.fresh.put_nowait(line)

    def accepted(self, command: str) -> None:
        """The agent has it."""
        self.waiting.pop(command, None)

    def restart(self) -> None:
        """A new link: everything not yet accepted goes out again, in order."""
        self.fresh = asyncio.Queue()
        for command, line in self.waiting.items():
            if command not in self._handed_over:
                self.fresh.put_nowait(line)


async def ask_json(link: Link, arguments: Sequence[str], stdin: bytes = b"") -> dict[str, Any]:
    """One agent command whose answer is one JSON object."""
    return json_object(await link.ask(arguments, stdin), link.host)


def json_object(raw: bytes, host: str) -> dict[str, Any]:
    """A host's answer that is to be one JSON object.  Raises TunetuiError where it is not."""
    try:
        answer = json.loads(raw)
    except ValueError:
        raise TunetuiError(f"the agent on {host} answered with something else than JSON: {raw[:200]!r}") from None
    if not isinstance(answer, dict):
        raise TunetuiError(f"the agent on {host} answered with {type(answer).__name__}, not an object")
    return answer


class Follower:
    """Follows one run's journal until it ends, across lost links; every record is handed over exactly once."""

    def __init__(
        self,
        link: Link,
        run: str,
        *,
        position: Callable[[], Position],
        take: Callable[[bytes], None],
        client: str,
        on_state: Callable[[str], None] = lambda _: None,
        on_dealer: Callable[[str], None] | None = None,
        retries: int | None = None,
    ) -> None:
        """``position`` says what to ask for next, ``take`` stores one raw record and so advances it.

        ``on_dealer`` makes a follower that only looks on; it gets the name of who deals the run's trials, or "" when
        nobody does any more.  Without it this follower deals them, and is refused once somebody else does.
        ``retries`` is how often in a row it attaches again at most; None: as often as the link allows.
        """
        self.outbox = Outbox()
        self.ended: str | None = None  # set by whoever takes the last record
        self.obituary: dict[str, Any] = {}  # what the host said of an agent that died: "rebooted", "stderr"
        self._link, self._run, self._position, self._take = link, run, position, take
        self._client, self._on_state, self._on_dealer = client, on_state, on_dealer
        self._retries = link.retries if retries is None else retries
        self._failures = 0
        self._backoff = FIRST_BACKOFF_SECONDS

    async def follow(self) -> str:
        """Until the run ends: "ended", or "dead" when the agent died without a last record.

        Raises:
            AgentRefusedError: no such run, another epoch, another protocol; somebody else deals it now.
            AwayError: the link failed more often in a row than is allowed.
        """
        cancellation = Cancellation()
        while True:
            cancellation.check()  # libraries forget one that comes as a link is made or let go
            try:
                outcome, said = await self._once(cancellation)
            except (TimeoutError, OSError) as error:
                outcome, said = "lost", str(error)
            if outcome != "lost":
                return outcome
            self._failures += 1
            if self._retries is not None and self._failures > self._retries:
                raise AwayError(f"cannot follow run {self._run} on {self._link.host}: {said or 'the link ended'}")
            self._on_state("lost")
            await asyncio.sleep(self._backoff * random.uniform(0.5, 1.0))
            self._backoff = min(LAST_BACKOFF_SECONDS, self._backoff * 2)

    async def _once(self, cancellation: Cancellation) -> tuple[str, str]:
        at = self._position()
        arguments = ["attach", "--run", self._run, *(["--client", self._client] if self._client else [])]
        arguments += ["--from-seq", str(at.next_seq), "--offset", str(at.offset)]
        if at.epoch:
            arguments += ["--epoch", at.epoch]
        stream = await self._link.open(arguments)
        said, over = "", False  # over: nothing more is to be heard
        self.outbox.restart()
        senders = [asyncio.create_task(self._send(stream))]
        if self._on_dealer is None:
            senders.append(asyncio.create_task(self._beat()))
        try:
            cancellation.check()
            outcome = await self._receive(stream)
            over = outcome == "ended"
        except TimeoutError:
            over = True
            raise TimeoutError(f"nothing was heard for {SILENCE_SECONDS:.0f} s") from None
        finally:
            for sender in senders:
                sender.cancel()
            try:
                await asyncio.gather(*senders, return_exceptions=True)
            finally:  # whoever is cancelled twice, as at the end of the loop, still closes it
                said = await stream.close(at_once=over)
        return outcome, said

    async def _send(self, stream: AgentStream) -> None:
        while True:
            await stream.write(await self.outbox.fresh.get())

    async def _beat(self) -> None:
        while True:
            self.outbox.fresh.put_nowait(b"\n")
            await asyncio.sleep(BEAT_SECONDS)

    async def _receive(self, stream: AgentStream) -> str:
        framer = LineFramer()
        while data := await within(SILENCE_SECONDS, stream.read()):
            for line in framer.feed(data):
                if line.startswith(b'{"ctl"'):
                    if self._control(line) == "dead":
                        return "dead"
                elif line:
                    self._take(line)
                if self.ended is not None:
                    return "ended"
        return "lost"

    def _control(self, line: bytes) -> str:
        try:
            answer = json.loads(line)
        except ValueError:
            return ""
        said = str(answer.get("ctl"))
        if "dealer" in answer and said != "error":
            self._see_dealer(clean(str(answer["dealer"])))
        if said == "attached":
            self._failures, self._backoff = 0, FIRST_BACKOFF_SECONDS
            self._on_state("attached")
        elif said == "error":
            raise _refusal(self._run, self._link.host, answer)
        elif said == "dead":
            self.obituary = answer
        return said

    def _see_dealer(self, dealer: str) -> None:
        if self._on_dealer is not None:
            self._on_dealer(dealer)
        elif dealer not in ("", self._client):
            raise _refusal(self._run, self._link.host, {"error": DEALT, "dealer": dealer})


def _refusal(run: str, host: str, answer: dict[str, Any]) -> AgentRefusedError:
    """Why a run cannot be followed, for people."""
    code = clean(str(answer.get("error", "error")))[:80]
    have, want = (clean(str(answer.get(key)))[:20] for key in ("have", "want"))
    name = f"run {run} on {host}"
    message, hint = {
        "no-such-run": (f"{name} is not there any more", "the host's folder was emptied; what was received is kept"),
        "epoch": (
            f"{host} has another run under the name {run}",
            "the host's folder was emptied or the machine set up anew; what was received is kept",
        ),
        "protocol": (
            f"{name} was begun by a tunetui of protocol {have}, this one speaks {want}",
            "it goes on by itself; follow it with the version of tunetui that began it",
        ),
        DEALT: (f"another tunetui deals {name}", ""),
        "not-delivered": (f"a command could not be handed to {name}: {clean(str(answer.get('text', '')))[:300]}", ""),
    }.get(code, (f"the agent refused to attach to {name}: {code}", ""))
    return AgentRefusedError(message, code=code, answer=answer, hint=hint)
