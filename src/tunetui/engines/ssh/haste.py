"""Saves round trips of asyncssh's handshake that nothing depends on; the host's key is checked before any of it.

RFC 4253 and 4252 let a client go on without waiting for each answer once the server has shown its key.  asyncssh has no option
for that, so one connection's methods are exchanged here, and only of the releases whose methods these are: with others, and with
servers other than OpenSSH, all is as asyncssh does it.
"""

# ruff: noqa: SLF001 - inner workings are what this is about

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.packet import String

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asyncssh import SSHClientConnection

    from tunetui.engines.ssh.keys import Keys

_EXT_INFO, _SERVICE_ACCEPT, _USERAUTH_FAILURE, _CHANNEL_OPEN = 7, 6, 51, 90
_AUTHENTICATION = b"ssh-userauth"
IS_KNOWN = tuple(map(int, asyncssh.__version__.split(".")[:2])) == (2, 24)
"""Whether asyncssh's inner workings are those that this module knows."""


class Haste:
    """One connection's handshake."""

    def __init__(
        self, connection: SSHClientConnection, keys: Keys, on_login: Callable[[SSHClientConnection], None]
    ) -> None:
        """``on_login`` is called once a login that should succeed is under way: channels can be opened behind it."""
        self._connection: Any = connection
        self._keys, self._on_login = keys, on_login
        self._begun = False  # to log in, before we were told that we may
        self._is_late = False  # to be told that we may
        self._ahead: list[tuple[int, tuple[bytes, ...]]] = []  # sent behind a login that is not confirmed yet
        self._may_go_ahead = False
        self._next_auth = self._connection.try_next_auth
        self._request, self._send = self._connection.send_userauth_request, self._connection.send_packet

    def begin(self, *, version_said: bool) -> None:
        """Take part in the handshake; ``version_said``: its first line was sent already."""
        if not IS_KNOWN:
            return
        if version_said:
            self._connection._send_version = self._version_was_said
        self._connection.try_next_auth = self._try_next_auth
        self._connection.send_userauth_request = self._send_userauth_request
        self._connection.send_packet = self._send_packet
        handlers = dict(self._connection._packet_handlers)
        for kind, ours in (
            (_EXT_INFO, self._after_ext_info),
            (_SERVICE_ACCEPT, self._at_service_accept),
            (_USERAUTH_FAILURE, self._before_refusal),
        ):
            handlers[kind] = ours(handlers[kind])
        self._connection._packet_handlers = handlers

    def _version_was_said(self) -> None:
        version = b"SSH-2.0-" + self._connection._version
        self._connection._client_version = version
        self._connection.set_extra_info(client_version=version.decode("ascii"))

    # ------------------------------------------------------------------ logging in

    def _after_ext_info(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The server has said which signatures it takes, right behind its keys: nothing is missing for a login."""

        def ext_info(connection: Any, *packet: Any) -> Any:
            done = handler(connection, *packet)
            if not self._begun and self._is_openssh and connection._next_service == _AUTHENTICATION:
                self._begun = connection._auth_in_progress = True
                self._try_next_auth()
            return done

        return ext_info

    def _at_service_accept(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """The answer to our request for the service comes when the login that it allows is under way."""

        def service_accept(connection: Any, *packet: Any) -> Any:
            self._is_late = self._begun
            try:
                return handler(connection, *packet)
            finally:
                self._is_late = False

        return service_accept

    def _try_next_auth(self, *, next_method: bool = False) -> None:
        """Keys are offered at once: to ask first which ways in there are costs a round trip, and only one will do."""
        if self._is_late:
            return
        if self._connection._auth_methods == [b"none"] and not next_method:
            self._connection._auth_methods = [b"publickey"]
        self._next_auth(next_method=next_method)

    async def _send_userauth_request(self, method: bytes, *args: bytes, key: Any = None, trivial: bool = True) -> None:
        """To ask whether a key would do costs a round trip: where a signature costs nobody anything, it is sent at once."""
        pair = self._keys.sure if method == b"publickey" and key is None else None
        if pair is not None:
            with contextlib.suppress(ValueError):  # an agent that does not sign: asked about first, as ever
                await self._request(method, b"\x01", *args[1:], key=pair, trivial=False)
                self._logged_in_probably()
                return
        await self._request(method, *args, key=key, trivial=trivial)

    # ------------------------------------------------------------------ opening channels

    def _logged_in_probably(self) -> None:
        if self._is_openssh:
            self._may_go_ahead = True
            self._on_login(self._connection)

    def _send_packet(self, kind: int, *args: bytes, handler: Any = None) -> None:
        connection = self._connection
        if kind != _CHANNEL_OPEN or not self._may_go_ahead or connection._auth_complete:
            self._send(kind, *args, handler=handler)
            return
        self._ahead.append((kind, args))
        connection._auth_complete = True
        try:
            self._send(kind, *args, handler=handler)
        finally:
            connection._auth_complete = False

    def _before_refusal(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        """OpenSSH passes over what came behind a login that fails: it is said again when one succeeds."""

        def refused(connection: Any, *packet: Any) -> Any:
            connection._deferred_packets[:0] = self._ahead
            self._ahead, self._may_go_ahead = [], False
            return handler(connection, *packet)

        return refused

    @property
    def _is_openssh(self) -> bool:
        return bytes(self._connection._server_version).startswith(b"SSH-2.0-OpenSSH_")


async def open_session(
    connection: SSHClientConnection, session: asyncssh.SSHClientSession[bytes], orders: Awaitable[str]
) -> None:
    """As `SSHClientConnection.create_session` for bytes, but that the channel is opened before its command is known.

    Raises what asyncssh raises.
    """
    inner: Any = connection
    options = inner._options
    inner._update_recv_pktlen(options.max_pktsize)
    channel: Any = asyncssh.SSHClientChannel(
        connection, inner._loop, inner._utf8_decode_errors, None, "strict", options.window, options.max_pktsize
    )
    (await channel._open(b"session")).check_end()
    channel._session = session
    session.connection_made(channel)
    command = channel._command = await orders
    if not await channel._make_request(b"exec", String(command)):
        channel.close()
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_REQUEST_SESSION_FAILED, "Session request failed")
    session.session_started()
    inner.create_task(channel._start_reading(), channel.logger)
