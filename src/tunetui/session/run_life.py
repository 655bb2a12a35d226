"""Runs after their start: which there are here and on hosts, how far they are, how they are ended and cleared away."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunetui.core.cleaning import clean
from tunetui.core.errors import InputError, TunetuiError
from tunetui.core.routes import LOCAL
from tunetui.engines.channel import ask_json
from tunetui.session.leaving import not_told
from tunetui.session.library import find_journal, kept_runs, read_run
from tunetui.session.reaching import Reach as Reach  # noqa: PLC0414 - how to get at them belongs to what is offered here
from tunetui.session.resuming import died

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tunetui.core.snapshot import Agent, Run
    from tunetui.store.runs import KeptRun

_DAY_SECONDS = 86_400.0
LARGEST_READ_BYTES = 256 << 20
"""A longer journal is not folded only to say how far its run is."""


@dataclass(frozen=True)
class KnownRun:
    """One run, as it is known here or as a host tells; ``total`` is 0 where its plan is not known here."""

    name: str
    state: (
        str  # "running" | "done" | "interrupted" | "budget" | "failed" | "ended" | "dead" | "rebooted" | "unreachable"
    )
    hosts: list[str]
    kept_here: bool  # there is a journal of it on this machine
    done: int = 0
    failed: int = 0
    total: int = 0
    updated: float | None = None  # Unix seconds
    holder: int = 0  # process id of the tunetui that follows it
    kernel: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Survey:
    """Every run that was found, and hosts that could not be asked with the reason."""

    runs: list[KnownRun]
    unreachable: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopped:
    """What became of a wish to end a run, in lines, and whether every agent has heard it."""

    lines: list[str]
    everybody: bool


def unended(run: Run) -> dict[str, str]:
    """Agents of a run that did not end as far as its journal knows, with the host of each."""
    buried = {notice.text for notice in run.notices}
    started = {agent.source for agent in run.agents.values() if not agent.ended and died(agent.source) not in buried}
    unheard = {source for source in run.placed if source not in run.agents and run.ended is None}
    return {
        source: run.placed[source].host if source in run.placed else LOCAL for source in [*run.agents, *run.placed]
        if source in started | unheard
    }  # fmt: skip


async def survey(hosts: Sequence[str], reach: Reach) -> Survey:
    """The runs kept here, and those of this machine's agents and of the hosts named, asked side by side."""
    asked = list(dict.fromkeys([LOCAL, *hosts]))
    answers = dict(zip(asked, await asyncio.gather(*(_listed(host, reach) for host in asked)), strict=True))
    states: dict[str, dict[str, Any]] = {}
    for host, answer in answers.items():
        if not isinstance(answer, str):
            states |= {str(row.get("run")): {**row, "host": host} for row in answer}
    found, known = [], set()
    for kept in kept_runs():
        run = await asyncio.to_thread(read_run, kept.journal) if kept.bytes <= LARGEST_READ_BYTES else None
        known |= {kept.name}
        found.append(_kept(kept, run, states))
    for name, row in states.items():
        if name.rsplit("-", 2)[0] not in known:
            found.append(_foreign(name, row))
    return Survey(found, {host: answer for host, answer in answers.items() if isinstance(answer, str)})


async def stop(name: str, hosts: Sequence[str], reach: Reach, *, now: bool) -> Stopped:
    """Ask every agent of a run to end, after its present trial or ``now``.

    Raises:
        InputError: there is no such run here, nor on the hosts named.
        TunetuiError: nobody could be asked.
    """
    lines, errors = [], []
    for source, host in (await _agents_named(name, hosts, reach)).items():
        try:
            answer = await _ask(host, reach, ["stop", "--run", source, *(["--now"] if now else [])])
        except TunetuiError as error:
            errors.append(error)
            lines.append(f"{host}: {source} was not told, and goes on if it is at work: {error.message}")
            continue
        state = clean(str(answer.get("state", answer.get("text", "?"))))
        how = "ends at once" if now else "ends after its present trial"
        lines.append(f"{host}: {source} {how if state == 'running' else f'is not at work ({state})'}")
    if errors and len(errors) == len(lines):
        raise not_told(errors[0], name)
    return Stopped(lines or [f"{name} has no agent at work"], everybody=not errors)


async def clear(hosts: Sequence[str], reach: Reach, *, days: float, pretend: bool) -> dict[str, list[str] | str]:
    """Remove agents' runs that began more than ``days`` ago by our clock and whose every record is kept here.

    Returns:
        By host, what was removed or why not.
    """
    acknowledged = sorted(await asyncio.to_thread(_acknowledged, time.time() - days * _DAY_SECONDS))
    arguments = ["gc", "--days", str(days), "--acknowledged", *(["--dry-run"] if pretend else [])]

    async def one(host: str) -> list[str] | str:
        try:
            answer = await _ask(host, reach, arguments, json.dumps(acknowledged).encode())
        except TunetuiError as error:
            return error.message
        return [clean(str(each)) for each in answer.get("removed", [])]

    return dict(zip(hosts, await asyncio.gather(*map(one, hosts)), strict=True))


def journal_of(name: str) -> Path:
    """The journal of a run kept here, by its name or the beginning of it.  Raises InputError."""
    return find_journal(name)


# ---------------------------------------------------------------------------------- details


def _acknowledged(before: float) -> set[str]:
    """Agents' runs begun before then that ended and whose records are here to the last, or of which no more will come."""
    found: set[str] = set()
    for kept in kept_runs():
        run = read_run(kept.journal)
        began = {agent.source: _began(run, agent) for agent in run.agents.values()}
        found |= {source for source, t in began.items() if t <= before} - set(unended(run))
    return found


def _began(run: Run, agent: Agent) -> float:
    """By our clock; a journal that is older than hosts has only agents of this machine."""
    placed = run.placed.get(agent.source)
    return placed.t if placed is not None else agent.started


async def _agents_named(name: str, hosts: Sequence[str], reach: Reach) -> dict[str, str]:
    try:
        return unended(await asyncio.to_thread(read_run, journal_of(name)))
    except InputError as error:
        for host in dict.fromkeys([*hosts, LOCAL]):
            rows = await _listed(host, reach)
            if isinstance(rows, list) and any(row.get("run") == name for row in rows):
                return {name: host}
        raise error from None


async def _listed(host: str, reach: Reach) -> list[dict[str, Any]] | str:
    try:
        answer = await _ask(host, reach, ["list"])
    except InputError:
        raise
    except TunetuiError as error:
        return error.message
    rows = answer.get("runs")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


async def _ask(host: str, reach: Reach, arguments: Iterable[str], stdin: bytes = b"") -> dict[str, Any]:
    link = await reach.link(host)
    try:
        return await ask_json(link, list(arguments), stdin)
    finally:
        await link.close()


def _kept(kept: KeptRun, run: Run | None, states: dict[str, dict[str, Any]]) -> KnownRun:
    if run is None:
        detail = "its journal is too long to be read for this"
        return KnownRun(
            kept.name, "running" if kept.holder else "unknown", [], True, updated=kept.updated, detail=detail
        )
    return KnownRun(
        name=kept.name,
        state=_state(kept, run, states),
        hosts=list(dict.fromkeys(placed.host for placed in run.placed.values())) or [LOCAL],
        kept_here=True,
        done=run.counts.done,
        failed=run.counts.failed,
        total=run.counts.total,
        updated=kept.updated,
        holder=kept.holder.pid if kept.holder else 0,
        kernel=run.plan.kernel.name if run.plan else "",
    )


def _state(kept: KeptRun, run: Run, states: dict[str, dict[str, Any]]) -> str:
    left = unended(run)
    told = {str(states[source].get("state")) for source in left if source in states}
    if kept.holder is not None or "running" in told:
        return "running"
    if left and not told:
        return "unreachable" if any(host != LOCAL for host in left.values()) else "dead"
    for word in ("rebooted", "dead"):
        if word in told:
            return word
    if left:
        return "ended"  # its agents have, after whoever followed them was gone
    return run.ended.reason if run.ended else "interrupted"


def _foreign(name: str, row: dict[str, Any]) -> KnownRun:
    meta = row.get("meta") if isinstance(row.get("meta"), dict) else {}
    age = row.get("age_seconds")  # by the host's clock, which may be wrong: its own time of day tells us nothing
    return KnownRun(
        name=clean(name),
        state=clean(str(row.get("state"))),
        hosts=[str(row["host"])],
        kept_here=False,
        updated=time.time() - age if isinstance(age, int | float) else None,
        kernel=clean(str((meta or {}).get("kernel", ""))),
        detail="begun elsewhere",
    )
