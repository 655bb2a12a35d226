"""Machines rented through tunetui, as the ledger on this machine knows them: which there are, and how they are reached."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.store.runs import runs_root

if TYPE_CHECKING:
    from pathlib import Path

    from tunetui.core.routes import Route
    from tunetui.hosts.lambda_cloud.ledger import Entry

NAMES_BEGIN = "tunetui-"


def rented_folder() -> Path:
    """Where the ledger is kept: ``$XDG_DATA_HOME/tunetui/lambda``."""
    return runs_root().parent / "lambda"


def open_ledger() -> Ledger:
    """The ledger of this user on this machine."""
    return Ledger(rented_folder())


def rented(name: str) -> Entry | None:
    """The machine that tunetui rented under this very name; None for every other host.  Raises LedgerError."""
    return open_ledger().entries().get(name) if name.startswith(NAMES_BEGIN) else None


def led_to(entry: Entry, route: Route) -> Route:
    """The route to a rented machine, from what ssh says of its name.

    Its host key is kept under its id: addresses are rented out again, with other keys.

    Raises:
        TunetuiError: it is gone, or has no address yet.
    """
    if not entry.is_open:
        raise TunetuiError(
            f"{entry.name} is not rented any more: {entry.text or entry.state}",
            hint="tunetui lambda list shows what is",
        )
    if not entry.ip:
        raise TunetuiError(f"{entry.name} has no address yet", hint=f"tunetui lambda wait {entry.name}")
    own = (entry.identity_file,) if entry.identity_file else ()
    last = route.hops[-1]
    hop = replace(
        last,
        address=entry.ip,
        user=entry.user,
        host_key_alias=f"lambda-{entry.instance}",
        identity_files=(*own, *(path for path in last.identity_files if path not in own)),
    )
    return replace(route, hops=(*route.hops[:-1], hop))
