"""Options of every command that works on other machines: whom to trust, and what to send."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunetui.cli.arguments.printing import declare_no_color


def declare_hosts(parser: argparse.ArgumentParser) -> None:
    """Where to measure, and whom to trust."""
    declare_trust(parser).add_argument(
        "--host", metavar="NAME", action="append", default=[], dest="hosts",
        help="measure there, over SSH: an alias of ~/.ssh/config, user@name:port, or local for this machine; repeatable",
    )  # fmt: skip


def declare_artifacts(parser: argparse._ActionsContainer) -> None:
    """What was compiled elsewhere."""
    parser.add_argument(
        "--artifacts", metavar="FILE", type=Path, action="append", default=[],
        help="a bundle that tunetui build wrote: the host needs no compiler for what it holds; repeatable",
    )  # fmt: skip


def declare_reaching(parser: argparse.ArgumentParser) -> None:
    """The same, for a command that measures nothing itself."""
    declare_no_color(parser)
    declare_trust(parser)


def declare_trust(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Whom to trust and what to send; for every command that works on other machines."""
    hosts = parser.add_argument_group("hosts")
    hosts.add_argument(
        "--offline-wheels", metavar="DIR", nargs="?", const="",
        help="hosts have no way out: send what their Python needs over the link; fetched here, or taken from DIR",
    )  # fmt: skip
    hosts.add_argument(
        "--host-key", metavar="SHA256:...", action="append", default=[], dest="host_keys",
        help="trust an unknown host that shows a key with this fingerprint; repeatable",
    )  # fmt: skip
    hosts.add_argument(
        "--accept-new-host-key", action="store_true",
        help="trust whatever key an unknown host shows; one that has changed is refused all the same",
    )  # fmt: skip
    return hosts
