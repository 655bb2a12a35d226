"""`channel.Link` to a host over SSH: one supervised connection for all commands, made again when it is lost."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

import asyncssh

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.links import LinkPhase, LinkState
from tunetui.engines.ssh.bootstrap import Conversation
from tunetui.engines.ssh.connecting import Patience, Way, connect
from tunetui.engines.ssh.described import describe
from tunetui.engines.ssh.failures import FOREIGN, HostError, LinkLostError, UnreachableError
from tunetui.engines.ssh.foreseen import Foreseen
from tunetui.engines.ssh.keys import KeyRing
from tunetui.engines.ssh.spares import Spares
from tunetui.engines.ssh.streams import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncssh import SSHClientConnection

    from tunetui.core.asking import Asker
    from tunetui.core.links import Reached
    from tunetui.core.routes import Route
    from tunetui.engines.ssh.host_keys import HostKeys
    from tunetui.engines.ssh.knocking import Knock

MAX_ANSWER_BYTES = 256 << 20
_ASKED_AT_ONCE = 2
"""OpenSSH allows 10 sessions a connection; the others are for following runs, one for each GPU."""
_SESSIONS_REFUSED, _SESSION_SECONDS = 5, 0.1
"""A session that has just ended may count for a moment longer where few are allowed."""
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS = 0.05, 5.0


class SshLink:
    """Runs agent commands on one host.  Whatever is lost with a connection is asked again over the next one."""

    retries: int | None = None  # a run outlives its link: whoever follows it tries until told to stop

    def __init__(
        self,
        route: Route,
        host_keys: HostKeys,
        asker: Asker | None,
        *,
        patience: Patience | None = None,
        knock: Knock | None = None,
        on_state: Callable[[LinkState], None] = lambda _: None,
    ) -> None:
        """``knock`` is what was begun of the way to the first hop before this module was loaded."""
        self.host = route.name
        self.facts: dict[str, Any] = {}  # what the host said of itself when it was reached first
        self._route, self._host_keys, self._ring = route, host_keys, KeyRing(asker)
        self._patience = patience or Patience()
        self._on_state, self._knock = on_state, knock
        self._dialing = asyncio.Lock()
        self._asking = asyncio.Semaphore(_ASKED_AT_ONCE)
        self._way: Way | None = None
        self._spares = Spares(self.host)
        self._foreseen = Foreseen(self.host, self._spares)
        self._was_there = False  # the agent, the last time
        self._reached = False  # at least once: from then on an unreachable host is a lost link

    # ------------------------------------------------------------------ what a Link does

    async def connect(self) -> None:
        """Make the connection now, so that whatever is to be asked or said about it comes first.  Raises HostError."""
        await self._connected()

    async def reached(self) -> Reached:
        """Whom the connection reaches, and how.  Raises HostError."""
        return describe(self._route, await self._connected())

    async def ask(self, arguments: Sequence[str], stdin: bytes = b"") -> bytes:
        """Run one agent command to its end; its stdout.  A lost link is made again, and the command asked again.

        Raises:
            HostError: the host cannot be used.
            TunetuiError: the command ended with a status other than 0 and said nothing on stdout.
        """
        backoff, until = _FIRST_BACKOFF_SECONDS, time.monotonic() + self._patience.ask_seconds
        async with self._asking:
            while True:
                try:
                    return await self._ask(arguments, stdin)
                except LinkLostError:
                    if time.monotonic() + backoff > until:
                        raise
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _LAST_BACKOFF_SECONDS)

    async def open(self, arguments: Sequence[str]) -> Channel:
        """A running agent command to talk with.  Raises LinkLostError where the host cannot be reached just now."""
        return await self._begin(arguments)

    def foresee(self, arguments: Sequence[str]) -> None:
        """A command will be asked for soon that reads its stdin to the end: it is begun as soon as the agent is there."""
        self._foreseen.wish(arguments)

    async def close(self) -> None:
        """Let go of the host; what runs there runs on."""
        self._spares.drop()
        self._foreseen.drop()
        way, self._way = self._way, None
        if way is not None:
            await way.close()

    # ------------------------------------------------------------------ commands

    async def _ask(self, arguments: Sequence[str], stdin: bytes) -> bytes:
        channel = await self._begin(arguments)
        answer = bytearray()
        try:
            sending = asyncio.create_task(_send(channel, stdin))
            try:
                while data := await channel.read():
                    answer += data
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise TunetuiError(f"the agent on {self.host} answered with over {MAX_ANSWER_BYTES >> 20} MiB")
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            await channel.finished()
        finally:
            said = await channel.close()
        if channel.exit_status is None:
            raise LinkLostError(self.host, None)
        if channel.exit_status and not answer.strip():
            raise TunetuiError(
                f"the agent's {arguments[0]} on {self.host} ended with status {channel.exit_status}: {said[-2000:]}"
            )
        return bytes(answer)

    async def _begin(self, arguments: Sequence[str]) -> Channel:
        """An agent command whose next word is its own."""
        refused = 0
        while True:
            connection = await self._connected()
            begun = await self._foreseen.take(arguments, connection, str(self.facts.get("executable", "")))
            if begun is not None:
                return begun
            talk = Conversation(self.host, arguments, sure=self._was_there)
            try:
                async with asyncio.timeout(self._patience.bootstrap_seconds):
                    channel = await self._channel(connection, talk)
                    try:
                        self._was_there = await talk.carry_out(channel)
                    except BaseException:
                        channel.abandon()
                        raise
            except TimeoutError:
                self._drop(connection)
                raise LinkLostError(self.host, TimeoutError("no answer to a command")) from None
            except (HostError, LinkLostError):
                raise
            except FOREIGN as error:
                refused += 1
                if refused > _SESSIONS_REFUSED or not _is_full(connection, error):
                    self._refuse(connection, error)
                self._spares.drop()
                await asyncio.sleep(_SESSION_SECONDS)
                continue
            if self._was_there:
                self.facts = self.facts or talk.facts
                self._foreseen.begin(connection)
                return channel

    async def _channel(self, connection: SSHClientConnection, talk: Conversation) -> Channel:
        """A channel at whose other end the first stage knows what to do."""
        spare = await self._spares.take(connection)
        if spare is None:
            return await Channel.start(connection, self.host, talk.command)
        if spare.awaits_command:
            spare.run(talk.command)
        else:
            await spare.write(talk.line)
        return spare

    # ------------------------------------------------------------------ the connection

    async def _connected(self) -> SSHClientConnection:
        async with self._dialing:  # all commands wait for the one connection that is being made
            if self._way is not None and not self._way.connection.is_closed():
                return self._way.connection
            self._say("lost" if self._reached else "connecting")
            try:
                knock, self._knock = self._knock, None
                # A link that was there is made again by whoever needs it, as often as it takes.
                on_break = None if self._reached else lambda text: self._say("connecting", text)
                self._way = await connect(
                    self._route, self._host_keys, self._ring, self._patience, self._spares.prepare, knock, on_break
                )
            except UnreachableError as error:
                if self._reached:
                    self._say("lost", error.message)
                    raise LinkLostError(self.host, error) from None
                raise
            except HostError as error:  # it answers, and is not who it was, or lets us in no more
                self._say("dead", error.message)
                raise
            self._reached = True
            self._say("ready")
            return self._way.connection

    def _refuse(self, connection: SSHClientConnection, error: BaseException) -> NoReturn:
        """A command could not be begun: the link is gone, or the host allows no more of them."""
        if _is_full(connection, error):
            raise HostError(
                f"{self.host}: the host opens no further session: {clean(str(error))}",
                code="sessions",
                hint="MaxSessions in its sshd_config limits how many GPUs can be followed at once",
            ) from None
        self._drop(connection)
        raise LinkLostError(self.host, error) from None

    def _drop(self, connection: SSHClientConnection) -> None:
        """A connection that does not answer is not waited for."""
        if self._way is not None and connection is self._way.connection:
            self._way.abort()
            self._way = None
            self._say("lost")
        connection.abort()

    def _say(self, phase: LinkPhase, text: str = "") -> None:
        self._on_state(LinkState(self.host, phase, time.time(), text))


def _is_full(connection: SSHClientConnection, error: BaseException) -> bool:
    """Whether the host refused one more session on a connection that is well."""
    return isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed()


async def _send(channel: Channel, stdin: bytes) -> None:
    """All of it, then its end; a command that ends before it has read everything says why by itself."""
    try:
        await channel.write(stdin)
        channel.end_input()
    except LinkLostError:
        return
