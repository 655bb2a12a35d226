"""Machines rented through tunetui, as the ledger on this machine knows them: which there are, and how they are reached."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tunetui.core.errors import TunetuiError
from tunetui.hosts.lambda_cloud.ledger import Ledger
from tunetui.hosts.ssh_config import resolve
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


async def route_to(entry: Entry, config_file: Path | None) -> Route:
    """The route to a rented machine, as ssh would take it to a ``Host`` of its name.

    Its host key is kept under its id: addresses are rented out again, with other keys.

    Raises:
        TunetuiError: it is gone, or has no address yet; or as `resolve` does.
    """
    if not entry.is_open:
        raise TunetuiError(
            f"{entry.name} is not rented any more: {entry.text or entry.state}",
            hint="tunetui lambda list shows what is",
        )
    if not entry.ip:
        raise TunetuiError(f"{entry.name} has no address yet", hint=f"tunetui lambda wait {entry.name}")
    route = await resolve(f"{entry.user}@{entry.name}", config_file, address=entry.ip)
    own = (entry.identity_file,) if entry.identity_file else ()
    last = route.hops[-1]
    files = (*own, *(path for path in last.identity_files if path not in own))
    hop = replace(last, host_key_alias=f"lambda-{entry.instance}", identity_files=files)
    return replace(route, hops=(*route.hops[:-1], hop))
