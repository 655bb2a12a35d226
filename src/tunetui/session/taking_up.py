"""Takes up a run that goes on somewhere, as the start that began it would: from what is kept of it here, or on its hosts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunetui.core.errors import InputError
from tunetui.session.adopting import adopt
from tunetui.session.asked import kept
from tunetui.session.attaching import Attached, Why
from tunetui.session.batch import Session
from tunetui.session.hands import deals, in_words
from tunetui.session.library import read_run
from tunetui.session.preparing import Preparing
from tunetui.session.run_life import journal_of, unended
from tunetui.session.spending import prices_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tunetui.core.snapshot import Run
    from tunetui.session.run_life import Reach


@dataclass(frozen=True)
class Attaching:
    """How a run is to be attached to."""

    reach: Reach
    hosts: Sequence[str] = ()  # where to look for one that was begun elsewhere
    stem: Path | None = None  # of the outputs; None: as begun
    command: str = ""
    preparing: Preparing = field(default_factory=Preparing)
    usd_per_hour: dict[str, float] = field(default_factory=dict)  # by host, where it is not as begun
    go_on: bool = False  # also with one that has ended, or that somebody has ended


async def attach(name: str, how: Attaching) -> Session | Attached:
    """Take up a run as the start that began it would: its agents are followed, what is left is dealt and measured.

    It is only followed, as an `Attached` that says why, where it has ended or was ended, where what it was asked is not
    kept, and where another tunetui on another machine has it in hand.

    Raises:
        InputError: there is no such run.
        RunHeldError: another tunetui on this machine has it in hand.
        TunetuiError: none of its hosts can be reached.
    """
    journal, why = await _journal_of(name, how)
    before, asked = await asyncio.to_thread(read_run, journal), kept(journal.parent)
    if why is None and before.ended is not None and not how.go_on:
        why = Why("it has ended")
    if asked is None:
        why = why or Why("it was begun by an earlier tunetui, which kept too little to go on with it")
    elif why is None:
        stem = {"output_stem": how.stem} if how.stem is not None else {}
        reached = {
            "links": how.reach.links,
            "asker": how.reach.asker,
            "preparing": how.preparing,
            "on_wait": how.reach.on_wait,
        }
        prices = {"usd_per_hour": asked.usd_per_hour | how.usd_per_hour}
        options = asked.options(run=journal.parent.name, command=how.command, **stem, **reached, **prices)
        session = await Session.open(options, how.reach.connect)
        if how.go_on or not _was_stopped(session.snapshot, unended(before)):
            return session
        why = Why("somebody has ended it")
        session.close()
        await session.disconnect()
    return await Attached.open(str(journal.parent), how.reach, stem=how.stem, command=how.command, why=why)


async def _journal_of(name: str, how: Attaching) -> tuple[Path, Why | None]:
    """The journal of a run kept here or begun for one that is kept on hosts; why it can only be followed, if so."""
    try:
        return journal_of(name), None
    except InputError:
        if not how.hosts:
            raise
    prices = prices_of(how.hosts, how.usd_per_hour, how.preparing.settings)
    adopted = await adopt(name, how.hosts, how.reach, prices)
    return adopted.journal, Why(deals(in_words(adopted.dealer)), in_other_hands=True) if adopted.dealer else None


def _was_stopped(run: Run, at_work: Collection[str]) -> bool:
    """Whether one of the agents that were at work before was ended by somebody, and none is at work now."""
    ends = [run.agents[source].ended for source in at_work if source in run.agents]
    return all(ends) and any(reason in {"stopped", "cancelled"} for reason in ends)
