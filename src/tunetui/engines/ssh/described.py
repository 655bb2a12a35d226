"""What there is to say of a connection: where it leads, whom it reached, and with which key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunetui.core.cleaning import clean
from tunetui.core.links import Reached

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

    from tunetui.core.routes import Route

USED_KEY = "tunetui_used_key"
"""Where a connection keeps the name of the key that logged in."""


def describe(route: Route, connection: SSHClientConnection) -> Reached:
    """The last hop's connection in words."""
    key = connection.get_server_host_key()
    hops = [f"{hop.name} ({hop.place})" for hop in route.hops[:-1]]
    last = route.hops[-1]
    return Reached(
        address=clean(f"{last.user}@{last.address} port {last.port}"),
        via=tuple(map(clean, hops)),
        host_key=clean(f"{key.get_algorithm()} {key.get_fingerprint()}") if key is not None else "",
        login=clean(str(connection.get_extra_info(USED_KEY, "") or "")),
        server=clean(str(connection.get_extra_info("server_version", ""))),
    )
