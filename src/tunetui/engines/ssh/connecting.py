"""One connection to a host, hop by hop: keys checked both ways, every failure explained, nothing sent to a stranger."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncssh

from tunetui.core.starting import end_process, start_process
from tunetui.core.waiting import Cancellation, within
from tunetui.engines.ssh.described import USED_KEY
from tunetui.engines.ssh.failures import FOREIGN, BrokenError, explain, on_the_way, refused_keys, revoked
from tunetui.engines.ssh.haste import IS_KNOWN, Haste
from tunetui.engines.ssh.keys import KeyRing, Keys
from tunetui.engines.ssh.knocking import CLIENT_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from asyncssh import SSHClientConnection, SSHKey, SSHKeyPair

    from tunetui.core.routes import Hop, Route
    from tunetui.engines.ssh.host_keys import HostKeys
    from tunetui.engines.ssh.knocking import Knock

    OnLogin = Callable[[SSHClientConnection], None]
    OnBreak = Callable[[str], None]

_FAREWELL_SECONDS = 1.0
_PAUSE_SECONDS = 0.3
"""After a connection that broke while it was made, before the one other try."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what; tests are impatient."""

    connect_seconds: float = 15.0  # from TCP to authentication, where the SSH configuration says nothing
    bootstrap_seconds: float = 30.0  # for the first word of a command
    ask_seconds: float = 30.0  # how long a command is asked again over new links before it is given up
    keepalive_seconds: float = 1.0
    keepalives_missed: int = 3  # a silent link is given up after one more than these


class _Client(asyncssh.SSHClient):
    """Shows the host's key to nobody but us, and offers keys one by one."""

    def __init__(self, keys: Keys, on_login: OnLogin) -> None:
        self.shown: SSHKey | None = None
        self.knocked = False  # our version was said before asyncssh had the socket
        self._keys, self._on_login = keys, on_login

    def connection_made(self, conn: SSHClientConnection) -> None:
        Haste(conn, self._keys, self._on_login).begin(version_said=self.knocked)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
        self.shown = key  # whether it is trusted is asked between two connections
        return False

    def public_key_auth_requested(self) -> SSHKeyPair | None:
        return self._keys.next()


class Way:
    """Everything that is open for one host: its connection, those to the hops before it, and proxy commands."""

    def __init__(self) -> None:
        self.connections: list[SSHClientConnection] = []
        self.commands: list[asyncio.subprocess.Process] = []

    @property
    def connection(self) -> SSHClientConnection:
        """To the host itself."""
        return self.connections[-1]

    def abort(self) -> None:
        """Let go of all of it at once."""
        for connection in reversed(self.connections):
            connection.abort()

    async def close(self) -> None:
        """Let go of all of it in good order, as far as the other side takes part in that."""
        try:
            for connection in reversed(self.connections):
                connection.close()
                try:
                    await within(_FAREWELL_SECONDS, connection.wait_closed())
                except FOREIGN:
                    connection.abort()
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            for command in self.commands:  # its streams have ended, so it ends
                await end_process(command, _FAREWELL_SECONDS)


async def connect(
    route: Route,
    host_keys: HostKeys,
    ring: KeyRing,
    patience: Patience,
    on_login: OnLogin = lambda _: None,
    knock: Knock | None = None,
    on_break: OnBreak | None = None,
) -> Way:
    """A connection to the last hop, carried by those to the hops before it.

    ``on_login`` is called when a login at the last hop is under way that should succeed, with the connection that it is for;
    ``knock`` is what was begun of the way to the first hop.  ``on_break`` is told, in words, that a connection broke while
    it was made and is tried once more; without it there is no other try.

    Raises HostError; whatever was opened is closed then.
    """
    way = Way()
    try:
        for position, hop in enumerate(route.hops):
            where, is_last = on_the_way(route, position), hop is route.hops[-1]
            dialing = _Dialing(where, hop, host_keys, ring, patience, way)
            dialing.on_login = on_login if is_last else dialing.on_login
            dialing.on_break = on_break
            dialing.knock, knock = knock, None
            way.connections.append(await dialing.connect())
    except BaseException:
        way.abort()
        await way.close()
        raise
    return way


class _Dialing:
    """The way to one hop, tried again after each answer of the user."""

    def __init__(self, where: str, hop: Hop, host_keys: HostKeys, ring: KeyRing, patience: Patience, way: Way) -> None:
        self._where, self._hop, self._host_keys, self._patience, self._way = where, hop, host_keys, patience, way
        self._keys = Keys(hop, ring)
        self._pinned: SSHKey | None = None  # the very key that the user was shown
        self._timeout_seconds = hop.connect_timeout_seconds or patience.connect_seconds
        self.on_login: OnLogin = lambda _: None
        self.on_break: OnBreak | None = None  # taken by the first connection that breaks
        self.knock: Knock | None = None  # taken by the first try

    async def connect(self) -> SSHClientConnection:
        try:
            await self._keys.load()
            while True:
                try:
                    connection = await self._try()
                except BrokenError as error:
                    await self._recover(error)
                    continue
                if connection is not None:
                    break
        finally:
            self._keys.close()
            if self.knock is not None:
                self.knock.forget()
        if self._pinned is not None:
            self._host_keys.remember(self._hop, self._pinned)
        self._keys.accepted()
        connection.set_extra_info(**{USED_KEY: self._keys.used})
        return connection

    async def _recover(self, error: BrokenError) -> None:
        """Wait a little before another try, if there is to be one.  Raises ``error`` where there is none."""
        on_break, self.on_break = self.on_break, None
        if on_break is None:
            raise error
        on_break(f"the connection to {self._where} broke while it was made; trying once more")
        await asyncio.sleep(_PAUSE_SECONDS)

    async def _try(self) -> SSHClientConnection | None:
        """One connection, or None where an answer of the user makes another try worthwhile."""
        known = self._host_keys.known(self._hop)
        trusted = [self._pinned] if self._pinned is not None else known.trusted
        client = _Client(self._keys, self.on_login)
        self._keys.begin()
        cancellation = Cancellation()
        try:
            connection = await asyncssh.connect(
                self._hop.address,
                self._hop.port,
                client_factory=lambda: client,
                known_hosts=lambda *_: (trusted, known.authorities, known.revoked),
                host_key_alias=self._hop.host_key_alias or None,
                server_host_key_algs=known.algorithms,
                **await self._carrier(client),
                **self._options(),
            )
            if cancellation.came:  # which asyncssh's own wait may have forgotten
                connection.abort()
                cancellation.check()
            return connection
        except asyncssh.HostKeyNotVerifiable as error:
            if "revoked" in str(error):
                raise revoked(self._where, self._hop) from None
            if client.shown is None or self._pinned is not None:
                raise explain(error, self._where, self._hop, self._timeout_seconds) from None
            await self._host_keys.judge(self._where, self._hop, client.shown, known)
            self._pinned = client.shown
            return None
        except asyncssh.PermissionDenied:
            if await self._keys.unlock():
                return None
            raise refused_keys(self._where, self._hop, self._keys.tried, too_many=False) from None
        except FOREIGN as error:
            if "too many authentication failures" in str(error).lower():
                raise refused_keys(self._where, self._hop, self._keys.tried, too_many=True) from None
            raise explain(error, self._where, self._hop, self._timeout_seconds) from None

    async def _carrier(self, client: _Client) -> dict[str, Any]:
        """What carries the connection: the hop before, the user's own proxy command, or TCP, which may be there already."""
        knock, self.knock = self.knock, None
        if knock is not None and IS_KNOWN:
            client.knocked = True
            return {"sock": await knock.answered()}
        if knock is not None:  # asyncssh is to say the first line itself
            knock.forget()
        if not self._hop.proxy_command:
            return {"tunnel": self._way.connections[-1] if self._way.connections else None}
        ours, its = socket.socketpair()
        with its:
            shell = os.environ.get("SHELL") or "/bin/sh"
            try:
                command = await start_process(  # as ssh runs it, but with no terminal to write to
                    shell, "-c", f"exec {self._hop.proxy_command}",
                    stdin=its.fileno(), stdout=its.fileno(), stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
        self._way.commands.append(command)
        return {"sock": ours}

    def _options(self) -> dict[str, Any]:
        """Everything is said here: no configuration is read behind our back, and only keys are tried."""
        return {
            "config": None,
            "username": self._hop.user,
            "client_keys": None,
            "agent_path": None,
            "preferred_auth": "publickey",
            "password_auth": False,
            "kbdint_auth": False,
            "host_based_auth": False,
            "gss_kex": False,
            "gss_auth": False,
            "connect_timeout": self._timeout_seconds,
            "login_timeout": self._timeout_seconds,
            "keepalive_interval": self._patience.keepalive_seconds,
            "keepalive_count_max": self._patience.keepalives_missed,
            "compression_algs": None,
            "client_version": CLIENT_VERSION,
        }
