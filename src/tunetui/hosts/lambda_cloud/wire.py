"""One request to Lambda Cloud and its answer, by the standard library: TLS checked, redirects not followed, time bounded."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import socket
import ssl
import urllib.parse
import urllib.request
from dataclasses import dataclass, field

import tunetui
from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError
from tunetui.core.waiting import within
from tunetui.hosts.lambda_cloud.key import ApiKey

BASE = "https://cloud.lambda.ai"
VARIABLE = "TUNETUI_LAMBDA_URL"
"""Names another server: https, or http on this very machine."""
CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 30.0
_MOST_BYTES = 16 << 20
_LONGEST_WAIT_SECONDS = 120.0


class NotSentError(Exception):
    """No connection came about: the server has not heard of the request."""


class NoAnswerError(Exception):
    """The request may have arrived; what became of it is not known."""


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: bytes = field(repr=False, default=b"")  # may hold secrets of instances
    retry_after_seconds: float | None = None
    redirect: str = ""  # the host that it points to


@dataclass(frozen=True)
class Server:
    """Where requests go."""

    host: str
    port: int
    tls: bool
    path: str = ""


def server_of(url: str) -> Server:
    """The server of an address: https, or http on loopback.  Raises InputError."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urllib.parse.urlsplit("")
    plain = parts.scheme == "http" and _is_loopback(host)
    if not host or not (parts.scheme == "https" or plain) or parts.username or parts.query or parts.fragment:
        raise InputError(
            f"{VARIABLE}: {clean(url[:200])!r} is no address to send a key to", hint="https://..., or http on loopback"
        )
    return Server(host, port or (80 if plain else 443), not plain, parts.path.rstrip("/"))


class Wire:
    """The way to one server; every request has a connection of its own."""

    def __init__(self, server: Server, key: ApiKey, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._server, self._key, self._answer_seconds = server, key, answer_seconds

    async def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request, once.

        Raises:
            NotSentError: no connection; nothing was sent.
            NoAnswerError: it was sent, wholly or in part, and no whole answer came.
        """
        exchange = _Exchange(self._server, self._key.header(), self._answer_seconds)
        working = asyncio.ensure_future(asyncio.to_thread(exchange.run, method, path, body))
        try:
            return await within(CONNECT_SECONDS + self._answer_seconds, asyncio.shield(working))
        except TimeoutError:
            exchange.abandon()
            await asyncio.wait({working})
            if working.exception() is None:
                return working.result()
            raise NoAnswerError("no answer in time") from None
        except asyncio.CancelledError:
            exchange.abandon()
            await asyncio.wait({working})
            working.exception()
            raise


class _Exchange:
    """Connects, sends, receives, in a thread; abandoned from another."""

    def __init__(self, server: Server, authorization: str, answer_seconds: float) -> None:
        self._server, self._authorization, self._answer_seconds = server, authorization, answer_seconds
        self._connection = _connection(server)

    def __repr__(self) -> str:
        return "_Exchange()"

    def run(self, method: str, path: str, body: bytes | None) -> Answer:
        connection = self._connection
        try:
            connection.connect()
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            connection.close()
            raise NotSentError(_in_words(error, self._server)) from None
        connection.sock.settimeout(self._answer_seconds)
        try:
            connection.request(method, self._server.path + path, body, self._headers(body))
            response = connection.getresponse()
            content = response.read(_MOST_BYTES + 1)
            if len(content) > _MOST_BYTES:
                raise NoAnswerError(f"an answer of over {_MOST_BYTES >> 20} MiB")
            return Answer(response.status, content, _wait_of(response.headers), _redirect_of(response))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswerError(_in_words(error, self._server)) from None
        finally:
            connection.close()

    def abandon(self) -> None:
        """Wake the thread, whatever it waits for."""
        line = self._connection.sock
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Authorization": self._authorization,
            "Connection": "close",
            "User-Agent": f"tunetui/{tunetui.__version__}",
        }
        return headers if body is None else {**headers, "Content-Type": "application/json"}


def _connection(server: Server) -> http.client.HTTPConnection:
    if not server.tls:
        return http.client.HTTPConnection(server.host, server.port, timeout=CONNECT_SECONDS)
    proxy = _proxy(server.host)
    host, port = proxy or (server.host, server.port)
    context = ssl.create_default_context()
    connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_SECONDS, context=context)
    if proxy:
        connection.set_tunnel(server.host, server.port)  # end to end: the proxy sees neither key nor answer
    return connection


def _proxy(host: str) -> tuple[str, int] | None:
    """The proxy that the environment names for https, as for every other program."""
    url = "" if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get("https", "")
    parts = urllib.parse.urlsplit(url if "//" in url else f"//{url}")
    return (parts.hostname, parts.port or 8080) if parts.hostname else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wait_of(headers: http.client.HTTPMessage) -> float | None:
    text = headers.get("Retry-After", "") or ""
    return min(float(text), _LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() else None


def _redirect_of(response: http.client.HTTPResponse) -> str:
    if not 300 <= response.status < 400:
        return ""
    try:
        return clean(urllib.parse.urlsplit(response.headers.get("Location", "")).hostname or "")[:200] or "elsewhere"
    except ValueError:
        return "elsewhere"


def _in_words(error: Exception, server: Server) -> str:
    """Never the error's own text unless the system wrote it: it could quote what was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {server.host} is not to be trusted ({clean(error.verify_message)})"
    if isinstance(error, ssl.SSLError):
        return f"{server.host} speaks no TLS that can be used ({clean(error.reason or 'no reason given')})"
    if isinstance(error, socket.gaierror):
        return f"{server.host} has no address here: is there a network?"
    if isinstance(error, TimeoutError):
        return f"{server.host} does not answer"
    if isinstance(error, OSError) and error.strerror:
        return f"{server.host}: {clean(error.strerror)}"
    return f"{server.host} broke off ({type(error).__name__})"
