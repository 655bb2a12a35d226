"""The cloud of `tests.lambda_cloud.cloud` behind a real HTTP server on loopback."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.lambda_cloud.cloud import Cloud, Reply

_RESET = struct.pack("ii", 1, 0)
"""A socket that lingers for no time is closed with a reset."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud
    one_by_one: threading.Lock

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.one_by_one:
            reply = self.cloud.handle(self.command, self.path, headers, body)
        self.close_connection = True
        if reply.how == "whole":
            self._send(reply)
        elif reply.how == "held":
            with contextlib.suppress(OSError):
                self.connection.recv(1)  # until the client gives up
        elif reply.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    do_GET = do_POST = _serve  # noqa: N815 - the library's names

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        """Close without a farewell, so that a reset stays one."""
        request.close()


@contextlib.contextmanager
def served(cloud: Cloud) -> Iterator[str]:
    """The cloud's address while the block lasts."""
    handler = type("Handler", (_Handler,), {"cloud": cloud, "one_by_one": threading.Lock()})
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
