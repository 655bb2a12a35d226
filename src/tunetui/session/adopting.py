"""A run that was begun on another machine, taken up on this one: its journal begins with what its hosts keep of it."""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.events import HostsPriced, ProvenanceRecorded, RunPlanned, TrialsDealt, TrialsQueued
from tunetui.core.run import fold
from tunetui.core.snapshot import Run
from tunetui.engines.channel import ask_json
from tunetui.session.asked import Asked, keep, told
from tunetui.session.recounting import placed, recount
from tunetui.session.resuming import agents_name
from tunetui.store.journal import Journal, read_journal
from tunetui.store.runs import JOURNAL, RunFolder, runs_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tunetui.core.events import Price
    from tunetui.session.recounting import Left
    from tunetui.session.run_life import Reach


_AGENT = re.compile(r"[A-Za-z0-9_-]{1,80}(-[0-9a-f]{8}){3}")
"""Run folder, start, agent: what a host calls a run becomes the name of a folder here."""


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """A run whose journal is here now."""

    journal: Path
    dealer: str  # which tunetui deals its trials at this moment; "" where nobody does


async def adopt(name: str, hosts: Sequence[str], reach: Reach, prices: Mapping[str, Price]) -> Adopted:
    """Begin a journal here for a run that agents on these hosts have, by its name or the beginning of it.

    ``prices`` are what is known of the hosts' prices: their hours count from the run's first record.

    Raises:
        InputError: no such run there, several that begin so, or another one that is kept here under its name.
        TunetuiError: a host cannot be reached, or keeps too little of the run.
    """
    if not name:
        raise InputError("no run is named", hint=f"tunetui runs {shlex.join(hosts)} lists them")
    found = [left for lefts in await asyncio.gather(*(_left_on(host, name, reach) for host in hosts)) for left in lefts]
    starts = sorted({left.run.rpartition("-")[0] for left in found})
    if not starts:
        raise InputError(clean(f"there is no run {name!r} here, nor on {', '.join(hosts)}"))
    if len(starts) > 1:
        raise InputError(clean(f"{name!r} could be any of {', '.join(starts[:8])}"), hint="write more of the name")
    dealer = next((left.dealer for left in found if left.dealer), "")
    folder = runs_root() / starts[0].rpartition("-")[0]
    if (folder / JOURNAL).exists():
        if agents_name(folder.name, fold(Run(), read_journal(folder / JOURNAL).records)) != f"{starts[0]}-":
            raise InputError(
                clean(f"another run is kept here under the name {folder.name}"),
                hint=clean(
                    "follow it where it was begun; "
                    f"here tunetui stop {found[0].run} --host {shlex.quote(found[0].host)} ends it"
                ),
            )
    else:
        _begin(folder, starts[0], found, prices)
    return Adopted(journal=folder / JOURNAL, dealer=dealer)


async def _left_on(host: str, name: str, reach: Reach) -> list[Left]:
    link = await reach.link(host)
    try:
        rows = (await ask_json(link, ["list"])).get("runs")
        ages = {str(row.get("run")): row.get("age_seconds") for row in rows or [] if isinstance(row, dict)}
        found = []
        for run in (each for each in ages if each.startswith(name) and _AGENT.fullmatch(each)):
            age = ages[run]
            known = float(age) if isinstance(age, int | float) else 0.0
            if (left := await recount(link, run, host=host, age_seconds=known)) is not None:
                found.append(left)
    finally:
        await link.close()
    return found


def _begin(folder: Path, start: str, found: Sequence[Left], prices: Mapping[str, Price]) -> None:
    """Write what the app that began the run has written, as far as its agents and its rows are concerned."""
    asked, planned, started, provenances = _told(found)
    # No path of the other machine means anything here.
    stem, command = str(Path(folder.name).absolute()), f"tunetui attach {folder.name} --go-on"
    planned = msgspec.structs.replace(planned, run=folder.name, stem=stem, command=command)
    with RunFolder(folder) as held, Journal(held.journal) as journal:
        journal.append_app(planned, t=started)
        if agents_name(folder.name, fold(Run(), read_journal(held.journal).records)) != f"{start}-":
            raise TunetuiError(f"what {found[0].host} keeps of {start} is of another run")
        for identity, fields in provenances.items():
            journal.append_app(ProvenanceRecorded(id=identity, fields=fields))
        if prices:
            journal.append_app(HostsPriced(prices=dict(prices)))
        rows = {trial.id: trial for left in found for dealt in left.dealt for trial in dealt.trials}
        journal.append_app(TrialsQueued(trials=list(rows.values()), models=planned.models))
        for left in found:
            journal.append_app(placed(left, left.host, planned), t=time.time() - left.age_seconds)
            for dealt in left.dealt:
                ids = [trial.id for trial in dealt.trials]
                journal.append_app(TrialsDealt(agent=left.run, command=dealt.command, trials=ids))
        journal.sync()
        hosts = list(dict.fromkeys(left.host for left in found))
        own = {"hosts": hosts, "stem": stem, "command": command, "grid_path": f"{folder.name}.toml", "artifacts": []}
        keep(folder, msgspec.structs.replace(asked, **own))


def _told(found: Sequence[Left]) -> tuple[Asked, RunPlanned, float, dict[str, dict[str, Any]]]:
    """What the agents were told of the run; the last of them knows the newest plan."""
    newest = min(found, key=lambda left: left.age_seconds)
    host = shlex.quote(newest.host)
    asked, about = told(newest.about, newest.files), newest.about
    try:
        if asked is None:
            raise msgspec.ValidationError("what was asked is missing, or of another version")
        planned = msgspec.convert(about.get("planned"), RunPlanned)
        started = msgspec.convert(about.get("started"), float)
        provenances: dict[str, dict[str, Any]] = {}
        for left in found:
            if isinstance(left.about, dict):
                provenances |= msgspec.convert(left.about.get("provenances", {}), dict[str, dict[str, Any]])
    except msgspec.ValidationError as error:
        raise TunetuiError(
            clean(f"{newest.host} keeps too little of {newest.run} to take it up from here: {error}"),
            hint=clean(
                "it goes on by itself: follow it on the machine that began it; "
                f"here tunetui runs {host} lists it, and tunetui stop {newest.run} --host {host} ends it"
            ),
        ) from None
    return asked, planned, started, provenances
