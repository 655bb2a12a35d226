"""What can go wrong on the way to a host, in plain words with what to do about it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncssh

from tunetui.core.cleaning import clean
from tunetui.core.errors import AwayError, TunetuiError

if TYPE_CHECKING:
    from tunetui.core.routes import Hop, Route

FOREIGN = (OSError, asyncssh.Error, ValueError)
"""What asyncssh and the system raise on the way to a host (TimeoutError is an OSError)."""


class HostError(TunetuiError):
    """A host that cannot be used; ``code`` is stable."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class UnreachableError(HostError, AwayError):
    """A host that does not answer at this moment: to try again may help."""


class BrokenError(UnreachableError):
    """A connection that broke while it was made, before anybody was let in or turned away: that says nothing of the host."""


class LinkLostError(AwayError, ConnectionError):
    """A link that was there is gone; a `ConnectionError`, so that whoever follows a run attaches again."""

    def __init__(self, host: str, reason: BaseException | None) -> None:
        said = "" if reason is None else clean(str(reason)) or type(reason).__name__
        super().__init__(f"the link to {host} was lost{f' ({said})' if said else ''}")

    def __str__(self) -> str:
        return self.message


def on_the_way(route: Route, position: int) -> str:
    """What a message begins with: the host, and the hop if there are several."""
    if len(route.hops) == 1:
        return route.name
    hop = route.hops[position]
    return f"{route.name}, hop {position + 1} of {len(route.hops)} ({hop.name})"


def explain(error: BaseException, where: str, hop: Hop, timeout_seconds: float) -> HostError:
    """A failure to connect, told apart by what the user can do about it."""
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            f"{where}: there is no host called {hop.address} (its name has no address)",
            code="dns",
            hint="check the spelling, or name it in ~/.ssh/config with its HostName",
        )
    if isinstance(error, TimeoutError):
        return UnreachableError(
            f"{where}: {hop.place} did not answer within {timeout_seconds:g} s",
            code="timeout",
            hint="is the machine on, and does its firewall let port "
            f"{hop.port} through? a rented one may still be starting",
        )
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(
            f"{where}: nothing listens at {hop.place}",
            code="refused",
            hint="is sshd running there, and is the port right? a rented machine may still be starting",
        )
    if isinstance(error, asyncssh.Error):
        return _explain_protocol(error, where, hop)
    if isinstance(error, OSError) and error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}:
        return UnreachableError(
            f"{where}: there is no way to {hop.place}: {error.strerror}", code="unreachable", hint="is the network up?"
        )
    if isinstance(error, ConnectionError):
        return _broken(where, hop)
    return UnreachableError(f"{where}: cannot connect to {hop.place}: {clean(str(error))}", code="connect")


def _explain_protocol(error: asyncssh.Error, where: str, hop: Hop) -> HostError:
    said = clean(error.reason or str(error))
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return HostError(f"{where}: no algorithm in common with {hop.place}: {said}", code="algorithms")
    if isinstance(error, asyncssh.ProtocolNotSupported):
        return HostError(
            f"{where}: what listens at {hop.place} does not speak SSH 2", code="not-ssh", hint="is the port right?"
        )
    if isinstance(error, asyncssh.ConnectionLost):
        return _broken(where, hop)
    if isinstance(error, asyncssh.ChannelOpenError):  # a jump host that cannot reach the next hop
        return UnreachableError(
            f"{where}: the hop before it cannot reach {hop.place}: {said}",
            code="jump",
            hint="try ssh through the same jump host",
        )
    return HostError(f"{where}: the connection to {hop.place} failed: {said}", code="protocol")


def _broken(where: str, hop: Hop) -> BrokenError:
    return BrokenError(
        f"{where}: {hop.place} closed the connection before it was made",
        code="closed",
        hint="a machine that is starting does this, and so does an sshd with too many connections under way",
    )


def revoked(where: str, hop: Hop) -> HostError:
    """A key that known_hosts warns of."""
    return HostError(
        f"{where}: {hop.place} shows a host key that is revoked in known_hosts; nothing was sent to it",
        code="host-key-revoked",
        hint="ask whoever runs the machine; a line that begins with @revoked names the key",
    )


def refused_keys(where: str, hop: Hop, tried: Sequence[str], *, too_many: bool) -> HostError:
    """No key was accepted."""
    keys = ", ".join(tried) or "no key at all"
    if too_many:
        return HostError(
            f"{where}: {hop.place} gave up after too many keys for user {hop.user}; tried: {keys}",
            code="too-many-keys",
            hint="offer one key only: in ~/.ssh/config, below this host, set IdentityFile and IdentitiesOnly yes",
        )
    hint = f"is the public key in ~{hop.user}/.ssh/authorized_keys there, and is {hop.user!r} the right user?"
    if not tried:
        hint = "name a key by IdentityFile in ~/.ssh/config, or load one into ssh-agent (ssh-add)"
    return HostError(
        f"{where}: {hop.place} accepted no key for user {hop.user}; tried: {keys}", code="refused-keys", hint=hint
    )
