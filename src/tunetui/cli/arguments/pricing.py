"""Options of every command that says what measured devices would cost."""

from __future__ import annotations

import argparse

from tunetui.cli.arguments.values import at_least_one


def declare_prices(parser: argparse.ArgumentParser) -> None:
    """What hosts cost, and how many devices share that."""
    parser.add_argument(
        "--usd-per-hour", metavar="[NAME=]USD", action="append", default=[],
        help="price of a host, for all or for one model or host; repeatable (default: [hosts.NAME] in the settings, else what the run recorded)",
    )  # fmt: skip
    parser.add_argument(
        "--devices-per-host",
        metavar="N",
        type=at_least_one,
        default=1,
        help="that a host has and its price is for (default: 1)",
    )
