"""`channel.Link` to a host over SSH: one supervised connection for all commands, made again when it is lost."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

import asyncssh

from tunetui.core.cleaning import clean
from tunetui.core.errors import TunetuiError
from tunetui.core.links import LinkPhase, LinkState
from tunetui.core.waiting import Silence, within
from tunetui.engines.allowances import SilentError, Wait, allowance
from tunetui.engines.ssh.bootstrap import Conversation, ending_command
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
    from tunetui.engines.allowances import Allowance, OnWait
    from tunetui.engines.ssh.host_keys import HostKeys
    from tunetui.engines.ssh.knocking import Knock

MAX_ANSWER_BYTES = 256 << 20
_PIECE_BYTES = 1 << 18
_ASKED_AT_ONCE = 2
"""OpenSSH allows 10 sessions a connection; the others are for following runs, one for each GPU."""
_SESSIONS_REFUSED, _SESSION_SECONDS = 5, 0.1
"""A session that has just ended may count for a moment longer where few are allowed."""
_KILL_SECONDS, _END_SECONDS = 1.0, 10.0
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
        on_wait: OnWait = lambda *_: None,
    ) -> None:
        """``knock`` is what was begun of the way to the first hop before this module was loaded."""
        self.host = route.name
        self.facts: dict[str, Any] = {}  # what the host said of itself when it was reached first
        self._route, self._host_keys, self._ring = route, host_keys, KeyRing(asker)
        self._patience = patience or Patience()
        self._on_state, self._on_wait, self._knock = on_state, on_wait, knock
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
            SilentError: the link is well, and the command hangs; asked twice where that does no harm.
            TunetuiError: the command ended with a status other than 0 and said nothing on stdout.
        """
        backoff, until, twice = _FIRST_BACKOFF_SECONDS, time.monotonic() + self._patience.ask_seconds, False
        with Wait(self.host, allowance(arguments).words, self._on_wait) as wait:
            async with self._asking:
                while True:
                    try:
                        return await self._ask(arguments, stdin, allowance(arguments), twice=twice)
                    except SilentError:
                        if twice or not allowance(arguments).again:
                            raise
                        wait.again()
                        twice = True
                        continue
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

    async def _ask(self, arguments: Sequence[str], stdin: bytes, allowed: Allowance, *, twice: bool) -> bytes:
        channel, silence = await self._begin(arguments), Silence(allowed.silent_seconds)
        try:
            answer = await silence.limit(self._answer(channel, stdin, silence.heard))
        except TimeoutError:
            await self._end(channel)
            raise SilentError(self.host, allowed.words, allowed.silent_seconds, twice=twice) from None
        finally:
            said = await channel.close()
        if channel.exit_status is None:
            raise LinkLostError(self.host, None)
        if channel.exit_status and not answer.strip():
            raise TunetuiError(
                f"the agent's {arguments[0]} on {self.host} ended with status {channel.exit_status}: {said[-2000:]}"
            )
        return answer

    async def _answer(self, channel: Channel, stdin: bytes, heard: Callable[[], None]) -> bytes:
        """All that a command says, which is told ``stdin``, until it is over."""
        answer = bytearray()
        sending = asyncio.create_task(_send(channel, stdin, heard))
        try:
            while data := await channel.read():
                heard()
                answer += data
                if len(answer) > MAX_ANSWER_BYTES:
                    raise TunetuiError(f"the agent on {self.host} answered with over {MAX_ANSWER_BYTES >> 20} MiB")
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await channel.finished()
        return bytes(answer)

    async def _end(self, channel: Channel) -> None:
        """End a command that hangs; by another one where its server passes no signals on, as OpenSSH does not to root's."""
        channel.kill()
        try:
            await within(_KILL_SECONDS, channel.finished())
        except TimeoutError:
            channel.abandon()
        else:
            return
        if channel.process is None or self._way is None:
            return
        command = ending_command(channel.process)
        try:
            ending = await within(_END_SECONDS, Channel.start(self._way.connection, self.host, command))
            try:
                await within(_END_SECONDS, ending.finished())
            finally:
                ending.abandon()
        except FOREIGN:  # whatever hangs there may let this hang as well
            return

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
                channel = await within(self._patience.bootstrap_seconds, self._begun(connection, talk))
            except TimeoutError:  # of a connection that is well: whether it is, is asked every second
                self._spares.drop()
                words = f"{allowance(arguments).words}: python3 there did not begin"
                raise SilentError(self.host, words, self._patience.bootstrap_seconds) from None
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

    async def _begun(self, connection: SSHClientConnection, talk: Conversation) -> Channel:
        """A channel at whose other end the agent is, or is known not to be."""
        channel = await self._channel(connection, talk)
        try:
            self._was_there = await talk.carry_out(channel)
        except BaseException:
            channel.kill()
            channel.abandon()
            raise
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
            raise UnreachableError(
                f"{self.host}: the host opens no further session: {clean(str(error))}",
                code="sessions",
                hint="MaxSessions in its sshd_config limits how many GPUs can be followed at once; or is its process table full?",
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


async def _send(channel: Channel, stdin: bytes, heard: Callable[[], None]) -> None:
    """All of it, then its end; a command that ends before it has read everything says why by itself."""
    try:
        for start in range(0, len(stdin), _PIECE_BYTES):
            await channel.write(stdin[start : start + _PIECE_BYTES])
            heard()
        channel.end_input()
    except LinkLostError:
        return
