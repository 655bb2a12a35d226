"""How a host is reached: the hops of one SSH connection, each with everything that OpenSSH would use for it."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = "local"
"""The name of this very machine, which needs no route."""


@dataclass(frozen=True)
class Hop:
    """One SSH server on the way."""

    name: str  # as the user or the configuration wrote it
    address: str  # a name or an IP address
    port: int
    user: str
    host_key_alias: str = ""  # what known_hosts calls it, if not by its address
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str = ""  # path of the agent's socket; "": none
    known_hosts: tuple[str, ...] = ()  # the user's files; a newly accepted key goes into the first
    global_known_hosts: tuple[str, ...] = ()
    hash_known_hosts: bool = False
    proxy_command: str = ""  # for the user's shell, its tokens already replaced
    connect_timeout_seconds: float | None = None

    @property
    def known_as(self) -> str:
        """Its name in known_hosts, as OpenSSH writes it."""
        if self.host_key_alias:
            return self.host_key_alias
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def place(self) -> str:
        """For people: "127.0.0.1 port 2222"."""
        return f"{self.address} port {self.port}"


@dataclass(frozen=True)
class Route:
    """The way to one host: jump hosts first, the host itself last."""

    name: str
    hops: tuple[Hop, ...]
