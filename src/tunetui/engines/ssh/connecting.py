"""One connection to a host, hop by hop: keys checked both ways, every failure explained, nothing sent to a stranger."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncssh

from tunetui.core.starting import start_process
from tunetui.engines.ssh.described import USED_KEY
from tunetui.engines.ssh.failures import FOREIGN, explain, on_the_way, refused_keys, revoked
from tunetui.engines.ssh.keys import KeyRing, Keys

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection, SSHKey, SSHKeyPair

    from tunetui.core.routes import Hop, Route
    from tunetui.engines.ssh.host_keys import HostKeys

_FAREWELL_SECONDS = 1.0


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

    def __init__(self, keys: Keys) -> None:
        self.shown: SSHKey | None = None
        self._keys = keys

    def connection_made(self, conn: SSHClientConnection) -> None:
        """Keys are offered at once: to ask first which ways in there are costs a round trip, and only one will do."""
        ask = conn.try_next_auth

        def offer(*, next_method: bool = False) -> None:
            if getattr(conn, "_auth_methods", None) == [b"none"] and not next_method:
                conn._auth_methods = [b"publickey"]  # noqa: SLF001 - asyncssh has no option for this; a test looks
            ask(next_method=next_method)

        conn.try_next_auth = offer  # type: ignore[method-assign]
        self._sign_at_once(conn)

    def _sign_at_once(self, conn: SSHClientConnection) -> None:
        """A key that was accepted before is not asked about again; if it is refused now, the next one is offered."""
        send = conn.send_userauth_request

        async def sign(method: bytes, *args: bytes, key: Any = None, trivial: bool = True) -> None:
            pair = self._keys.sure if method == b"publickey" and key is None else None
            if pair is not None:
                with contextlib.suppress(ValueError):  # an agent that does not sign: asked about first, as ever
                    await send(method, b"\x01", *args[1:], key=pair, trivial=False)
                    return
            await send(method, *args, key=key, trivial=trivial)

        conn.send_userauth_request = sign  # type: ignore[method-assign]

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
        for connection in reversed(self.connections):
            connection.close()
            try:
                await asyncio.wait_for(connection.wait_closed(), _FAREWELL_SECONDS)
            except FOREIGN:
                connection.abort()
        for command in self.commands:  # its streams have ended, so it ends
            try:
                await asyncio.wait_for(command.wait(), _FAREWELL_SECONDS)
            except TimeoutError:
                command.kill()
                await command.wait()


async def connect(route: Route, host_keys: HostKeys, ring: KeyRing, patience: Patience) -> Way:
    """A connection to the last hop, carried by those to the hops before it.

    Raises HostError; whatever was opened is closed then.
    """
    way = Way()
    try:
        for position, hop in enumerate(route.hops):
            dialing = _Dialing(on_the_way(route, position), hop, host_keys, ring, patience, way)
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

    async def connect(self) -> SSHClientConnection:
        try:
            await self._keys.load()
            while True:
                connection = await self._try()
                if connection is not None:
                    break
        finally:
            self._keys.close()
        if self._pinned is not None:
            self._host_keys.remember(self._hop, self._pinned)
        self._keys.accepted()
        connection.set_extra_info(**{USED_KEY: self._keys.used})
        return connection

    async def _try(self) -> SSHClientConnection | None:
        """One connection, or None where an answer of the user makes another try worthwhile."""
        known = self._host_keys.known(self._hop)
        trusted = [self._pinned] if self._pinned is not None else known.trusted
        client = _Client(self._keys)
        self._keys.begin()
        try:
            return await asyncssh.connect(
                self._hop.address,
                self._hop.port,
                client_factory=lambda: client,
                known_hosts=lambda *_: (trusted, known.authorities, known.revoked),
                host_key_alias=self._hop.host_key_alias or None,
                server_host_key_algs=known.algorithms,
                **await self._carrier(),
                **self._options(),
            )
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

    async def _carrier(self) -> dict[str, Any]:
        """What carries the connection: the hop before, the user's own proxy command, or TCP."""
        if not self._hop.proxy_command:
            return {"tunnel": self._way.connections[-1] if self._way.connections else None}
        ours, its = socket.socketpair()
        with its:
            shell = os.environ.get("SHELL") or "/bin/sh"
            command = await start_process(  # as ssh runs it, but with no terminal to write to
                shell, "-c", f"exec {self._hop.proxy_command}",
                stdin=its.fileno(), stdout=its.fileno(), stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
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
        }
