"""The machines of an account in a list: those rented from here with their cost and work, then those of other means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunetui.session.rented_work import at_work

if TYPE_CHECKING:
    from tunetui.hosts.lambda_cloud.account import Account, Survey
    from tunetui.hosts.lambda_cloud.ledger import Entry
    from tunetui.hosts.lambda_cloud.shapes import Instance


BOOTING = "booting"
"""The status of a machine that is not there yet."""


@dataclass(frozen=True)
class Machine:
    """One machine; texts are clean."""

    name: str
    id: str  # "" where no instance of it is known
    launched_here: bool
    status: str  # Lambda's word, or the ledger's where Lambda has none
    type: str
    region: str
    ip: str
    usd_per_hour: float | None
    asked_at: float | None  # Unix seconds; None for those of other means
    usd_so_far: float | None  # at most, before tax
    runs: tuple[str, ...] = ()  # at work there, as far as is known here
    idle_since: float | None = None  # Unix seconds; None where there is work, or nothing is known


@dataclass(frozen=True)
class Listing:
    """The machines, and lines about those that are not what they seem."""

    machines: list[Machine]
    remarks: list[str]


async def list_machines(account: Account) -> Listing:
    """Ask the account, bring the ledger up to it, and look at the journals here.  Raises LambdaError, LedgerError."""
    found = await account.survey()
    ours = [_ours(entry, found, account.clock.now()) for entry in found.entries]
    return Listing(ours + [_theirs(each) for each in found.foreign], remarks(found))


def remarks(found: Survey) -> list[str]:
    """What a list of what is there does not show."""
    lines = [f"{entry.name} is gone: {entry.text}" for entry in found.ended]
    for entry in found.entries:
        if entry.state in {"asked", "unclear"}:
            lines.append(f"{entry.name} was asked for, and is not there (yet): {entry.text or 'no answer'}")
        elif entry in found.unseen_keys:
            lines.append(f"{entry.name} was launched with another key, which alone can see it")
    return lines


def _ours(entry: Entry, found: Survey, now: float) -> Machine:
    own, work = found.instances.get(entry.instance), at_work(entry.name)
    return Machine(
        name=entry.name,
        id=entry.instance,
        launched_here=True,
        status=own.status if own else "not seen" if entry in found.unseen_keys else entry.state,
        type=(own.type if own else "") or entry.type,
        region=(own.region if own else "") or entry.region,
        ip=(own.ip if own else "") or entry.ip,
        usd_per_hour=entry.usd_per_hour,
        asked_at=entry.asked_at,
        usd_so_far=entry.usd_until(now),
        runs=work.runs if work else (),
        idle_since=work.idle_since if work else None,
    )


def _theirs(own: Instance) -> Machine:
    return Machine(own.name, own.id, False, own.status, own.type, own.region, own.ip, own.usd_per_hour, None, None)
